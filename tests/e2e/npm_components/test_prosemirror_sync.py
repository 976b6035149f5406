"""Documents that several people write at once (`@convex-dev/prosemirror-sync`)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e

APP = "prosemirror_sync"


def inserting(text: str, at: int) -> str:
    """A step that an editor sends when somebody has typed."""
    content = [{"type": "text", "text": text}]
    return json.dumps({"stepType": "replace", "from": at, "to": at, "slice": {"content": content}})


def test_a_document_is_changed_on_the_server_and_by_editors(app: ConvexProject) -> None:
    app.call("notes:create", {"id": "a"})
    assert app.call("notes:write", {"id": "a", "text": "second"}) == "second"
    assert app.call("notes:write", {"id": "a", "text": "first"}) == "firstsecond"
    version = app.call("notes:latestVersion", {"id": "a"})
    typed = {"id": "a", "version": version, "clientId": "me", "steps": [inserting("very ", 1)]}
    assert app.call("notes:submitSteps", typed) == {"status": "synced"}
    found = app.call("notes:read", {"id": "a"})
    assert (found["version"], found["text"].strip()) == (version + 1, "very first\nsecond")


def test_who_types_at_the_same_time_is_given_the_others_steps(app: ConvexProject) -> None:
    app.call("notes:create", {"id": "b"})
    version = app.call("notes:latestVersion", {"id": "b"})
    mine = {"id": "b", "version": version, "clientId": "me", "steps": [inserting("a", 1)]}
    yours = {"id": "b", "version": version, "clientId": "you", "steps": [inserting("b", 1)]}
    assert app.call("notes:submitSteps", mine) == {"status": "synced"}
    refused = app.call("notes:submitSteps", yours)
    assert (refused["status"], refused["clientIds"], refused["steps"]) == (
        "needs-rebase",
        ["me"],
        mine["steps"],
    )
    again = {**yours, "version": version + 1, "steps": [inserting("b", 2)]}
    assert app.call("notes:submitSteps", again) == {"status": "synced"}
    assert app.call("notes:read", {"id": "b"})["text"] == "ab"
    steps = app.call("notes:getSteps", {"id": "b", "version": version})
    assert steps["clientIds"] == ["me", "you"]


def test_snapshots_are_told_and_permissions_asked(app: ConvexProject) -> None:
    doc = json.dumps({"type": "doc", "content": [{"type": "paragraph"}]})
    app.call("notes:submitSnapshot", {"id": "c", "version": 1, "content": doc})
    told: Any = [each["version"] for each in app.call("notes:snapshots") if each["id"] == "c"]
    assert told == [1]
    assert app.call("notes:getSnapshot", {"id": "c"})["version"] == 1
    assert app.call("notes:getSnapshot", {"id": "nowhere"}) == {"content": None}
    assert "not yours" in app.convex("run", "notes:getSnapshot", '{"id": "secret"}').told
