"""Scheduled functions, as admin tools list and cancel them (deploy-api 19.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET

from parabola.database.model.documents import Document
from parabola.database.model.shown_rows import ScheduledJob
from parabola.functions.system.arguments import COMPONENT, PAGINATION, page_options
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.encoding import encode
from parabola.values.errors import BadRequest
from parabola.values.int64 import Int64
from parabola.values.validators.builder import v

__all__: list[str] = []

_JOBS: Final = "_scheduled_jobs"
_AFTER_ALL_ENDED: Final = {"type": "Gt", "fieldPath": "nextTs", "value": None}
_AFTER_ALL_RUNNING: Final = {"type": "Gt", "fieldPath": "nextTs", "value": encode(Int64(0))}
_OPTIONAL_PATH: Final = v.optional(v.union(v.string(), v.null()))


@system_function(
    "_system/frontend/paginatedScheduledJobs",
    args=v.object({"paginationOpts": PAGINATION, "udfPath": _OPTIONAL_PATH, "componentId": COMPONENT}),
)
async def scheduled_jobs(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of the jobs that have not ended, by the time at which they are due: those that run come first.
    With `udfPath` those of one function.
    """
    page = await ctx.transaction.paginate_system(
        {"source": _by_time(args.get("udfPath"), [_AFTER_ALL_ENDED]), "operators": []},
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    return {
        "page": [_shown(document) for document in page.page],
        "isDone": page.is_done,
        "continueCursor": page.continue_cursor,
    }


@system_function(
    "_system/frontend/scheduler:nextScheduledJobTimestamp",
    args=v.object({"udfPath": _OPTIONAL_PATH, "componentId": COMPONENT}),
)
async def next_time(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """When the next job that has not begun is due, in nanoseconds since 1970, or null."""
    query = {"source": _by_time(args.get("udfPath"), [_AFTER_ALL_RUNNING]), "operators": [{"limit": 1}]}
    rows = await ctx.transaction.query_system(query).collect()
    return rows[0].value["nextTs"] if rows else None


@system_function(
    "_system/frontend/scheduler:getArgs", args=v.object({"argsId": v.string(), "componentId": COMPONENT})
)
async def arguments(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The JSON text of a job's list of arguments as bytes, by the id of the job; null when it is gone."""
    row = await ctx.transaction.get_system(args["argsId"])
    return None if row is None or row.table.name != _JOBS else _arguments(ScheduledJob.of(row))


@system_function(
    "_system/frontend/scheduler:cancelJob",
    kind="mutation",
    args=v.object({"id": v.string(), "componentId": COMPONENT}),
)
async def cancel_job(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Cancel a job unless it has ended."""
    await ctx.perform("1.0/cancel_job", {"id": args["id"]})
    row = await ctx.transaction.get_system(args["id"])
    path = None if row is None or row.table.name != _JOBS else ScheduledJob.of(row).udf_path
    await ctx.record("cancel_job", id=args["id"], function_path=path)


@system_function(
    "_system/frontend/scheduler:runJobNow",
    kind="mutation",
    args=v.object({"id": v.string(), "componentId": COMPONENT}),
)
async def run_job_now(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Let a job that waits be due now. Raises `BadRequest` for one that has begun or has ended."""
    row = await ctx.transaction.get_system(args["id"])
    job = None if row is None or row.table.name != _JOBS else ScheduledJob.of(row)
    if job is None or job.state.type != "pending" or job.due_ns is None:
        raise BadRequest("This job does not wait any more: it has begun, or has ended.", code="JobNotWaiting")
    now_ns = max(1, int(ctx.execution.attempt.now_ms * 1_000_000))
    await ctx.transaction.patch_system(job.id, {"nextTs": Int64(min(now_ns, job.due_ns))})
    await ctx.record("run_job_now", id=args["id"])


@system_function(
    "_system/frontend/paginatedEndedJobs",
    args=v.object({"paginationOpts": PAGINATION, "componentId": COMPONENT}),
)
async def ended_jobs(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of the jobs that have ended and are still known, the newest first, with how they ended."""
    source = {
        "type": "IndexRange",
        "indexName": f"{_JOBS}.by_completed_ts",
        "range": [{"type": "Gt", "fieldPath": "completedTs", "value": None}],
        "order": "desc",
    }
    page = await ctx.transaction.paginate_system(
        {"source": source, "operators": []},
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    return {
        "page": [_ended(ScheduledJob.of(document)) for document in page.page],
        "isDone": page.is_done,
        "continueCursor": page.continue_cursor,
    }


def _by_time(udf_path: str | None, bounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if udf_path is None:
        return {"type": "IndexRange", "indexName": f"{_JOBS}.by_next_ts", "range": [*bounds], "order": "asc"}
    function = {"type": "Eq", "fieldPath": "udfPath", "value": udf_path}
    range_ = [function, *bounds]
    return {"type": "IndexRange", "indexName": f"{_JOBS}.by_udf_path", "range": range_, "order": "asc"}


def _shown(document: Document) -> dict[str, Any]:
    """A job as admin tools read it. One that runs is due when it was due."""
    job = ScheduledJob.of(document)
    due = job.due_ns or int(job.original_scheduled_ts * 1_000_000)
    shown = {
        "_id": document.id,
        "_creationTime": document.value["_creationTime"],
        "udfPath": job.udf_path,
        "nextTs": Int64(due),
        "state": {"type": job.state.type},
        "udfArgs": _arguments(job),
        "argsId": None,
    }
    if job.component_path is not UNSET:
        shown["component"] = job.component_path
    return shown


def _ended(job: ScheduledJob) -> dict[str, Any]:
    """A job that has ended: when it was due, when it ended (milliseconds), and how."""
    ended: dict[str, Any] = {
        "_id": job.id,
        "udfPath": job.udf_path,
        "scheduledTs": job.original_scheduled_ts,
        "completedTs": None if job.completed_ts is UNSET else job.completed_ts,
        "state": {"type": job.state.type},
        "udfArgs": _arguments(job),
    }
    if job.state.error is not UNSET:
        ended["state"]["error"] = job.state.error
    if job.component_path is not UNSET:
        ended["component"] = job.component_path
    return ended


def _arguments(job: ScheduledJob) -> bytes:
    return f"[{job.args}]".encode()
