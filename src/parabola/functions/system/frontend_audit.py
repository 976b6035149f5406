"""What was changed on the deployment, as admin tools list it (semantics 11.2)."""

from __future__ import annotations

from typing import Any

from parabola.functions.deployed.deployment_events import DEPLOYMENT_EVENTS
from parabola.functions.outcomes.audit_lines import AUDIT_LINES, AuditRow
from parabola.functions.system.arguments import COMPONENT, PAGINATION, page_answer, page_options
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.validators.builder import v

__all__: list[str] = []


@system_function(
    "_system/frontend/paginatedAuditLines",
    args=v.object({"paginationOpts": PAGINATION, "componentId": COMPONENT}),
)
async def audit_lines(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of what functions wrote into the audit log, newest first."""
    source = {"type": "IndexRange", "indexName": f"{AUDIT_LINES}.by_ts", "range": [], "order": "desc"}
    page = await ctx.transaction.paginate_system(
        {"source": source, "operators": []},
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    answer = page_answer(page)
    lines = [AuditRow.read(row).to_json() for row in answer["page"]]
    return {**answer, "page": lines}


@system_function(
    "_system/frontend/paginatedDeploymentEvents",
    args=v.object({"paginationOpts": PAGINATION, "filters": v.optional(v.any()), "componentId": COMPONENT}),
)
async def deployment_events(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of the audit log, newest first."""
    source = {"type": "FullTableScan", "tableName": DEPLOYMENT_EVENTS, "order": "desc"}
    page = await ctx.transaction.paginate_system(
        {"source": source, "operators": []},
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    return page_answer(page)
