"""Files in a bucket, and what is known of them (`@convex-dev/r2`)."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Answer, Asked, Internet

pytestmark = pytest.mark.e2e

APP = "r2"


class Bucket:
    """The service. The first deletion fails as often as the SDK itself tries."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.failures = 3

    def __call__(self, asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        assert "AWS4-HMAC-SHA256" in asked.headers.get("authorization", query)
        bucket, key = path.lstrip("/").split("/", 1)
        assert bucket == "bucket"
        match asked.method:
            case "PUT":
                self.objects[key] = (asked.body, asked.headers.get("content-type", ""))
                return Answer(200, b"", {"ETag": '"e"'})
            case "HEAD" if key in self.objects:
                body, kind = self.objects[key]
                return Answer(200, b"x" * len(body), {"Content-Type": kind, "Last-Modified": STAMP})
            case "GET" if key in self.objects:
                return Answer(200, self.objects[key][0])
            case "DELETE":
                if self.failures:
                    self.failures -= 1
                    return Answer(500, b"")
                self.objects.pop(key, None)
                return Answer(204, b"")
        return Answer(404, b"")


STAMP = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture(scope="module", autouse=True)
def bucket(app: ConvexProject, internet: Internet) -> Bucket:
    """A bucket whose address the app learns as its own administrator would tell it."""
    internet.services[internet.url.removeprefix("http://")] = bucket = Bucket()
    told = {
        "R2_BUCKET": "bucket",
        "R2_ENDPOINT": internet.url,
        "R2_ACCESS_KEY_ID": "key",
        "R2_SECRET_ACCESS_KEY": "secret",
    }
    app.post(
        "/api/update_environment_variables",
        {"changes": [{"name": name, "value": value} for name, value in told.items()]},
    )
    return bucket


def test_a_client_uploads_to_a_signed_address(app: ConvexProject, bucket: Bucket) -> None:
    upload = app.call("files:generateUploadUrl")
    request = urllib.request.Request(upload["url"], b"hello", {"Content-Type": "text/plain"}, method="PUT")
    with urllib.request.urlopen(request):
        pass
    key = upload["key"]
    app.call("files:syncMetadata", {"key": key})
    app.server.wait_for(lambda: f"sync bucket {key} true" in app.call("files:told"))
    assert f"upload bucket {key}" in app.call("files:told")
    found: Any = app.call("files:getMetadata", {"key": key})
    assert (found["size"], found["contentType"], found["bucket"]) == (5, "text/plain", "bucket")
    with urllib.request.urlopen(app.call("files:url", {"key": key})) as answer:
        assert answer.read() == b"hello"


def test_an_action_stores_a_file(app: ConvexProject, bucket: Bucket) -> None:
    assert app.call("files:store", {"text": "stored", "key": "mine"}) == "mine"
    assert bucket.objects["mine"] == (b"stored", "text/plain")
    page = app.call("files:listMetadata", {"paginationOpts": {"numItems": 10, "cursor": None}})
    assert "mine" in [each["key"] for each in page["page"]]
    assert "already exists" in app.convex("run", "files:store", '{"text": "x", "key": "mine"}').told


def test_a_deletion_is_tried_again_until_it_succeeds(app: ConvexProject, bucket: Bucket) -> None:
    app.call("files:store", {"text": "old", "key": "old"})
    app.call("files:remove", {"key": "old"})
    assert app.call("files:getMetadata", {"key": "old"}) is None
    app.server.wait_for(lambda: "old" not in bucket.objects)
    assert bucket.failures == 0
