"""`npx convex logs`: what functions write and how they end."""

from __future__ import annotations

import json

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e


def test_lines_are_followed_as_they_are_written(messages: ConvexProject) -> None:
    messages.call("messages:send", {"channel": "before", "body": "x"})
    with messages.start("logs") as logs:
        logs.wait_for("Watching logs")
        # The first answer only says where the log stands: send until a line comes through.
        place = logs.wait_for(
            "[CONVEX M(messages:send)] [LOG] 'sending to' 'live'",
            nudge=lambda: messages.call("messages:send", {"channel": "live", "body": "x"}),
        )
        messages.call("messages:announce", {"channel": "live", "body": "news"})
        logs.wait_for("[CONVEX A(messages:announce)] [WARN] 'announcing' 'news'", place)
        messages.convex("run", "messages:fail")
        logs.wait_for("Uncaught Error: this one fails", place)
        assert "'before'" not in logs.screen
        assert "Function executed in" not in logs.screen
        logs.interrupt()


def test_the_past_is_shown_on_request(messages: ConvexProject) -> None:
    messages.call("messages:send", {"channel": "the past", "body": "x"})
    with messages.start("logs", "--history") as logs:
        logs.wait_for("[LOG] 'sending to' 'the past'")
        logs.interrupt()


def test_every_execution_is_shown_on_request(messages: ConvexProject) -> None:
    messages.call("messages:count")
    with messages.start("logs", "--history", "--success") as logs:
        logs.wait_for("[CONVEX Q(messages:count)] Function executed in")
        logs.interrupt()


def test_entries_come_as_json(messages: ConvexProject) -> None:
    messages.call("messages:send", {"channel": "json", "body": "x"})
    with messages.start("logs", "--history", "--jsonl") as logs:
        logs.wait_for("'json'")
        logs.interrupt()
    entries = [json.loads(line) for line in logs.screen.splitlines() if line.startswith("{")]
    (entry,) = [each for each in entries if "'json'" in json.dumps(each)]
    assert (entry["kind"], entry["udfType"]) == ("Completion", "Mutation")
    assert entry["identifier"] in ("messages:send", "messages.js:send")
    assert entry["logLines"][0]["messages"] == ["'sending to'", "'json'"]
    assert entry["logLines"][0]["level"] == "LOG"
    assert entry["error"] is None
    assert entry["executionTime"] > 0
