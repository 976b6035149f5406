"""Scheduled functions: when they run, how often, and what becomes of their jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from parabola.backend import Backend, BackendConfig
from parabola.functions.deployment import Module
from parabola.functions.identity import Identity
from parabola.services.push import Push

SECRET = "11" * 32

JOBS = """
import time
from parabola import ActionCtx, MutationCtx, QueryCtx, action, internal, internal_action, internal_mutation
from parabola import mutation, query


@internal_mutation
async def note(ctx: MutationCtx, text: str) -> None:
    if text == "fail":
        raise ValueError("no")
    await ctx.db.insert("notes", {"text": text})


@internal_mutation
async def who(ctx: MutationCtx) -> None:
    (job,) = [j for j in await ctx.db.system.query("_scheduled_functions").collect() if "who" in j["name"]]
    identity = await ctx.auth.get_user_identity()
    await ctx.db.insert("notes", {"text": f"{identity} {job['state']['kind']}"})


@internal_action
async def act(ctx: ActionCtx, text: str, seconds: float = 0) -> None:
    await ctx.run_mutation(internal.jobs.note, {"text": text})
    time.sleep(seconds)
    await ctx.scheduler.run_after(0, internal.jobs.note, {"text": text + " child"})


@mutation
async def later(ctx: MutationCtx, name: str, args: dict[str, object], delay: float = 0) -> str:
    return await ctx.scheduler.run_after(delay, f"jobs:{name}", args)


@mutation
async def many(ctx: MutationCtx, count: int) -> None:
    for number in range(count):
        await ctx.scheduler.run_after(0, internal.jobs.note, {"text": str(number)})


@mutation
async def abort(ctx: MutationCtx) -> None:
    await ctx.scheduler.run_after(0, internal.jobs.note, {"text": "never"})
    raise ValueError("changed my mind")


@mutation
async def cancel(ctx: MutationCtx, id: str) -> None:
    await ctx.scheduler.cancel(id)


@query
async def notes(ctx: QueryCtx) -> list[str]:
    return [note["text"] for note in await ctx.db.query("notes").collect()]


@query
async def jobs(ctx: QueryCtx) -> list[object]:
    return await ctx.db.system.query("_scheduled_functions").collect()


@query
async def job(ctx: QueryCtx, id: str) -> object:
    return await ctx.db.system.get(id)
"""


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Backend]:
    backend = await Backend.open(BackendConfig(directory, "test", SECRET))
    try:
        if not backend.deployment.functions:
            await backend.deploy(Push("python", (Module("jobs.py", "python", JOBS),)))
        yield backend
    finally:
        await backend.close()


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def value(call: Any) -> Any:
    result = await call
    assert result.error is None, result.error
    return result.value


async def until(backend: Backend, path: str, args: dict[str, Any], holds: Any) -> Any:
    """Follow a query until `holds(value)`."""
    changed = asyncio.Event()
    live = backend.live_query(path, args, on_invalid=changed.set)
    try:
        async with asyncio.timeout(30):
            while True:
                changed.clear()
                found = (await live.result_at(backend.durable_ts)).value
                if holds(found):
                    return found
                await changed.wait()
    finally:
        live.close()


async def ended(backend: Backend, id: str) -> Any:
    return await until(backend, "jobs:job", {"id": id}, lambda job: "completedTime" in job)


async def test_a_scheduled_mutation_runs_and_its_job_says_so(backend: Backend) -> None:
    id = await value(backend.mutation("jobs:later", {"name": "note", "args": {"text": "hello"}}))
    job = await ended(backend, id)
    assert job["state"] == {"kind": "success"}
    assert (job["name"], job["args"]) == ("jobs.py:note", [{"text": "hello"}])
    assert job["completedTime"] >= job["scheduledTime"]
    assert await value(backend.query("jobs:notes", {})) == ["hello"]


async def test_it_waits_for_its_time(backend: Backend) -> None:
    id = await value(backend.mutation("jobs:later", {"name": "note", "args": {"text": "x"}, "delay": 300.0}))
    assert (await value(backend.query("jobs:job", {"id": id})))["state"] == {"kind": "pending"}
    job = await ended(backend, id)
    assert job["completedTime"] >= job["scheduledTime"]


async def test_a_mutation_that_throws_is_failed_and_not_run_again(backend: Backend) -> None:
    id = await value(backend.mutation("jobs:later", {"name": "note", "args": {"text": "fail"}}))
    job = await ended(backend, id)
    assert job["state"]["kind"] == "failed"
    assert job["state"]["error"].startswith("Uncaught ValueError: no\n    at note (convex/jobs.py:10")


async def test_arguments_are_validated_when_the_job_runs(backend: Backend) -> None:
    id = await value(backend.mutation("jobs:later", {"name": "note", "args": {"wrong": 1.0}}))
    assert "ArgumentValidationError" in (await ended(backend, id))["state"]["error"]


async def test_a_query_cannot_be_scheduled_and_a_missing_function_is_refused_at_once(
    backend: Backend,
) -> None:
    id = await value(backend.mutation("jobs:later", {"name": "notes", "args": {}}))
    assert "Unsupported function type" in (await ended(backend, id))["state"]["error"]
    result = await backend.mutation("jobs:later", {"name": "nope", "args": {}})
    assert "no exported function nope found in the file: jobs.py" in result.error.message


async def test_an_aborted_mutation_schedules_nothing(backend: Backend) -> None:
    assert (await backend.mutation("jobs:abort", {})).error is not None
    assert await value(backend.query("jobs:jobs", {})) == []


async def test_a_job_runs_without_identity_and_sees_itself_running(backend: Backend) -> None:
    ann = Identity.user({"tokenIdentifier": "i|ann"})
    id = await value(backend.mutation("jobs:later", {"name": "who", "args": {}}, ann))
    await ended(backend, id)
    assert await value(backend.query("jobs:notes", {})) == ["None inProgress"]


async def test_a_cancelled_job_does_not_run(backend: Backend) -> None:
    id = await value(
        backend.mutation("jobs:later", {"name": "note", "args": {"text": "x"}, "delay": 60_000.0})
    )
    await value(backend.mutation("jobs:cancel", {"id": id}))
    assert (await ended(backend, id))["state"] == {"kind": "canceled"}
    await value(backend.mutation("jobs:cancel", {"id": id}))
    result = await backend.mutation("jobs:cancel", {"id": "nonsense"})
    assert "Invalid scheduled function ID" in result.error.message


async def test_many_jobs_all_run_once(backend: Backend) -> None:
    await value(backend.mutation("jobs:many", {"count": 200.0}))
    await until(backend, "jobs:jobs", {}, lambda jobs: all(job["state"]["kind"] == "success" for job in jobs))
    assert sorted(map(int, await value(backend.query("jobs:notes", {})))) == list(range(200))


async def test_too_many_jobs_in_one_mutation_are_refused(backend: Backend) -> None:
    result = await backend.mutation("jobs:many", {"count": 1001.0})
    assert "Too many functions scheduled by this mutation (limit: 1000)" in result.error.message
    assert await value(backend.query("jobs:jobs", {})) == []


async def test_an_action_runs_once_and_what_it_schedules_runs(backend: Backend) -> None:
    id = await value(backend.mutation("jobs:later", {"name": "act", "args": {"text": "a"}}))
    assert (await ended(backend, id))["state"] == {"kind": "success"}
    assert await until(backend, "jobs:notes", {}, lambda notes: len(notes) == 2) == ["a", "a child"]


async def test_what_a_cancelled_action_schedules_is_cancelled(backend: Backend) -> None:
    args = {"name": "act", "args": {"text": "a", "seconds": 0.5}}
    id = await value(backend.mutation("jobs:later", args))
    await until(backend, "jobs:notes", {}, lambda notes: notes == ["a"])
    await value(backend.mutation("jobs:cancel", {"id": id}))
    jobs = await until(backend, "jobs:jobs", {}, lambda jobs: len(jobs) == 2)
    assert [job["state"]["kind"] for job in jobs] == ["canceled", "canceled"]


async def test_jobs_survive_a_restart_and_an_interrupted_action_is_failed(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        waiting = await value(
            backend.mutation("jobs:later", {"name": "note", "args": {"text": "later"}, "delay": 200.0})
        )
        args = {"name": "act", "args": {"text": "a", "seconds": 60.0}}
        running = await value(backend.mutation("jobs:later", args))
        await until(backend, "jobs:notes", {}, lambda notes: "a" in notes)
    async with opened(tmp_path) as backend:
        assert (await ended(backend, waiting))["state"] == {"kind": "success"}
        assert (await ended(backend, running))["state"] == {
            "kind": "failed",
            "error": "Transient error while executing action",
        }
        assert sorted(await value(backend.query("jobs:notes", {}))) == ["a", "later"]
