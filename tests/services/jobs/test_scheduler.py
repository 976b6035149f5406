"""Scheduled functions: when they run, how often, and what becomes of their jobs."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.database.transaction import Transaction
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.settings import FunctionSettings
from parabola.services.deploys.push import Push
from parabola.services.jobs.scheduled_jobs import JOBS as TABLE
from parabola.services.jobs.scheduled_jobs import MUTATIONS, RUNNING, jobs_between
from parabola.services.settings import ServiceSettings
from parabola.values.encoding import Int64
from parabola.values.errors import InternalServerError, Overloaded, RateLimited
from services.job_driver import until, value

SECRET = "11" * 32

JOBS = """
import asyncio
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


@internal_mutation
async def cancel_itself(ctx: MutationCtx) -> None:
    (job,) = [j for j in await ctx.db.system.query("_scheduled_functions").collect() if "itself" in j["name"]]
    await ctx.scheduler.cancel(job["_id"])
    await ctx.db.insert("notes", {"text": "went on"})


@internal_action
async def linger(ctx: ActionCtx) -> None:
    await ctx.run_mutation(internal.jobs.note, {"text": "lingering"})
    await asyncio.sleep(3600)


@action
async def quick(ctx: ActionCtx) -> str:
    return "quick"


@mutation
async def at(ctx: MutationCtx, ms: float) -> str:
    return await ctx.scheduler.run_at(ms, internal.jobs.note, {"text": "at"})


@mutation
async def heavy(ctx: MutationCtx, count: int, size: int) -> None:
    for _ in range(count):
        await ctx.scheduler.run_after(0, internal.jobs.note, {"text": "x" * size})


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


KEPT = ServiceSettings.finished_jobs_seconds


@asynccontextmanager
async def opened(directory: Path, actions_at_once: int = 64) -> AsyncIterator[Backend]:
    functions = FunctionSettings(actions_at_once=actions_at_once)
    backend = await Backend.open(BackendConfig(directory, "test", SECRET, functions=functions))
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


async def write(backend: Backend, change: Callable[[Transaction], Awaitable[Any]]) -> None:
    await backend.database.transact(change, source="test")


async def ended(backend: Backend, id: str) -> Any:
    return await until(backend, "jobs:job", {"id": id}, lambda job: "completedTime" in job)


async def test_a_scheduled_mutation_runs_and_its_job_says_so(backend: Backend) -> None:
    id = await value(backend.mutation(client_call("jobs:later", {"name": "note", "args": {"text": "hello"}})))
    job = await ended(backend, id)
    assert job["state"] == {"kind": "success"}
    assert (job["name"], job["args"]) == ("jobs.py:note", [{"text": "hello"}])
    assert job["completedTime"] >= job["scheduledTime"]
    assert await value(backend.query(client_call("jobs:notes", {}))) == ["hello"]


async def test_it_waits_for_its_time(backend: Backend) -> None:
    id = await value(
        backend.mutation(client_call("jobs:later", {"name": "note", "args": {"text": "x"}, "delay": 300.0}))
    )
    assert (await value(backend.query(client_call("jobs:job", {"id": id}))))["state"] == {"kind": "pending"}
    job = await ended(backend, id)
    assert job["completedTime"] >= job["scheduledTime"]


async def test_a_mutation_that_throws_is_failed_and_not_run_again(backend: Backend) -> None:
    id = await value(backend.mutation(client_call("jobs:later", {"name": "note", "args": {"text": "fail"}})))
    job = await ended(backend, id)
    assert job["state"]["kind"] == "failed"
    assert job["state"]["error"].startswith("Uncaught ValueError: no\n    at note (convex/jobs.py:11")


async def test_arguments_are_validated_when_the_job_runs(backend: Backend) -> None:
    id = await value(backend.mutation(client_call("jobs:later", {"name": "note", "args": {"wrong": 1.0}})))
    assert "ArgumentValidationError" in (await ended(backend, id))["state"]["error"]


async def test_a_query_cannot_be_scheduled_and_a_missing_function_is_refused_at_once(
    backend: Backend,
) -> None:
    id = await value(backend.mutation(client_call("jobs:later", {"name": "notes", "args": {}})))
    assert "Unsupported function type" in (await ended(backend, id))["state"]["error"]
    result = await backend.mutation(client_call("jobs:later", {"name": "nope", "args": {}}))
    assert "no exported function nope found in the file: jobs.py" in result.error.message


async def test_an_aborted_mutation_schedules_nothing(backend: Backend) -> None:
    assert (await backend.mutation(client_call("jobs:abort", {}))).error is not None
    assert await value(backend.query(client_call("jobs:jobs", {}))) == []


async def test_a_job_runs_without_identity_and_sees_itself_running(backend: Backend) -> None:
    ann = Identity.user({"tokenIdentifier": "i|ann"})
    id = await value(backend.mutation(client_call("jobs:later", {"name": "who", "args": {}}, ann)))
    await ended(backend, id)
    assert await value(backend.query(client_call("jobs:notes", {}))) == ["None inProgress"]


async def test_a_cancelled_job_does_not_run(backend: Backend) -> None:
    id = await value(
        backend.mutation(
            client_call("jobs:later", {"name": "note", "args": {"text": "x"}, "delay": 60_000.0})
        )
    )
    await value(backend.mutation(client_call("jobs:cancel", {"id": id})))
    assert (await ended(backend, id))["state"] == {"kind": "canceled"}
    await value(backend.mutation(client_call("jobs:cancel", {"id": id})))
    result = await backend.mutation(client_call("jobs:cancel", {"id": "nonsense"}))
    assert "Invalid scheduled function ID" in result.error.message


async def test_a_function_that_is_gone_when_it_is_due_fails_its_job(backend: Backend) -> None:
    ids = [
        await value(backend.mutation(client_call("jobs:later", {"name": name, "args": {}, "delay": 3e6})))
        for name in ("quick", "cancel_itself")
    ]
    rest = JOBS.replace("async def quick", "async def slow").replace("def cancel_itself", "def cancel_other")
    await backend.deploy(Push("python", (Module("jobs.py", "python", rest),)))
    for id in ids:
        await write(backend, lambda tx, id=id: tx.patch_system(id, {"nextTs": Int64(1)}))  # type: ignore[misc]
        error = (await ended(backend, id))["state"]["error"]
        assert error.startswith("Could not find")


async def test_too_many_jobs_in_one_mutation_are_refused(backend: Backend) -> None:
    result = await backend.mutation(client_call("jobs:many", {"count": 1001.0}))
    assert "Too many functions scheduled by this mutation (limit: 1000)" in result.error.message
    assert await value(backend.query(client_call("jobs:jobs", {}))) == []


async def test_too_much_for_the_arguments_of_one_mutation_is_refused(backend: Backend) -> None:
    result = await backend.mutation(client_call("jobs:heavy", {"count": 5.0, "size": 4e6}))
    assert (
        "Too large total size of the arguments of scheduled functions from this mutation "
        "(limit: 16777216 bytes)" in result.error.message
    )
    result = await backend.mutation(client_call("jobs:heavy", {"count": 1.0, "size": 17e6}))
    assert "Arguments for jobs.py:note are too large (actual: 16." in result.error.message
    assert await value(backend.query(client_call("jobs:jobs", {}))) == []


async def test_a_time_in_the_past_means_at_once_and_is_kept_as_it_was_asked_for(backend: Backend) -> None:
    asked = time.time() * 1000 - 86_400_000
    job = await ended(backend, await value(backend.mutation(client_call("jobs:at", {"ms": asked}))))
    assert job["scheduledTime"] == pytest.approx(asked, abs=0.001)
    assert job["state"] == {"kind": "success"}
    for years, text in ((6, "is more than 5 years in the future"), (-6, "is more than 5 years in the past")):
        result = await backend.mutation(client_call("jobs:at", {"ms": asked + years * 366 * 86_400_000.0}))
        assert text in result.error.message


async def test_a_mutation_that_cancels_itself_commits_and_ends_as_canceled(backend: Backend) -> None:
    id = await value(backend.mutation(client_call("jobs:later", {"name": "cancel_itself", "args": {}})))
    assert (await ended(backend, id))["state"] == {"kind": "canceled"}
    assert await value(backend.query(client_call("jobs:notes", {}))) == ["went on"]
    lines = [str(line) for entry in backend.log.after(0.0) for line in entry.log_lines]
    assert len(lines) == 1
    assert "A scheduled mutation canceling itself is deprecated" in lines[0]


async def test_waiting_actions_hold_up_neither_mutations_nor_the_actions_of_clients(tmp_path: Path) -> None:
    async with opened(tmp_path, actions_at_once=2) as backend:
        for _ in range(4):
            await value(backend.mutation(client_call("jobs:later", {"name": "linger", "args": {}})))
        await until(backend, "jobs:notes", {}, lambda notes: notes == ["lingering"])
        id = await value(
            backend.mutation(client_call("jobs:later", {"name": "note", "args": {"text": "past them"}}))
        )
        assert (await ended(backend, id))["state"] == {"kind": "success"}
        assert await value(backend.action(client_call("jobs:quick", {}))) == "quick"
        states = [job["state"]["kind"] for job in await value(backend.query(client_call("jobs:jobs", {})))]
        assert sorted(states) == ["inProgress", "pending", "pending", "pending", "success"]


async def test_many_due_jobs_do_not_starve_clients(backend: Backend) -> None:
    await value(backend.mutation(client_call("jobs:many", {"count": 600.0})))
    answered = 0
    while not await _all_have_run(backend):
        await value(backend.mutation(client_call("jobs:at", {"ms": time.time() * 1000 + 3_600_000})))
        answered += 1
    assert answered >= 5  # it would be one or two if calls came after all that is due
    assert sorted(map(int, await value(backend.query(client_call("jobs:notes", {}))))) == list(range(600))


async def _all_have_run(backend: Backend) -> bool:
    tx = backend.database.begin()
    return not await jobs_between(tx, MUTATIONS, RUNNING, time.time_ns(), 1)


async def test_an_action_that_finds_no_host_waits_and_one_that_breaks_off_is_failed(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [
        RateLimited("too many"),
        Overloaded("no hosts"),
        InternalServerError(),
        RuntimeError("a bug"),
    ]
    action = backend.runner.action

    async def faulty(*args: Any, **options: Any) -> Any:
        if faults:
            raise faults.pop(0)
        return await action(*args, **options)

    monkeypatch.setattr(backend.runner, "action", faulty)
    monkeypatch.setattr("parabola.services.jobs.scheduler.NO_HOST_PAUSE_SECONDS", 0.0)
    states = []
    for _ in range(3):
        id = await value(backend.mutation(client_call("jobs:later", {"name": "quick", "args": {}})))
        states.append((await ended(backend, id))["state"])
    transient = {"kind": "failed", "error": "Transient error while executing action"}
    assert states == [transient, transient, {"kind": "success"}]
    assert not faults


async def test_a_mutation_is_tried_again_after_a_fault_of_the_server(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [InternalServerError(), RuntimeError("a bug")]
    mutation = backend.runner.mutation

    async def faulty(*args: Any, **options: Any) -> Any:
        if faults and "companion" in options:
            raise faults.pop(0)
        return await mutation(*args, **options)

    monkeypatch.setattr(backend.runner, "mutation", faulty)
    monkeypatch.setattr("parabola.services.jobs.scheduler._FIRST_BACKOFF_SECONDS", 0.01)
    id = await value(backend.mutation(client_call("jobs:later", {"name": "note", "args": {"text": "x"}})))
    assert (await ended(backend, id))["state"] == {"kind": "success"}
    assert not faults
    assert await value(backend.query(client_call("jobs:notes", {}))) == ["x"]


async def test_an_action_runs_once_and_what_it_schedules_runs(backend: Backend) -> None:
    id = await value(backend.mutation(client_call("jobs:later", {"name": "act", "args": {"text": "a"}})))
    assert (await ended(backend, id))["state"] == {"kind": "success"}
    assert await until(backend, "jobs:notes", {}, lambda notes: len(notes) == 2) == ["a", "a child"]


async def test_what_a_cancelled_action_schedules_is_cancelled(backend: Backend) -> None:
    args = {"name": "act", "args": {"text": "a", "seconds": 0.5}}
    id = await value(backend.mutation(client_call("jobs:later", args)))
    await until(backend, "jobs:notes", {}, lambda notes: notes == ["a"])
    await value(backend.mutation(client_call("jobs:cancel", {"id": id})))
    jobs = await until(backend, "jobs:jobs", {}, lambda jobs: len(jobs) == 2)
    assert [job["state"]["kind"] for job in jobs] == ["canceled", "canceled"]


def ran_for_months(directory: Path) -> None:
    """Let the server believe that it has: ages are by the time in which it runs."""
    months = 60 * 24 * 3600.0
    now = time.time_ns()
    began = now - int(months * 1e9)
    readings = [[0.0, began, began, began], [months, now, began, began]]
    with contextlib.closing(sqlite3.connect(directory / "parabola.sqlite3", isolation_level=None)) as db:
        db.execute("INSERT OR REPLACE INTO property VALUES ('running_time', ?)", (json.dumps(readings),))


async def test_jobs_survive_a_restart_and_an_interrupted_action_is_failed(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        waiting = await value(
            backend.mutation(
                client_call("jobs:later", {"name": "note", "args": {"text": "later"}, "delay": 200.0})
            )
        )
        args = {"name": "act", "args": {"text": "a", "seconds": 60.0}}
        running = await value(backend.mutation(client_call("jobs:later", args)))
        old, recent = [
            await value(backend.mutation(client_call("jobs:at", {"ms": 1.8e12}))) for _ in range(2)
        ]
        for id, ago in ((old, KEPT + 60), (recent, KEPT - 600)):
            await value(backend.mutation(client_call("jobs:cancel", {"id": id})))
            then = {"completedTs": (time.time() - ago) * 1000}
            await write(backend, lambda tx, id=id, then=then: tx.patch_system(id, then))  # type: ignore[misc]
        await until(backend, "jobs:notes", {}, lambda notes: "a" in notes)
    ran_for_months(tmp_path)
    async with opened(tmp_path) as backend:
        assert (await ended(backend, waiting))["state"] == {"kind": "success"}
        assert (await ended(backend, running))["state"] == {
            "kind": "failed",
            "error": "Transient error while executing action",
        }
        assert sorted(await value(backend.query(client_call("jobs:notes", {})))) == ["a", "later"]
        # What ended more than a week ago is forgotten, and nothing else.
        await until(backend, "jobs:job", {"id": old}, lambda job: job is None)
        assert await value(backend.query(client_call("jobs:job", {"id": recent}))) is not None


async def test_jobs_of_an_older_version_have_no_lane_and_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        old = {
            "udfPath": "jobs.py:note",
            "args": '{"text": "old"}',
            "originalScheduledTs": 1.0,
            "state": {"type": "pending"},
            "nextTs": Int64(1),
        }
        await write(backend, lambda tx: tx.insert_system(TABLE, dict(old)))
    async with opened(tmp_path) as backend:
        assert await until(backend, "jobs:notes", {}, lambda notes: bool(notes)) == ["old"]
