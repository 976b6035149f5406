"""Cron jobs as rows: `_cron_jobs` says what runs, `_cron_next_run` when, `_cron_job_logs` how it went lately
(semantics 7.5).

`nextTs` is in nanoseconds; `RUNNING` while an action runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct, UnsetType

from parabola.database.model.system_rows import stored
from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call, RequestContext
from parabola.functions.deployed.cron_rows import (
    JOBS,
    LOGS,
    NEXT_RUNS,
    Canceled,
    CronJobLog,
    CronJobRow,
    Failed,
    LoggedResult,
    LogLines,
    NextRun,
    StoredCronSpec,
    Succeeded,
)
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.jobs.cron_schedule import IntervalSchedule, Schedule, parse_schedule
from parabola.values.encoding import Int64, encode
from parabola.values.errors import BadRequest
from parabola.values.placeholders import UNDEFINED
from parabola.values.sizes import humanize

if TYPE_CHECKING:
    from parabola.database.model.documents import Document
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.functions.deployed.definition import Definition
    from parabola.functions.outcomes.results import FunctionResult
    from parabola.values.analyzed_modules import CronSpec

__all__ = [
    "RUNNING",
    "CronJob",
    "advance",
    "check_crons",
    "cron_jobs",
    "find_cron_job",
    "log_run",
    "put_back",
    "runs_between",
    "runs_on",
    "start_run",
    "update_crons",
]

RUNNING: Final = 0
MAX_ARGUMENTS: Final = 1024 * 1024
"""Bytes of a job's arguments (semantics 7.5)."""
MAX_TEXT: Final = 1000
"""Characters of a logged result, and of all logged lines together."""
_log: Final = logging.getLogger(__name__)

# A planned run stands when the old schedule would fire this soon: changing a schedule must not skip it.
_STANDS_FOR: Final = timedelta(seconds=30)


class CronJob(Struct, frozen=True):
    """A job with its next run. Ids are those of the two rows."""

    id: str
    component_path: str
    name: str
    path: str
    args: str
    schedule: Schedule
    next_run_id: str
    state: str
    next_ts: int
    prev_ts: int | None

    def call(self) -> Call:
        """The call that is due."""
        return Call(
            parse_path(self.path),
            EncodedArguments.of_text(self.args.encode()),
            component=self.component_path,
            public_only=False,
            request=RequestContext(caller="Cron"),
        )


def check_crons(definition: Definition) -> None:
    """Refuse a definition of which some job cannot run. Raises `BadRequest` (`InvalidCron`)."""
    for cron in definition.crons:
        name, spec = cron.identifier, cron.spec
        parse_schedule(spec.cron_schedule)
        size = len(spec.arguments_text)
        if size >= MAX_ARGUMENTS:
            raise BadRequest(
                f"The arguments of the cron job '{name}' are too large: {humanize(size)}, and they must be "
                f"smaller than {humanize(MAX_ARGUMENTS)}. Keep the data in a table and pass its id.",
                code="InvalidCron",
            )
        target = definition.functions.get(parse_path(spec.udf_path).canonical)
        if target is None:
            raise BadRequest(
                f"The cron job '{name}' schedules a function that does not exist: {spec.udf_path}",
                code="InvalidCron",
            )
        if target.kind == "query":
            raise BadRequest(
                f"The cron job '{name}' schedules a query function, only actions and mutations can be "
                f"scheduled: {spec.udf_path}",
                code="InvalidCron",
            )


async def update_crons(tx: Transaction, definition: Definition, now_ns: int) -> None:
    """Make the rows of a component say what its definition does. The timing of a job that has not changed is
    not touched.

    `now_ns` is the clock, in nanoseconds since 1970.
    """
    now = _moment(now_ns)
    existing = {row.name: row for row in await _job_rows(tx)}
    runs = await _next_runs(tx)
    for cron in definition.crons:
        row = existing.pop(cron.identifier, None)
        spec = _stored_spec(cron.spec, definition)
        schedule = parse_schedule(spec.cron_schedule)
        if row is None:
            job = CronJobRow(name=cron.identifier, cron_spec=spec)
            id = await tx.insert_system(JOBS, job.fields())
            next_run = NextRun(cron_job_id=id, state="pending", next_ts=_ns(_first_run(schedule, now)))
            await tx.insert_system(NEXT_RUNS, next_run.fields())
        elif row.cron_spec != spec:
            await tx.patch_system(row.id, {"cronSpec": stored(spec)})
            before, run = row.cron_spec.cron_schedule, runs[row.id]
            changed = before != spec.cron_schedule and not _fires_twice(before, now)
            if changed and run.state == "pending":
                await tx.patch_system(run.id, {"nextTs": _ns(_first_run(schedule, now))})
    for row in existing.values():
        await tx.delete_system(row.id)
        await tx.delete_system(runs[row.id].id)
        for log in await job_logs(tx, row.name):
            await tx.delete_system(log.id)


async def runs_between(tx: Snapshot, after_ts: int, until_ts: int, limit: int) -> list[NextRun]:
    """Next runs due after one timestamp and at or before another, the earliest first."""
    bounds = [("Gt", after_ts), ("Lte", until_ts)]
    source = {
        "type": "IndexRange",
        "indexName": f"{NEXT_RUNS}.by_next_ts",
        "range": [{"type": kind, "fieldPath": "nextTs", "value": encode(Int64(ts))} for kind, ts in bounds],
        "order": "asc",
    }
    rows = await tx.query_system({"source": source, "operators": [{"limit": limit}]}).collect()
    return [NextRun.of(row) for row in rows]


async def cron_jobs(tx: Snapshot, component_path: str = "") -> list[CronJob]:
    """Every job of a component, by name."""
    runs = await _next_runs(tx)
    jobs = [_job(row, runs[row.id], component_path) for row in await _job_rows(tx) if row.id in runs]
    return sorted(jobs, key=lambda job: job.name)


async def find_cron_job(tx: Snapshot, next_run_id: str, component_path: str) -> CronJob | None:
    """The job of a next run in a component, None once it is gone."""
    document = await tx.get_system(next_run_id)
    run = None if document is None else NextRun.of(document)
    row = None if run is None else await tx.get_system(run.cron_job_id)
    return None if run is None or row is None else _job(CronJobRow.of(row), run, component_path)


async def start_run(tx: Transaction, job: CronJob, node: str) -> None:
    """Mark an action as started on a node."""
    running = {"state": "inProgress", "prevTs": Int64(job.next_ts), "nextTs": Int64(RUNNING), "node": node}
    await tx.patch_system(job.next_run_id, running)


async def put_back(tx: Transaction, job: CronJob) -> None:
    """Make a run that has been marked as started due again."""
    due = {"state": "pending", "nextTs": Int64(job.next_ts), "node": UNDEFINED}
    await tx.patch_system(job.next_run_id, due)


async def runs_on(tx: Snapshot, job: CronJob, node: str | UnsetType) -> bool:
    """Whether the run of an action that was begun on a node is still that one's."""
    row = await tx.get_system(job.next_run_id)
    run = None if row is None else NextRun.of(row)
    return run is not None and run.state == "inProgress" and run.node == node


async def advance(tx: Transaction, job: CronJob, kept: int, now_ns: int) -> None:
    """Plan the run after this one. Runs that were missed are skipped: there is no catching up. That is noted
    in one of the `kept` log rows. `now_ns` is the clock, in nanoseconds since 1970.
    """
    now = _moment(now_ns)
    planned = _moment(job.prev_ts or 0) if job.next_ts == RUNNING else None
    last = planned or _moment(job.next_ts)
    if isinstance(job.schedule, IntervalSchedule):
        seconds = job.schedule.seconds
        skipped = max(0, int((now - last).total_seconds() // seconds))
        following = last + timedelta(seconds=seconds * (skipped + 1))
        if skipped:
            _log.info(
                "Skipping %d run(s) of %s because multiple scheduled runs are in the past", skipped, job.name
            )
            await _insert_log(tx, job, Canceled(num_canceled=float(skipped)), [], 0.0, kept, now_ns)
    else:
        following = job.schedule.next_after(max(now, last))
    planned_next = {"state": "pending", "prevTs": _ns(last), "nextTs": _ns(following), "node": UNDEFINED}
    await tx.patch_system(job.next_run_id, planned_next)


async def log_run(
    tx: Transaction, job: CronJob, result: FunctionResult | str, seconds: float, kept: int, now_ns: int
) -> None:
    """Keep how a run went, and of the ones before so many that there are `kept`; a text stands for an error
    of the server. `now_ns` is the clock, in nanoseconds since 1970.
    """
    if isinstance(result, str):
        await _insert_log(tx, job, Failed(error=result[:MAX_TEXT]), [], seconds, kept, now_ns)
        return
    if result.error is not None:
        status: Failed | Succeeded = Failed(error=result.error.text()[:MAX_TEXT])
    else:
        text = result.value_json.decode()
        kind: Literal["default", "truncated"] = "default" if len(text) <= MAX_TEXT else "truncated"
        status = Succeeded(result=LoggedResult(type=kind, value=text[:MAX_TEXT]))
    await _insert_log(tx, job, status, [str(line) for line in result.log_lines], seconds, kept, now_ns)


async def job_logs(tx: Snapshot, name: str) -> list[Document]:
    """The kept log rows of a job, the oldest first."""
    source = {
        "type": "IndexRange",
        "indexName": f"{LOGS}.by_name",
        "range": [{"type": "Eq", "fieldPath": "name", "value": name}],
        "order": "asc",
    }
    return await tx.query_system({"source": source, "operators": []}).collect()


async def _insert_log(
    tx: Transaction,
    job: CronJob,
    status: Succeeded | Failed | Canceled,
    lines: list[str],
    seconds: float,
    kept_rows: int,
    now_ns: int,
) -> None:
    kept, room = [], MAX_TEXT
    for line in lines:
        if len(line) > room:
            break
        kept.append(line)
        room -= len(line)
    old = await job_logs(tx, job.name)
    for oldest in old[: max(0, len(old) - kept_rows + 1)]:
        await tx.delete_system(oldest.id)
    row = CronJobLog(
        name=job.name,
        ts=Int64(now_ns),
        udf_path=job.path,
        udf_args=job.args,
        status=status,
        log_lines=LogLines(log_lines=tuple(kept), is_truncated=len(kept) < len(lines)),
        execution_time=seconds,
    )
    await tx.insert_system(LOGS, row.fields())


async def _job_rows(tx: Snapshot) -> list[CronJobRow]:
    return [CronJobRow.of(row) for row in await system_rows(tx, JOBS)]


async def _next_runs(tx: Snapshot) -> dict[str, NextRun]:
    """The next run of each job, by the job's id."""
    runs = [NextRun.of(row) for row in await system_rows(tx, NEXT_RUNS)]
    return {run.cron_job_id: run for run in runs}


def _job(row: CronJobRow, run: NextRun, component_path: str) -> CronJob:
    spec = row.cron_spec
    return CronJob(
        row.id,
        component_path,
        row.name,
        spec.udf_path,
        spec.udf_args,
        parse_schedule(spec.cron_schedule),
        run.id,
        run.state,
        run.due_ns,
        run.last_ns,
    )


def _stored_spec(spec: CronSpec, definition: Definition) -> StoredCronSpec:
    """The analysed specification as a row keeps it.

    A reference does not say in which language a function is written, so the path is the function's own.
    """
    schedule = {
        name: float(value) if isinstance(value, int) else value
        for name, value in parse_schedule(spec.cron_schedule).to_json().items()
    }
    target = definition.functions[parse_path(spec.udf_path).canonical]
    return StoredCronSpec(udf_path=target.path, udf_args=spec.arguments_text, cron_schedule=schedule)


def _first_run(schedule: Schedule, now: datetime) -> datetime:
    return now if isinstance(schedule, IntervalSchedule) else schedule.next_after(now)


def _fires_twice(stored: Mapping[str, Any], now: datetime) -> bool:
    try:
        schedule = parse_schedule(stored)
    except BadRequest:
        return False  # an older version took what is no schedule
    return schedule.next_after(schedule.next_after(now)) - now < _STANDS_FOR


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)


def _ns(moment: datetime) -> Int64:
    return Int64(int(moment.timestamp() * 1_000_000) * 1000)
