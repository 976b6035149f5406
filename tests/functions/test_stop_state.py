"""A paused deployment runs nothing, and goes on with all that has become due (semantics 7.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from backend_nodes import backend_nodes
from client_calls import client_call
from parabola.backend import Backend
from parabola.functions.calls.calling import RequestContext
from parabola.functions.calls.mutations import Companion, CompanionGone
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.deployment_events import note_administrator
from parabola.functions.deployed.identity import Identity
from parabola.functions.deployed.stop_state import PAUSED_TEXT
from parabola.services.deploys.push import Push
from parabola.values.encoding import loads
from parabola.values.errors import BadRequest, Overloaded
from services.archive_driver import opened
from services.job_driver import until

CODE = """
from parabola import action, cron_jobs, internal, mutation, query

@query
async def count(ctx) -> float:
    return float(len(await ctx.db.query("notes").collect()))

@mutation
async def add(ctx) -> None:
    await ctx.db.insert("notes", {})

@action
async def act(ctx) -> str:
    await ctx.run_mutation("app:add", {})
    return "done"

@mutation
async def plan(ctx, function: str) -> str:
    return await ctx.scheduler.run_after(0, function, {})
"""
PUSH = Push("python", (Module("app.py", "python", CODE),))


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        await backend.deploy(PUSH)
        yield backend


async def failure(backend: Backend, path: str, identity: Identity | None = None, **args: Any) -> str:
    result = await backend.run_any(client_call(path, args, *([identity] if identity else [])))
    return "" if result.error is None else result.error.message


async def count(backend: Backend) -> Any:
    result = await backend.query(client_call("app:count", {}))
    return result.error.message if result.error is not None else result.value


async def asked(backend: Backend, path: str) -> Any:
    result = await backend.query(client_call(f"_system/frontend/{path}", {}, Identity.admin()))
    assert result.error is None, result.error
    return loads(result.value_json)


@pytest.mark.parametrize("path", ["app:count", "app:add", "app:act"])
async def test_nothing_runs_while_it_is_paused_whoever_asks(backend: Backend, path: str) -> None:
    assert await failure(backend, path) == ""
    await backend.pause()
    assert await failure(backend, path) == PAUSED_TEXT
    assert await failure(backend, path, Identity.admin()) == PAUSED_TEXT
    await backend.resume()
    assert await failure(backend, path) == ""


async def test_system_functions_go_on_and_tell(backend: Backend) -> None:
    none = {"system": "none", "usage_limit": "none", "user": "none"}
    assert await asked(backend, "backendState:backendState") == none
    assert await asked(backend, "deploymentState:deploymentState") == {"state": "running"}
    await backend.pause()
    assert await asked(backend, "backendState:backendState") == {**none, "user": "paused"}
    assert await asked(backend, "deploymentState:deploymentState") == {"state": "paused"}


async def test_the_history_has_who_did_it_and_each_change_once(backend: Backend) -> None:
    for name in ("ann", "bob"):
        note_administrator(Identity.admin(name=name))
        await backend.pause()
    note_administrator(Identity.admin(name="cid"))
    await backend.resume()
    with pytest.raises(BadRequest, match="not currently paused"):
        await backend.resume()
    assert await events(backend) == [
        ("ann", {"old_state": "running", "new_state": "paused"}),
        ("cid", {"old_state": "paused", "new_state": "running"}),
    ]


async def events(backend: Backend) -> list[Any]:
    source = {"type": "FullTableScan", "tableName": "_deployment_audit_log", "order": "asc"}
    stream = backend.database.begin().query_system({"source": source, "operators": []})
    rows = [document.value for document in await stream.collect()]
    return [
        (row.get("author"), row["metadata"]) for row in rows if row["action"] == "change_deployment_state"
    ]


async def test_live_queries_hear_of_it(backend: Backend) -> None:
    changed = asyncio.Event()
    live = backend.live_query(client_call("app:count", {}), on_invalid=changed.set)
    assert (await live.result_at(backend.durable_ts)).value == 0
    await backend.pause()
    await changed.wait()
    changed.clear()
    paused = (await live.result_at(backend.durable_ts)).error
    assert paused is not None
    assert paused.message == PAUSED_TEXT
    await backend.resume()
    await changed.wait()
    assert (await live.result_at(backend.durable_ts)).value == 0
    live.close()


@pytest.mark.parametrize("function", ["app:add", "app:act"])
async def test_jobs_wait_and_run_afterwards(backend: Backend, function: str) -> None:
    await backend.pause()
    await backend.resume()
    await backend.mutation(client_call("app:plan", {"function": "app:count"}))
    await backend.scheduler.settle()
    backend.scheduler.hold()  # so that nothing begins between the plan and the pause
    await backend.mutation(client_call("app:plan", {"function": function}))
    await backend.pause()
    for loop in backend.scheduler._loops:
        loop._holding = False
        loop.wake()
    await backend.scheduler.settle()
    assert await jobs(backend) == ["pending"]
    await backend.resume()
    assert await until(backend, "app:count", {}, bool) == 1
    await backend.scheduler.settle()
    assert await jobs(backend) == []


async def jobs(backend: Backend) -> list[str]:
    """The states of jobs that have not ended."""
    source = {"type": "FullTableScan", "tableName": "_scheduled_jobs", "order": "asc"}
    stream = backend.database.begin().query_system({"source": source, "operators": []})
    states = [document.value["state"]["type"] for document in await stream.collect()]
    return [state for state in states if state in ("pending", "inProgress")]


async def test_a_job_that_was_about_to_begin_is_not_failed(backend: Backend) -> None:
    await backend.pause()
    for caller in ("Scheduler", "Cron"):
        call = replace(client_call("app:act", {}), request=RequestContext(caller=caller))
        with pytest.raises(Overloaded):
            await backend.action(call)

    class Untouched(Companion):
        async def begin(self, transaction: Any) -> None:
            raise AssertionError

        finish = begin

    with pytest.raises(CompanionGone):
        await backend.runner.mutation(client_call("app:add", {}), companion=Untouched())


async def test_crons_wait_too(backend: Backend) -> None:
    await backend.pause()
    source = (
        'from parabola import cron_jobs\ncrons = cron_jobs()\ncrons.interval("c", "app:add", seconds=1)\n'
    )
    await backend.deploy(Push("python", (*PUSH.modules, Module("crons.py", "python", source))))
    await backend.crons.settle()
    assert await count(backend) == PAUSED_TEXT  # a push does not resume it
    await backend.resume()
    assert await until(backend, "app:count", {}, bool) >= 1


async def test_changed_variables_do_not_resume_it(backend: Backend) -> None:
    await backend.pause()
    await backend.change_environment({"A": "1"})
    assert await count(backend) == PAUSED_TEXT


async def test_it_outlives_the_server(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.pause()  # before anything was pushed
        await backend.deploy(PUSH)
    async with opened(tmp_path) as backend:
        assert await count(backend) == PAUSED_TEXT
        await backend.resume()
        assert await count(backend) == 0


async def test_it_holds_on_every_node_and_starts_no_hosts(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as (a, b):
        await a.deploy(PUSH)
        await b.database.confirm_reads(b.database.begin())
        assert await count(b) == 0
        hosts = b.runner.active.hosts
        await a.pause()
        await b.database.confirm_reads(b.database.begin())
        assert [await count(node) for node in (a, b)] == [PAUSED_TEXT] * 2
        await b.resume()
        await a.database.confirm_reads(a.database.begin())
        assert [await count(node) for node in (a, b)] == [0, 0]
        assert b.runner.active.hosts is hosts
