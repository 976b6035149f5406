"""E-mails in batches, with retries, cancellation and what becomes of them (`@convex-dev/resend`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Answer, Asked, Internet

pytestmark = pytest.mark.e2e

APP = "resend"
SECRET = base64.b64encode(b"a secret of a webhook").decode()
VARIABLES = {"RESEND_API_KEY": "re_test", "RESEND_WEBHOOK_SECRET": f"whsec_{SECRET}"}


class Resend:
    """The service: the first request for a batch fails."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}
        self.failures = 1

    def __call__(self, asked: Asked) -> Answer:
        assert (asked.method, asked.path) == ("POST", "/emails/batch")
        if self.failures:
            self.failures -= 1
            return Answer(500, {"message": "not now"})
        ids = []
        for mail in asked.json:
            ids.append(f"resend-{len(self.sent)}")
            self.sent[mail["subject"]] = ids[-1]
        return Answer(200, {"data": [{"id": each} for each in ids]})


@pytest.fixture(scope="module", autouse=True)
def service(internet: Internet) -> Resend:
    internet.services["api.resend.com"] = Resend()
    return internet.services["api.resend.com"]


def status(app: ConvexProject, email: str) -> Any:
    return app.call("mail:status", {"id": email})


def tell(app: ConvexProject, resend_id: str, kind: str, secret: str = SECRET) -> int:
    """What the service tells the webhook, signed."""
    created = "2026-01-01T00:00:00.000Z"
    data = {
        "email_id": resend_id,
        "created_at": created,
        "from": "test@mydomain.com",
        "to": ["delivered@resend.dev"],
        "subject": "s",
    }
    body = json.dumps({"type": kind, "created_at": created, "data": data})
    stamp = str(int(time.time()))
    signed = hmac.digest(base64.b64decode(secret), f"msg.{stamp}.{body}".encode(), hashlib.sha256)
    headers = {
        "svix-id": "msg",
        "svix-timestamp": stamp,
        "svix-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    request = urllib.request.Request(f"{app.server.url}/http/resend-webhook", body.encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_emails_are_sent_in_a_batch_that_is_tried_again(
    app: ConvexProject, service: Resend, internet: Internet
) -> None:
    first, second = (app.call("mail:send", {"subject": subject}) for subject in ("one", "two"))
    app.server.wait_for(lambda: all(status(app, each)["status"] == "sent" for each in (first, second)))
    assert set(service.sent) == {"one", "two"}
    tries = internet.to("api.resend.com")
    assert len(tries) >= 2
    assert {each.headers["authorization"] for each in tries} == {"Bearer re_test"}
    assert len({each.headers["idempotency-key"] for each in tries[:2]}) == 1


def test_what_the_webhook_tells_reaches_the_apps_mutation(app: ConvexProject, service: Resend) -> None:
    email = app.call("mail:send", {"subject": "hooked"})
    app.server.wait_for(lambda: status(app, email)["status"] == "sent")
    assert tell(app, service.sent["hooked"], "email.delivered") == 201
    app.server.wait_for(lambda: app.call("mail:told", {"id": email}) == ["email.delivered"])
    assert status(app, email)["status"] == "delivered"
    forged = base64.b64encode(b"another secret").decode()
    assert tell(app, service.sent["hooked"], "email.bounced", forged) == 500
    assert status(app, email)["bounced"] is False


def test_a_cancelled_email_is_never_sent(app: ConvexProject, service: Resend) -> None:
    gone = app.call("mail:send", {"subject": "gone"})
    app.call("mail:cancel", {"id": gone})
    kept = app.call("mail:send", {"subject": "kept"})
    app.server.wait_for(lambda: status(app, kept)["status"] == "sent")
    assert status(app, gone)["status"] == "cancelled"
    assert "gone" not in service.sent


def test_one_key_is_one_email(app: ConvexProject) -> None:
    twice = [app.call("mail:send", {"subject": "once", "key": "order 1"}) for _ in range(2)]
    assert twice[0] == twice[1]


def test_real_addresses_are_refused_in_test_mode(app: ConvexProject) -> None:
    done = app.convex("run", "mail:send", json.dumps({"subject": "x", "to": "ann@example.com"}))
    assert "Test mode is enabled" in done.told


def test_its_parts_do_not_share_state(app: ConvexProject) -> None:
    listed = app.call("_system/frontend/components:list")
    paths = {each["path"] for each in listed}
    assert {"resend", "resend/emailWorkpool", "resend/callbackWorkpool", "resend/rateLimiter"} <= paths
    assert len({each["id"] for each in listed}) == len(listed)
