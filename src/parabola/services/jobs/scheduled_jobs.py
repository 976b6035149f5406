"""Scheduled functions as rows of `_scheduled_jobs`: made, cancelled and finished inside transactions
(semantics 7).

A row is found by its `lane` and by `nextTs`, in nanoseconds: when it is due, `RUNNING` while an action runs,
and absent once it has ended. Mutations and actions have a lane each, so that neither waits behind the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, UnsetType

from parabola.database.model.shown_rows import JobState, ScheduledJob
from parabola.database.model.system_rows import stored
from parabola.functions.calls.arguments import EncodedArguments, decode_arguments
from parabola.functions.calls.calling import Call, RequestContext
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.syscalls.calls import called_function
from parabola.functions.syscalls.table import CallArguments
from parabola.values.encoding import Int64, encode
from parabola.values.errors import BadRequest, InvalidId
from parabola.values.ids import decode_id
from parabola.values.placeholders import UNDEFINED

if TYPE_CHECKING:
    from parabola.database.model.documents import Document
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.execution import Execution
    from parabola.functions.deployed.deployment import Deployment, FunctionSpec
    from parabola.functions.outcomes.traces import TraceContext
    from parabola.functions.syscalls.calls import Called

__all__ = [
    "ACTIONS",
    "MUTATIONS",
    "RUNNING",
    "CancelsItself",
    "call_of",
    "cancel_job",
    "current_job",
    "end_job",
    "failed_state",
    "give_lanes",
    "jobs_between",
    "overdue_seconds",
    "pending_jobs",
    "postpone_job",
    "remove_ended_jobs",
    "remove_jobs",
    "schedule_job",
    "start_job",
    "target_of",
    "unmounted_target",
]

JOBS: Final = "_scheduled_jobs"
MUTATIONS: Final = "mutation"
ACTIONS: Final = "action"
"""The lanes."""
RUNNING: Final = 0
"""`nextTs` of an action that has been started."""
PENDING: Final = JobState(type="pending")
IN_PROGRESS: Final = JobState(type="inProgress")
CANCELED: Final = JobState(type="canceled")
HORIZON_MS: Final = 5 * 366 * 24 * 3600 * 1000.0
"""A function may be scheduled this far from now, either way (semantics 7.1)."""
MAX_ERROR_CHARACTERS: Final = 4096

_INVALID_ID: Final = (
    "Invalid scheduled function ID. The ID must be an ID on the '_scheduled_functions' table."
)


class CancelsItself(Exception):
    """A scheduled mutation asks to cancel the job that it is."""


async def schedule_job(execution: Execution, tx: Transaction, args: Mapping[str, Any]) -> str:
    """Insert the job that a `schedule` operation asks for; its id. Arguments are validated when it runs."""
    call = CallArguments(args, "scheduler")
    called = called_function(execution, args, "scheduler")
    seconds = args.get("ts")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise call.missing("ts") if seconds is None else call.bad("ts", "expected a number of seconds")
    target = _existing_target(execution, called)
    path = target.path
    due_ms = float(seconds) * 1000
    _check_horizon(due_ms, execution.attempt.now_ms)
    try:
        arguments = decode_arguments(args.get("args") or {}, path)
    except CallRefused as refusal:
        raise BadRequest(refusal.failure.message) from None
    tx.usage.count_scheduled(arguments.size)
    parent = await _parent_job(execution, tx)
    # What a cancelled action goes on to schedule never runs.
    is_canceled = parent is not None and parent.state.type == "canceled"
    tracer = execution.around.calls.tracer
    job = ScheduledJob(
        udf_path=path,
        component_path=called.component.path or UNSET,
        args=arguments.json.decode(),
        original_scheduled_ts=due_ms,
        state=CANCELED if is_canceled else PENDING,
        lane=_lane(target),
        next_ts=UNSET if is_canceled else Int64(max(int(due_ms * 1_000_000), RUNNING + 1)),
        completed_ts=execution.attempt.now_ms if is_canceled else UNSET,
        trace=UNSET if tracer is None else tracer.place(execution).parent,
    )
    return await tx.insert_system(JOBS, job.fields())


async def cancel_job(tx: Transaction, id: str, now_ms: float) -> None:
    """Cancel a job unless it has ended. Raises `BadRequest` for an id of anything else.

    An action that runs already is not interrupted. A mutation that cancels its own job goes on to its commit,
    and its job ends as canceled; `CancelsItself` is raised then, after that.
    """
    row = await find_job(tx, id)
    if row is None:
        return
    job = ScheduledJob.of(row)
    if not job.has_ended:
        await end_job(tx, job, CANCELED, now_ms)
    if job.state.type == "inProgress" and job.due_ns != RUNNING:
        raise CancelsItself  # the state of a running mutation is seen by nobody else


async def current_job(tx: Snapshot, id: str) -> ScheduledJob | None:
    """A job as it is now, None once it is gone."""
    row = await tx.get_system(id)
    return None if row is None else ScheduledJob.of(row)


async def start_job(tx: Transaction, job: ScheduledJob, *, node: str | None = None) -> None:
    """Mark a job as running. An action, which begins on a `node`, is never started again from now on; a
    mutation is seen so by itself alone, until its commit.
    """
    started = {} if node is None else {"nextTs": Int64(RUNNING), "node": node}
    await tx.patch_system(job.id, {"state": stored(IN_PROGRESS), **started})


async def postpone_job(tx: Transaction, job: ScheduledJob, until_ns: int) -> None:
    """Let a job that has not run be due at another time."""
    await tx.patch_system(job.id, {"state": stored(PENDING), "nextTs": Int64(until_ns), "node": UNDEFINED})


async def end_job(tx: Transaction, job: ScheduledJob, state: JobState, now_ms: float) -> None:
    """Give a job its last state."""
    ended = {"state": stored(state), "completedTs": now_ms, "nextTs": UNDEFINED, "node": UNDEFINED}
    await tx.patch_system(job.id, ended)


async def find_job(tx: Snapshot, id: str) -> Document | None:
    """The row of a job. Raises `BadRequest` for an id of anything else."""
    table = tx.registry.table(JOBS, tx.component)
    assert table is not None
    try:
        number = decode_id(id).table_number
    except InvalidId:
        raise BadRequest(_INVALID_ID, code="InvalidArgument") from None
    if number != table.number:
        raise BadRequest(_INVALID_ID, code="InvalidArgument")
    return await tx.get_system(id)


async def jobs_between(
    tx: Snapshot, lane: str, after_ts: int, until_ts: int, limit: int
) -> list[ScheduledJob]:
    """Jobs of a lane that are due after one timestamp and at or before another, the earliest first."""
    source = {
        "type": "IndexRange",
        "indexName": f"{JOBS}.by_lane",
        "range": [
            {"type": "Eq", "fieldPath": "lane", "value": lane},
            {"type": "Gt", "fieldPath": "nextTs", "value": _int64(after_ts)},
            {"type": "Lte", "fieldPath": "nextTs", "value": _int64(until_ts)},
        ],
        "order": "asc",
    }
    rows = await tx.query_system({"source": source, "operators": [{"limit": limit}]}).collect()
    return [ScheduledJob.of(row) for row in rows]


async def pending_jobs(
    tx: Snapshot,
    limit: int,
    *,
    function: str | None = None,
    target: str | None = None,
    from_ns: int | None = None,
    until_ns: int | None = None,
) -> list[ScheduledJob]:
    """Jobs that have not begun, the earliest first: all, or those of one function, by its canonical name, of
    the component at a path, due from one time on and before another.
    """
    range_: list[dict[str, Any]] = [
        {"type": "Gt", "fieldPath": "nextTs", "value": _int64(max(RUNNING, (from_ns or 0) - 1))}
    ]
    if until_ns is not None:
        range_.append({"type": "Lt", "fieldPath": "nextTs", "value": _int64(until_ns)})
    index = f"{JOBS}.by_next_ts"
    if function is not None:
        index = f"{JOBS}.by_udf_path"
        range_.insert(0, {"type": "Eq", "fieldPath": "udfPath", "value": function})
    source = {"type": "IndexRange", "indexName": index, "range": range_, "order": "asc"}
    stream = tx.query_system({"source": source, "operators": []})
    found: list[ScheduledJob] = []
    while len(found) < limit and (rows := await stream.next(limit)):
        jobs = [ScheduledJob.of(row) for row in rows]
        found += [job for job in jobs if target is None or job.target_component == target]
    return found[:limit]


def overdue_seconds(jobs: Sequence[ScheduledJob], now_ns: int) -> float:
    """For how long the first of these has been due; 0 if there is none."""
    due_ns = jobs[0].due_ns if jobs else None
    return 0.0 if due_ns is None else max(0, now_ns - due_ns) / 1e9


async def remove_ended_jobs(tx: Transaction, before_ms: float, limit: int) -> int:
    """Remove jobs that ended before a time; how many there were, at most `limit`."""
    source = {
        "type": "IndexRange",
        "indexName": f"{JOBS}.by_completed_ts",
        "range": [
            {"type": "Gt", "fieldPath": "completedTs", "value": None},
            {"type": "Lt", "fieldPath": "completedTs", "value": before_ms},
        ],
        "order": "asc",
    }
    rows = await tx.query_system({"source": source, "operators": [{"limit": limit}]}).collect()
    for row in rows:
        await tx.delete_system(row.id)
    return len(rows)


async def remove_jobs(tx: Transaction, limit: int) -> int:
    """Remove jobs, whatever their state; how many there were, at most `limit`."""
    source = {"type": "FullTableScan", "tableName": JOBS, "order": "asc"}
    rows = await tx.query_system({"source": source, "operators": [{"limit": limit}]}).collect()
    for row in rows:
        await tx.delete_system(row.id)
    return len(rows)


async def give_lanes(tx: Transaction, deployment: Deployment, limit: int) -> int:
    """Give jobs a lane that an older version made without; how many there were, at most `limit`."""
    source = {
        "type": "IndexRange",
        "indexName": f"{JOBS}.by_lane",
        "range": [{"type": "Lt", "fieldPath": "lane", "value": ""}],
        "order": "asc",
    }
    rows = await tx.query_system({"source": source, "operators": [{"limit": limit}]}).collect()
    for row in rows:
        await tx.patch_system(row.id, {"lane": _lane(target_of(ScheduledJob.of(row), deployment))})
    return len(rows)


def failed_state(error: str) -> JobState:
    """The state of a job that failed."""
    return JobState(type="failed", error=error[:MAX_ERROR_CHARACTERS])


def target_of(job: ScheduledJob, deployment: Deployment) -> FunctionSpec | None:
    """The function that a job is to run, None where it is not there (any more)."""
    component = deployment.component_at(job.target_component)
    if component is None:
        return None
    return component.definition.functions.get(parse_path(job.udf_path).canonical)


def unmounted_target(job: ScheduledJob, deployment: Deployment) -> str | None:
    """What a job is told whose function is one of a component that has been unmounted (components 5.2)."""
    component = deployment.component_at(job.target_component)
    if component is None or component.state != "unmounted":
        return None
    module = job.udf_path.partition(":")[0]
    if module.endswith(".py"):
        return f"Couldn't find Python module '{module}'. Did you forget to run `parabola dev`?"
    return f"Couldn't find JavaScript module '{module}'. Did you forget to run `npx convex dev`?"


def call_of(job: ScheduledJob, scheduled_by: str) -> Call:
    """The call that a job of a component is."""
    return Call(
        parse_path(job.udf_path),
        EncodedArguments.of_text(job.args.encode()),
        component=job.target_component,
        public_only=False,
        request=RequestContext(
            scheduled_function_id=job.id,
            scheduled_by=scheduled_by,
            caller="Scheduler",
            cause=None if isinstance(job.trace, UnsetType) else _cause(job.trace),
        ),
    )


def _cause(trace: str) -> TraceContext | None:
    from parabola.functions.outcomes.traces import read_trace  # where traces are made alone

    return read_trace(trace)


async def _parent_job(execution: Execution, tx: Snapshot) -> ScheduledJob | None:
    request = execution.attempt.request
    parent = request.scheduled_function_id
    return None if parent is None else await current_job(tx.view(request.scheduled_by), parent)


def _lane(spec: FunctionSpec | None) -> str:
    return ACTIONS if spec is not None and spec.kind == "action" else MUTATIONS


def _existing_target(execution: Execution, called: Called) -> FunctionSpec:
    """The function to run. Raises `BadRequest` when there is no such function."""
    component, name = called
    definition = component.definition
    spec = definition.functions.get(name.canonical)
    if spec is not None:
        return spec
    module = definition.module(name.module)
    advice = definition.near(name) if execution.is_advised else ""
    if module is None:
        place = f"{component.path} {name}" if component.path else name
        raise BadRequest(f"Attempted to schedule function at nonexistent path: {place}{advice}")
    raise BadRequest(
        f"Attempted to schedule function, but no exported function {name.name} found in the file: "
        f"{module.path}{component.named()}. Did you forget to export it?{advice}"
    )


def _check_horizon(due_ms: float, now_ms: float) -> None:
    if due_ms - now_ms > HORIZON_MS:
        raise BadRequest(f"{due_ms:.0f} is more than 5 years in the future", "InvalidScheduledFunctionDelay")
    if now_ms - due_ms > HORIZON_MS:
        raise BadRequest(f"{due_ms:.0f} is more than 5 years in the past", "InvalidScheduledFunctionDelay")


def _int64(value: int) -> Any:
    return encode(Int64(value))
