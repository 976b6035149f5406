"""Cron jobs, as admin tools list them (deploy-api 19.1)."""

from __future__ import annotations

from typing import Any

from parabola.functions.deployed.cron_rows import JOBS, LOGS, NEXT_RUNS, CronJobRow, NextRun
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.system.arguments import COMPONENT, PAGINATION, page_answer, page_options
from parabola.functions.system.registry import SystemContext, system_function
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
        last = newest[0].value if newest else None
        jobs.append({**row.value, "lastRun": last, "nextRun": next_runs.get(row.id)})
    return jobs


@system_function(
    "_system/frontend/listCronJobRuns",
    args=v.object({"name": v.optional(v.string()), "paginationOpts": PAGINATION, "componentId": COMPONENT}),
)
async def list_cron_job_runs(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of what is kept of the runs of a job, or of all jobs, the newest first."""
    name = args.get("name")
    source = {"type": "FullTableScan", "tableName": LOGS, "order": "desc"} if name is None else _runs_of(name)
    page = await ctx.transaction.paginate_system(
        {"source": source, "operators": []},
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    return page_answer(page)


def _runs_of(name: str) -> dict[str, Any]:
    return {
        "type": "IndexRange",
        "indexName": f"{LOGS}.by_name",
        "range": [{"type": "Eq", "fieldPath": "name", "value": name}],
        "order": "desc",
    }
