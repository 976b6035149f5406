"""Scheduled functions while nodes are killed and stopped: mutations exactly once, actions at most once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from node_servers import NodeServers
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

APP = """
import time
from parabola import ActionCtx, MutationCtx, QueryCtx, action, internal, internal_action, internal_mutation
from parabola import mutation, query

@internal_mutation
async def note(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})

@internal_action
async def act(ctx: ActionCtx, text: str) -> None:
    await ctx.run_mutation(internal.app.note, {"text": text})
    time.sleep(0.3)

@mutation
async def many(ctx: MutationCtx, name: str, first: int, count: int) -> None:
    for at in range(first, first + count):
        await ctx.scheduler.run_after(0, f"app:{name}", {"text": f"{name} {at}"})

@query
async def notes(ctx: QueryCtx) -> list[str]:
    return [each["text"] for each in await ctx.db.query("notes").collect()]

@query
async def states(ctx: QueryCtx) -> list[list[str]]:
    jobs = await ctx.db.system.query("_scheduled_functions").collect()
    return [[job["args"][0]["text"], job["state"]["kind"]] for job in jobs]
"""


def test_jobs_run_as_often_as_they_may_whatever_becomes_of_nodes(tmp_path: Path) -> None:
    with NodeServers(tmp_path) as nodes:
        a, b, c = (nodes.start(name) for name in "abc")
        (a.directory / "convex").mkdir()
        (a.directory / "convex" / "app.py").write_text(APP)
        a.cli("deploy")
        for first in (0, 20, 40):
            a.call("mutation", "app:many", name="note", first=first, count=20)
            a.call("mutation", "app:many", name="act", first=first, count=20)
            if first == 0:
                b.kill()
            elif first == 20:
                os.kill(c.pid, signal.SIGSTOP)
                b.start(**nodes.variables())
            else:
                os.kill(c.pid, signal.SIGCONT)
        a.wait_for(lambda: all_have_ended(a), "all jobs to end")
        notes = Counter(a.call("query", "app:notes"))
        states: list[list[str]] = a.call("query", "app:states")
        assert {text: notes[text] for text, _ in states if text.startswith("note")} == {
            f"note {at}": 1 for at in range(60)
        }
        for text, state in states:
            if text.startswith("act"):
                assert notes[text] <= 1
                assert state in ("success", "failed")
                assert notes[text] == 1 or state == "failed"
        assert sum(state == "success" for _, state in states) > 60


def all_have_ended(node: ServerProcess) -> bool:
    states: list[Any] = node.call("query", "app:states")
    return len(states) == 120 and not {"pending", "inProgress"} & {state for _, state in states}
