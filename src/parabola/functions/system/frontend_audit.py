"""What was changed on the deployment, as admin tools list it (semantics 11.2)."""

from __future__ import annotations

from typing import Any, Final

from parabola.functions.deployed.deployment_events import DEPLOYMENT_EVENTS
from parabola.functions.outcomes.audit_lines import AUDIT_LINES, AuditRow
from parabola.functions.system.arguments import (
    COMPONENT,
    PAGINATION,
    created_between,
    page_answer,
    page_options,
)
from parabola.functions.system.registry import SystemContext, system_function
from parabola.functions.system.shown_events import PUSH, shown_event, stored_actions
from parabola.values.validators.builder import v

__all__: list[str] = []

_FILTERS: Final = v.object(
    {
        "minDate": v.optional(v.number()),
        "maxDate": v.optional(v.union(v.number(), v.null())),
        "authorMemberIds": v.optional(v.union(v.array(v.any()), v.null())),
        "actions": v.optional(v.union(v.array(v.string()), v.null())),
    }
)


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
    args=v.object({"paginationOpts": PAGINATION, "filters": v.optional(_FILTERS), "componentId": COMPONENT}),
)
async def deployment_events(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of the audit log, newest first: between two times in milliseconds, both included, of some
    actions. Members of a team are not known here, so that a filter by them finds nothing.
    """
    filters = args.get("filters") or {}
    operators = []
    actions = filters.get("actions")
    if actions is not None:
        operators.append(
            {"filter": _any_of("action", [stored for each in actions for stored in stored_actions(each)])}
        )
    members = filters.get("authorMemberIds")
    if members is not None:
        operators.append({"filter": _any_of("member_id", members)})
    page = await ctx.transaction.paginate_system(
        {
            "source": created_between(
                DEPLOYMENT_EVENTS, filters.get("minDate"), filters.get("maxDate"), "desc"
            ),
            "operators": operators,
        },
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    return {**page_answer(page), "page": [shown_event(row) for row in page.page]}


@system_function(
    "_system/frontend/listDeploymentEventsFromTime",
    args=v.object({"fromTimestamp": v.number(), "componentId": COMPONENT}),
)
async def deployment_events_from(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The audit log from a time in milliseconds on, oldest first."""
    query = {
        "source": created_between(DEPLOYMENT_EVENTS, args["fromTimestamp"], None, "asc"),
        "operators": [],
    }
    return [shown_event(row) for row in await ctx.transaction.query_system(query).collect()]


@system_function("_system/frontend/deploymentEvents:lastPushEvent", args=v.object({"componentId": COMPONENT}))
async def last_push(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The newest push, or null."""
    operators = [{"filter": _any_of("action", [PUSH])}, {"limit": 1}]
    query = {"source": created_between(DEPLOYMENT_EVENTS, None, None, "desc"), "operators": operators}
    rows = await ctx.transaction.query_system(query).collect()
    return shown_event(rows[0]) if rows else None


def _any_of(field: str, values: list[Any]) -> dict[str, Any]:
    return {"$or": [{"$eq": [{"$field": field}, {"$literal": value}]} for value in values]}
