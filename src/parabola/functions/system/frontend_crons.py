"""Cron jobs, as admin tools list them (deploy-api 19.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from parabola.functions.deployed.cron_rows import JOBS, LOGS, NEXT_RUNS, CronJobRow, NextRun
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.system.arguments import COMPONENT, PAGINATION, page_answer, page_options
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.errors import NotFound
from parabola.values.validators.builder import v

__all__: list[str] = []


@system_function("_system/frontend/listCronJobs", args=v.object({"componentId": COMPONENT}))
async def list_cron_jobs(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Every job by name, with its last run (a row of the log, or null) and its next one."""
    tx = ctx.transaction
    next_runs = {NextRun.of(row).cron_job_id: row.value for row in await system_rows(tx, NEXT_RUNS)}
    rows = {CronJobRow.of(row).name: row for row in await system_rows(tx, JOBS)}
    jobs = []
    for name, row in sorted(rows.items()):
        newest = await tx.query_system({"source": _runs_of(name), "operators": [{"limit": 1}]}).collect()
        last = _run(newest[0].value) if newest else None
        spec = {**row.value["cronSpec"], "udfArgs": row.value["cronSpec"]["udfArgs"].encode()}
        jobs.append({**row.value, "cronSpec": spec, "lastRun": last, "nextRun": next_runs.get(row.id)})
    return jobs


@system_function(
    "_system/frontend/listCronJobRuns",
    args=v.object(
        {
            "name": v.optional(v.string()),
            "paginationOpts": v.optional(PAGINATION),
            "componentId": COMPONENT,
        }
    ),
)
async def list_cron_job_runs(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """What is kept of the runs of a job, or of all jobs, the newest first: all of it, or a page."""
    name = args.get("name")
    source = {"type": "FullTableScan", "tableName": LOGS, "order": "desc"} if name is None else _runs_of(name)
    if "paginationOpts" not in args:
        rows = await ctx.transaction.query_system({"source": source, "operators": []}).collect()
        return [_run(row.value) for row in rows]
    page = await ctx.transaction.paginate_system(
        {"source": source, "operators": []},
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    answer = page_answer(page)
    return {**answer, "page": [_run(row) for row in answer["page"]]}


@system_function(
    "_system/frontend/runCronJobNow",
    kind="mutation",
    args=v.object({"name": v.string(), "componentId": COMPONENT}),
)
async def run_cron_job_now(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Run once, now, what a cron job runs, beside its own times: it is scheduled as a function. Raises
    `NotFound`.
    """
    name = args["name"]
    for row in await system_rows(ctx.transaction, JOBS):
        job = CronJobRow.of(row)
        if job.name == name:
            (arguments,) = orjson.loads(job.cron_spec.udf_args) or [{}]
            now = ctx.execution.attempt.now_ms / 1000
            path = job.cron_spec.udf_path
            await ctx.perform("1.0/schedule", {"name": path, "args": arguments, "ts": now})
            await ctx.record("run_cron_job_now", name=name)
            return
    raise NotFound(f"There is no cron job {name}.", code="CronJobNotFound")


def _run(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the log as admin tools read it: the text of the arguments is bytes there."""
    return {**row, "udfArgs": row["udfArgs"].encode()}


def _runs_of(name: str) -> dict[str, Any]:
    return {
        "type": "IndexRange",
        "indexName": f"{LOGS}.by_name",
        "range": [{"type": "Eq", "fieldPath": "name", "value": name}],
        "order": "desc",
    }
