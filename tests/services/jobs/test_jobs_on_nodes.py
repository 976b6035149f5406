"""Scheduled functions and crons of a deployment that several nodes serve."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from backend_nodes import backend_nodes, node_config
from client_calls import client_call
from parabola.backend import Backend
from parabola.database.upkeep import membership
from parabola.database.upkeep.membership import Membership
from parabola.functions.deployed.deployment import Module
from parabola.services.deploys.push import Push
from services.job_driver import until, value

MODULES = """
import asyncio
from parabola import ActionCtx, MutationCtx, QueryCtx, action, internal, internal_action, internal_mutation
from parabola import mutation, query

started = []

@internal_mutation
async def note(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})

@internal_action
async def act(ctx: ActionCtx, text: str) -> None:
    await ctx.run_mutation(internal.jobs.note, {"text": text})

@internal_action
async def hang(ctx: ActionCtx) -> None:
    await ctx.run_mutation(internal.jobs.note, {"text": "hangs"})
    await asyncio.sleep(3600)

@mutation
async def many(ctx: MutationCtx, name: str, count: int) -> None:
    for at in range(count):
        await ctx.scheduler.run_after(0, f"jobs:{name}", {"text": f"{name} {at}"})

@mutation
async def later(ctx: MutationCtx, name: str) -> str:
    return await ctx.scheduler.run_after(0, f"jobs:{name}", {})

@query
async def notes(ctx: QueryCtx) -> list[str]:
    return [each["text"] for each in await ctx.db.query("notes").collect()]

@query
async def states(ctx: QueryCtx) -> list[str]:
    return [job["state"]["kind"] for job in await ctx.db.system.query("_scheduled_functions").collect()]
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(membership, "GONE_SECONDS", 0.4)


async def deployed(node: Backend, crons: str = "") -> None:
    modules = [Module("jobs.py", "python", MODULES)]
    if crons:
        modules.append(Module("crons.py", "python", crons))
    await node.deploy(Push("python", tuple(modules)))


async def call(node: Backend, kind: str, path: str, **args: Any) -> Any:
    return await value(getattr(node, kind)(client_call(path, args)))


def has(count: int, found: list[Any]) -> bool:
    return len(found) == count


def runs_of(node: Backend) -> list[str]:
    return [entry.identifier for entry in node.log.after(0.0) if entry.caller == "Scheduler"]


@pytest.mark.parametrize("name", ["note", "act"])
async def test_every_job_runs_once_and_all_nodes_share_the_work(tmp_path: Path, name: str) -> None:
    async with backend_nodes(tmp_path, "a", "b", "c") as nodes:
        await deployed(nodes[0])
        await nodes[1].database.catch_up()
        await call(nodes[1], "mutation", "jobs:many", name=name, count=60)
        notes = await until(nodes[2], "jobs:notes", {}, lambda found: len(found) >= 60)
        await until(nodes[2], "jobs:states", {}, lambda found: set(found) == {"success"})
        assert Counter(notes) == Counter(f"{name} {at}" for at in range(60))
        shares = [len(runs_of(node)) for node in nodes]
        assert sum(shares) == 60
        assert min(shares) > 5


async def test_an_action_of_a_node_that_is_gone_fails_and_is_not_run_again(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        await deployed(a)
        await b.database.catch_up()
        hung = 0
        while not b.running.calls:  # until one has fallen to b
            await call(a, "mutation", "jobs:later", name="hang")
            hung += 1
            await until(a, "jobs:states", {}, lambda found: "pending" not in found)
            await until(a, "jobs:notes", {}, partial(has, hung))
        stop_beating(b)
        states = await until(a, "jobs:states", {}, lambda found: "failed" in found)
        assert Counter(states) == Counter(["failed"] + ["inProgress"] * (hung - 1))
        assert len(await call(a, "query", "jobs:notes")) == hung


async def test_the_start_of_a_node_fails_nothing_that_others_run(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        await deployed(a)
        await call(a, "mutation", "jobs:later", name="hang")
        await until(a, "jobs:states", {}, lambda found: found == ["inProgress"])
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        b = await Backend.open(node_config(tmp_path, server, "b"))
        await call(b, "mutation", "jobs:many", name="note", count=1)
        await until(b, "jobs:states", {}, lambda found: found == ["inProgress", "success"])
        await b.close()


async def test_what_was_to_run_on_a_node_that_ends_runs_on_another(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        await deployed(a)
        await b.database.catch_up()
        b.hold_jobs()
        await call(a, "mutation", "jobs:many", name="note", count=20)
        await until(a, "jobs:states", {}, lambda found: set(found) == {"success"})
        assert len(runs_of(a)) == 20


CRONS = """
from parabola import cron_jobs, internal
crons = cron_jobs()
for at in range(12):
    crons.interval(f"note {at}", internal.jobs.note, {"text": f"cron {at}"}, seconds=1)
"""


async def test_a_cron_runs_on_one_node_at_each_of_its_times(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        await deployed(a, CRONS)
        await b.database.catch_up()
        notes = await until(b, "jobs:notes", {}, lambda found: len(found) >= 24)
        counts = Counter(notes)
        assert len(counts) == 12
        assert max(counts.values()) - min(counts.values()) <= 1
        for node in (a, b):
            assert any(entry.caller == "Cron" for entry in node.log.after(0.0))


def stop_beating(node: Backend) -> None:
    """It is as if the node were not there any more, but for what it has begun."""
    members = node.database.members
    assert isinstance(members, Membership)
    assert members._task is not None
    members._task.cancel()
