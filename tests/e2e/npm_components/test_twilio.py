"""Text messages, sent and received (`@convex-dev/twilio`)."""

from __future__ import annotations

import base64
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Answer, Asked, Internet

pytestmark = pytest.mark.e2e

APP = "twilio"
VARIABLES = {
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "token",
    "TWILIO_PHONE_NUMBER": "+15550001111",
}
TEXTS = (
    "address_requirements api_version date_created date_updated emergency_address_status emergency_status "
    "friendly_name origin phone_number sms_application_sid sms_fallback_method sms_fallback_url sms_method "
    "sms_url status status_callback status_callback_method uri voice_application_sid voice_fallback_method "
    "voice_fallback_url voice_method voice_url voice_receive_mode"
)
NUMBER = {
    **dict.fromkeys(TEXTS.split(), ""),
    **dict.fromkeys(["address_sid", "bundle_sid", "emergency_address_sid", "identity_sid", "trunk_sid"]),
    "account_sid": "AC1",
    "sid": "PN1",
    "beta": False,
    "voice_caller_id_lookup": False,
    "capabilities": dict.fromkeys(("fax", "mms", "sms", "voice"), True),
    "subresource_uris": {"assigned_add_ons": ""},
}


class Twilio:
    """The service, with the messages it knows."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.sms_url = ""

    def receive(self, body: str) -> str:
        return self._new("inbound", "+14158675309", "+15550001111", body)["sid"]

    def _new(self, direction: str, sender: str, to: str, body: str) -> dict[str, Any]:
        sid = f"SM{len(self.messages)}"
        self.messages[sid] = {
            **dict.fromkeys(
                ["date_sent", "date_updated", "error_code", "error_message", "messaging_service_sid", "price"]
            ),
            "account_sid": "AC1",
            "api_version": "2010-04-01",
            "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
            "direction": direction,
            "from": sender,
            "to": to,
            "body": body,
            "num_media": "0",
            "num_segments": "1",
            "price_unit": "USD",
            "sid": sid,
            "status": "queued",
            "subresource_uris": {"media": f"/Messages/{sid}/Media.json"},
            "uri": f"/Messages/{sid}.json",
            "something_new": True,
        }
        return self.messages[sid]

    def __call__(self, asked: Asked) -> Answer:
        assert asked.headers["authorization"] == f"Basic {base64.b64encode(b'AC1:token').decode()}"
        path = asked.path.removeprefix("/2010-04-01/Accounts/AC1/")
        if path == "Messages.json":
            assert asked.form["StatusCallback"].endswith("/twilio/message-status")
            return Answer(
                201, self._new("outbound-api", asked.form["From"], asked.form["To"], asked.form["Body"])
            )
        if path == "IncomingPhoneNumbers/PN1.json":
            self.sms_url = asked.form.get("SmsUrl", self.sms_url)
            return Answer(200, {**NUMBER, "sms_url": self.sms_url})
        return Answer(200, self.messages[path.removeprefix("Messages/").removesuffix(".json")])


@pytest.fixture(scope="module", autouse=True)
def service(internet: Internet) -> Twilio:
    internet.services["api.twilio.com"] = Twilio()
    return internet.services["api.twilio.com"]


def post(app: ConvexProject, path: str, **form: str) -> tuple[int, str]:
    body = urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(f"{app.server.url}/http/twilio/{path}", body) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_a_message_is_sent_and_its_status_followed(app: ConvexProject) -> None:
    sid = app.call("sms:send", {"body": "Hey Jenny"})
    found = app.call("sms:get", {"sid": sid})
    assert (found["status"], found["to"], found["from"]) == ("queued", "+14158675309", "+15550001111")
    assert found["rest"] == {"something_new": True}
    assert post(app, "message-status", MessageSid=sid, MessageStatus="delivered")[0] == 200
    assert app.call("sms:get", {"sid": sid})["status"] == "delivered"
    assert app.call("sms:list")["outgoing"] == ["Hey Jenny"]


def test_a_message_that_comes_in_reaches_the_app_in_one_transaction(
    app: ConvexProject, service: Twilio
) -> None:
    status, text = post(app, "incoming-message", SmsSid=service.receive("hello"))
    assert (status, "<Response>" in text) == (200, True)
    assert app.call("sms:heard") == [{"body": "hello", "from": "+14158675309"}]
    assert app.call("sms:list")["incoming"] == ["hello"]
    # What the app refuses is not kept by the component either.
    assert post(app, "incoming-message", SmsSid=service.receive("refused"))[0] == 500
    assert app.call("sms:list")["incoming"] == ["hello"]


def test_a_number_is_told_where_messages_go(app: ConvexProject, service: Twilio) -> None:
    app.call("sms:register")
    assert service.sms_url.endswith("/twilio/incoming-message")
    assert service.sms_url.startswith("http://127.0.0.1:")
