"""Cron jobs: when they run, what a push changes, what is kept of their runs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.database.transaction import Transaction
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.services.deploys.push import Push
from parabola.services.jobs.cron_jobs import RUNNING, advance, cron_jobs, job_logs
from parabola.values.encoding import Int64
from parabola.values.errors import BadRequest, RateLimited
from services.job_driver import until, value

WORK = """
from parabola import ActionCtx, MutationCtx, QueryCtx, internal, internal_action, internal_mutation, query

@internal_mutation
async def tick(ctx: MutationCtx, text: str) -> str:
    if text == "fail":
        raise ValueError("no")
    await ctx.db.insert("ticks", {"text": text})
    print("ticked")
    return text

@internal_action
async def act(ctx: ActionCtx) -> None:
    await ctx.run_mutation(internal.work.tick, {"text": "action"})

@query
async def ticks(ctx: QueryCtx) -> list[str]:
    return [tick["text"] for tick in await ctx.db.query("ticks").collect()]
"""

HEAD = "from parabola import cron_jobs, internal\ncrons = cron_jobs()\n"
EVERY_SECOND = 'crons.interval("often", internal.work.tick, {"text": "t"}, seconds=1)\n'
DAILY = 'crons.daily("nightly", internal.work.act, hour_utc=3, minute_utc=30)\n'


def push(crons: str | None) -> Push:
    modules = [Module("work.py", "python", WORK)]
    if crons is not None:
        modules.append(Module("crons.py", "python", HEAD + crons))
    return Push("python", tuple(modules))


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    backend = await Backend.open(BackendConfig(tmp_path))
    yield backend
    await backend.close()


async def write(backend: Backend, change: Callable[[Transaction], Awaitable[Any]]) -> None:
    tx = backend.database.begin(writable=True)
    await change(tx)
    await backend.database.commit(tx)


async def logs(backend: Backend, name: str) -> list[dict[str, Any]]:
    return [row.value for row in await job_logs(backend.database.begin(), name)]


async def until_logged(backend: Backend, name: str) -> list[dict[str, Any]]:
    """The log rows of a job, once there are any."""
    committed = asyncio.Event()
    stop = backend.on_commit(lambda _writes, _ts: committed.set())
    try:
        async with asyncio.timeout(30):
            while not (kept := await logs(backend, name)):
                await committed.wait()
                committed.clear()
            return kept
    finally:
        stop()


async def test_an_interval_runs_at_once_and_again(backend: Backend) -> None:
    await backend.deploy(push(EVERY_SECOND))
    await until(backend, "work:ticks", {}, lambda ticks: len(ticks) >= 2)
    first, *_ = await logs(backend, "often")
    assert first["status"] == {"type": "success", "result": {"type": "default", "value": '"t"'}}
    assert first["logLines"] == {"logLines": ["[LOG] ticked"], "isTruncated": False}


async def test_a_run_that_throws_is_logged_and_the_job_goes_on(backend: Backend) -> None:
    await backend.deploy(push(EVERY_SECOND.replace('"t"', '"fail"')))
    (job,) = await cron_jobs(backend.database.begin())
    kept = await until_logged(backend, "often")
    assert kept[0]["status"]["type"] == "err"
    assert "Uncaught ValueError: no" in kept[0]["status"]["error"]
    (later,) = await cron_jobs(backend.database.begin())
    assert later.next_ts > job.next_ts


async def test_an_action_runs_once_when_it_is_due(backend: Backend) -> None:
    await backend.deploy(push(DAILY))
    (job,) = await cron_jobs(backend.database.begin())
    assert job.next_ts > time.time_ns()
    # Times that were missed are skipped without a word, but for one run.
    due = {"nextTs": Int64(job.next_ts - int(3 * 24 * 3600e9))}
    await write(backend, lambda tx: tx.patch_system(job.next_run_id, due))
    (row,) = await until_logged(backend, "nightly")
    assert row["status"]["type"] == "success"
    assert await value(backend.query(client_call("work:ticks", {}))) == ["action"]
    (after,) = await cron_jobs(backend.database.begin())
    assert (after.next_ts, after.state) == (job.next_ts, "pending")


async def test_an_action_that_the_end_of_the_server_interrupted_runs_again_at_its_next_time(
    tmp_path: Path,
) -> None:
    config = BackendConfig(tmp_path)
    backend = await Backend.open(config)
    await backend.deploy(push(DAILY))
    (job,) = await cron_jobs(backend.database.begin())
    running = {"state": "inProgress", "prevTs": Int64(job.next_ts), "nextTs": Int64(RUNNING)}
    await write(backend, lambda tx: tx.patch_system(job.next_run_id, running))
    await backend.close()
    backend = await Backend.open(config)
    (row,) = await logs(backend, "nightly")
    assert row["status"] == {"type": "err", "error": "Transient error while executing action"}
    (after,) = await cron_jobs(backend.database.begin())
    assert (after.state, after.next_ts) == ("pending", job.next_ts + 24 * 3600 * 10**9)
    assert await value(backend.query(client_call("work:ticks", {}))) == []
    await backend.close()


async def test_one_run_at_a_time_and_what_would_have_come_meanwhile_is_skipped(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()
    action = backend.runner.action

    async def slow(*args: Any, **options: Any) -> Any:
        begun.release()
        await go_on.wait()
        return await action(*args, **options)

    monkeypatch.setattr(backend.runner, "action", slow)
    await backend.deploy(push('crons.interval("slow", internal.work.act, hours=1)\n'))
    await begun.acquire()
    (job,) = await cron_jobs(backend.database.begin())
    assert (job.state, job.next_ts) == ("inProgress", RUNNING)  # so it is not due, whatever time it is
    # The schedule is edited while it runs, and it seems to have run for long.
    await backend.deploy(push('crons.interval("slow", internal.work.act, minutes=30)\n'))
    assert (await cron_jobs(backend.database.begin()))[0].next_ts == RUNNING
    began = Int64(time.time_ns() // 1000 * 1000 - int(1.75 * 3600e9))
    await write(backend, lambda tx: tx.patch_system(job.next_run_id, {"prevTs": began}))
    go_on.set()
    ended = await until_logged(backend, "slow")
    assert [row["status"]["type"] for row in ended] == ["success", "canceled"]
    assert ended[1]["status"]["num_canceled"] == 3.0
    (job,) = await cron_jobs(backend.database.begin())
    assert (job.state, job.next_ts) == ("pending", int(began) + int(2 * 3600e9))
    assert begun.locked()


async def test_an_action_without_a_host_is_run_later_and_one_that_breaks_off_is_not(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [RateLimited("too many"), RuntimeError("a bug")]

    async def faulty(*args: Any, **options: Any) -> Any:
        raise faults.pop(0)

    monkeypatch.setattr("parabola.services.jobs.crons._BACKOFF_SECONDS", 0.0)
    monkeypatch.setattr(backend.runner, "action", faulty)
    await backend.deploy(push('crons.interval("act", internal.work.act, hours=1)\n'))
    (row,) = await until_logged(backend, "act")
    assert row["status"] == {"type": "err", "error": "Transient error while executing action"}
    assert not faults
    (job,) = await cron_jobs(backend.database.begin())
    assert job.state == "pending"
    assert job.next_ts > time.time_ns()


async def test_a_schedule_that_an_older_version_took_can_be_mended(backend: Backend) -> None:
    await backend.deploy(push(DAILY))
    (job,) = await cron_jobs(backend.database.begin())
    row = await backend.database.begin().get_system(job.id)
    assert row is not None
    spec = {**row.value["cronSpec"], "cronSchedule": {"type": "cron", "cronExpr": "*,5 * * * *"}}
    await write(backend, lambda tx: tx.patch_system(job.id, {"cronSpec": spec}))
    await backend.deploy(push(DAILY))
    assert await cron_jobs(backend.database.begin()) == [job]


async def test_a_planned_run_stands_when_the_old_schedule_is_about_to_fire_twice(backend: Backend) -> None:
    often = EVERY_SECOND.replace("seconds=1", "seconds=10")
    await backend.deploy(push(often))
    await until(backend, "work:ticks", {}, lambda ticks: len(ticks) == 1)
    (before,) = await cron_jobs(backend.database.begin())
    await backend.deploy(push(often.replace("seconds=10", "hours=5")))
    (after,) = await cron_jobs(backend.database.begin())
    assert after.next_ts == before.next_ts
    assert after.schedule != before.schedule
    await backend.deploy(push(often.replace("seconds=10", "hours=5").replace('"t"', '"other"')))
    (other,) = await cron_jobs(backend.database.begin())
    assert (other.next_ts, other.call().args.parse()) == (after.next_ts, [{"text": "other"}])


async def test_an_unchanged_job_keeps_its_time_a_changed_one_gets_a_new_one_a_removed_one_goes(
    backend: Backend,
) -> None:
    await backend.deploy(push(DAILY))
    (before,) = await cron_jobs(backend.database.begin())
    await backend.deploy(push(DAILY + EVERY_SECOND))
    after = {job.name: job for job in await cron_jobs(backend.database.begin())}
    assert after["nightly"] == before
    await backend.deploy(push(DAILY.replace("hour_utc=3", "hour_utc=4")))
    (changed,) = await cron_jobs(backend.database.begin())
    assert (changed.id, changed.name) == (before.id, "nightly")
    assert changed.next_ts != before.next_ts
    await backend.deploy(push(None))
    assert await cron_jobs(backend.database.begin()) == []
    assert await logs(backend, "often") == []


async def test_missed_interval_runs_are_skipped_and_counted(backend: Backend) -> None:
    await backend.deploy(push(EVERY_SECOND.replace("seconds=1", "hours=1")))
    await until(backend, "work:ticks", {}, lambda ticks: len(ticks) == 1)
    (job,) = await cron_jobs(backend.database.begin())
    missed = Int64(time.time_ns() - int(3.5 * 3600e9))
    await write(backend, lambda tx: tx.patch_system(job.next_run_id, {"nextTs": missed}))
    await until(backend, "work:ticks", {}, lambda ticks: len(ticks) == 2)
    statuses = [row["status"] for row in await logs(backend, "often")]
    assert {"type": "canceled", "num_canceled": 3.0} in statuses
    (job,) = await cron_jobs(backend.database.begin())
    assert job.next_ts - time.time_ns() < 0.5 * 3600e9 + 1e9


async def test_only_the_newest_logs_are_kept(backend: Backend) -> None:
    await backend.deploy(push(EVERY_SECOND.replace("seconds=1", "hours=1")))
    await until(backend, "work:ticks", {}, lambda ticks: len(ticks) == 1)
    for count in range(2, 9):
        (job,) = await cron_jobs(backend.database.begin())
        due = {"nextTs": Int64(time.time_ns())}
        await write(backend, lambda tx, job=job, due=due: tx.patch_system(job.next_run_id, due))  # type: ignore
        await until(backend, "work:ticks", {}, lambda ticks, count=count: len(ticks) == count)
    assert len(await logs(backend, "often")) <= 5


@pytest.mark.parametrize(
    ("crons", "text"),
    [
        (
            'crons.interval("x", internal.work.nope, seconds=1)\n',
            "The cron job 'x' schedules a function that does not exist: work.py:nope",
        ),
        (
            'crons.interval("x", internal.work.ticks, seconds=1)\n',
            "The cron job 'x' schedules a query function, only actions and mutations can be scheduled",
        ),
        (
            'crons.cron("x", "0 0 30 2 *", internal.work.act)\n',
            'The cron spec "0 0 30 2 *" will never match any time',
        ),
        (
            'crons.hourly("x", internal.work.tick, {"text": "x" * 2**20})\n',
            "The arguments of the cron job 'x' are too large",
        ),
    ],
)
async def test_a_job_that_cannot_run_is_refused_at_the_push(backend: Backend, crons: str, text: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(text)):
        await backend.deploy(push(crons))
    assert not backend.deployment.functions


async def test_the_next_time_is_planned_in_the_transaction_of_the_run(backend: Backend) -> None:
    await backend.deploy(push(DAILY))
    (job,) = await cron_jobs(backend.database.begin())
    tx = backend.database.begin(writable=True)
    await advance(tx, job, 5, time.time_ns())
    (planned,) = await cron_jobs(tx)
    assert planned.prev_ts == job.next_ts
    assert planned.next_ts - job.next_ts == 24 * 3600 * 10**9
    assert (await value(backend.query(client_call("work:ticks", {})))) == []


async def asked(backend: Backend, function: str, **args: Any) -> Any:
    """What an admin tool is answered."""
    return await value(backend.query(client_call(f"_system/frontend/{function}", args, SYSTEM_IDENTITY)))


# What the official library and bundler make of a mutation and of `crons.ts`, in the fewest words.
BEATS = """
const beat = () => {};
beat.isMutation = true;
beat.isInternal = true;
beat.exportArgs = () => '{"type":"any"}';
beat.exportReturns = () => "null";
beat.invokeMutation = async (args) => JSON.stringify(`beat ${JSON.parse(args)[0].text}`);
export { beat };
"""
TYPESCRIPT_CRONS = """
const jobs = {
  other: { name: "work:tick", args: [{ text: "t" }], schedule: { type: "interval", seconds: 3600 } },
};
export default { isCrons: true, export: () => JSON.stringify(jobs) };
"""


async def test_jobs_of_one_language_run_functions_of_the_other(backend: Backend) -> None:
    beats = Module("beats.js", "isolate", BEATS)
    crons = Module("crons.js", "isolate", TYPESCRIPT_CRONS)
    await backend.deploy(push(None))
    await backend.deploy(Push("typescript", (beats, crons)))
    (log,) = await until_logged(backend, "other")
    assert log["status"] == {"type": "success", "result": {"type": "default", "value": '"t"'}}
    assert log["udfPath"] == "work.py:tick"
    (job,) = await asked(backend, "listCronJobs")
    assert (job["name"], job["cronSpec"]["udfPath"]) == ("other", "work.py:tick")
    assert job["lastRun"]["status"] == log["status"]
    assert job["nextRun"]["state"] == "pending"
    page = {"cursor": None, "numItems": 10}
    for which in ({"name": "other"}, {}):
        runs = await asked(backend, "listCronJobRuns", **which, paginationOpts=page)
        assert [run["udfPath"] for run in runs["page"]] == ["work.py:tick"]
        assert await asked(backend, "listCronJobRuns", **which) == runs["page"]
        assert runs["page"][0]["udfArgs"] == job["cronSpec"]["udfArgs"] == b'[{"text":"t"}]'

    with pytest.raises(BadRequest, match=r"both crons\.py and crons\.ts"):
        await backend.deploy(push('crons.hourly("beat", internal.beats.beat)\n'))
    await backend.deploy(Push("typescript", (beats,)))
    await backend.deploy(push('crons.interval("mine", internal.beats.beat, {"text": "b"}, hours=1)\n'))
    (log,) = await until_logged(backend, "mine")
    assert log["status"] == {"type": "success", "result": {"type": "default", "value": '"beat b"'}}
    assert log["udfPath"] == "beats.js:beat"

    with pytest.raises(BadRequest, match="'mine' schedules a function that does not exist") as caught:
        await backend.deploy(Push("typescript", ()))
    assert caught.value.code == "InvalidCron"
    assert [job.path for job in await cron_jobs(backend.database.begin())] == ["beats.js:beat"]
