"""Texts that stream to one client and are kept for the others (`@convex-dev/persistent-text-streaming`)."""

from __future__ import annotations

import json
import urllib.request

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e

APP = "persistent_text_streaming"


def stream(app: ConvexProject, stream_id: str, *, fails: bool = False) -> tuple[int, str]:
    body = json.dumps({"streamId": stream_id, "fails": fails}).encode()
    with urllib.request.urlopen(f"{app.server.url}/http/chat-stream", body) as answer:
        return answer.status, answer.read().decode()


def test_a_text_is_streamed_and_kept(app: ConvexProject) -> None:
    stream_id = app.call("chat:create")
    assert app.call("chat:body", {"streamId": stream_id}) == {"text": "", "status": "pending"}
    assert stream(app, stream_id) == (200, "Hi there! How are you? Bye")
    app.server.wait_for(lambda: app.call("chat:body", {"streamId": stream_id})["status"] == "done")
    assert app.call("chat:body", {"streamId": stream_id})["text"] == "Hi there! How are you? Bye"


def test_a_stream_is_driven_by_one_client_alone(app: ConvexProject) -> None:
    stream_id = app.call("chat:create")
    stream(app, stream_id)
    assert stream(app, stream_id) == (205, "")


def test_a_stream_that_fails_keeps_whole_sentences(app: ConvexProject) -> None:
    stream_id = app.call("chat:create")
    assert stream(app, stream_id, fails=True)[1] == "Hi there! How are "
    app.server.wait_for(lambda: app.call("chat:body", {"streamId": stream_id})["status"] == "error")
    assert app.call("chat:body", {"streamId": stream_id})["text"] == "Hi there! "


def test_the_chunks_of_a_deleted_stream_go_too(app: ConvexProject) -> None:
    stream_id = app.call("chat:create")
    stream(app, stream_id)

    def chunks() -> bool:
        listed = app.ok("data", "chunks", "--component", "persistentTextStreaming", "--limit", "100").screen
        return stream_id in listed

    app.server.wait_for(lambda: app.call("chat:body", {"streamId": stream_id})["status"] == "done")
    assert chunks()
    app.call("chat:remove", {"streamId": stream_id})
    app.server.wait_for(lambda: not chunks())


def test_its_cron_looks_every_minute(app: ConvexProject) -> None:
    jobs = app.call("_system/frontend/components:list")
    [component] = [each["id"] for each in jobs if each["path"] == "persistentTextStreaming"]
    [cron] = app.call("_system/frontend/listCronJobs:default", {"componentId": component})
    assert cron["name"] == "cleanup expired streams"
    assert cron["nextRun"] is not None
