"""What `npx convex` asks beside pushes: data, environment, function specifications (deploy-api 19)."""

from __future__ import annotations

from typing import Any

import orjson
from msgspec import to_builtins

from parabola.functions.deployed.built_in_variables import built_in_variables
from parabola.functions.deployed.deployment_store import ENVIRONMENT, EnvironmentVariable, environment_rows
from parabola.functions.deployed.function_path import strip_extension
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.system.arguments import COMPONENT, PAGINATION, page_answer, page_options
from parabola.functions.system.listed_tables import listed_tables
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.schema.documents import resolved_text
from parabola.values.validators.builder import v

__all__: list[str] = []


@system_function("_system/cli/convexUrl:cloudUrl", args=v.object({}))
async def cloud_url(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The public address of the API."""
    return ctx.around.instance["cloudUrl"]


@system_function("_system/cli/convexUrl:siteUrl", args=v.object({}))
async def site_url(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The public address of HTTP actions."""
    return ctx.around.instance["siteUrl"]


@system_function("_system/cli/queryEnvironmentVariables", args=v.object({}))
async def environment_variables(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Every environment variable, by name."""
    rows = await system_rows(ctx.transaction, ENVIRONMENT)
    return [row.value for row in sorted(rows, key=lambda row: EnvironmentVariable.of(row).name)]


@system_function("_system/cli/queryEnvironmentVariables:get", args=v.object({"name": v.string()}))
async def environment_variable(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """One environment variable as a function would read it, or null. Command lines from 1.31 to 1.34 ask for
    the public addresses so, before they push.
    """
    own = built_in_variables(ctx.around.instance)
    if args["name"] in own:
        return {"name": args["name"], "value": own[args["name"]]}
    for row in await environment_rows(ctx.transaction):
        if row.name == args["name"]:
            return {"name": row.name, "value": row.value}
    return None


@system_function(
    "_system/cli/tables", args=v.object({"paginationOpts": PAGINATION, "componentId": COMPONENT})
)
async def tables(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The user's tables, by name."""
    # Tables are listed by their own rows, so that a new table updates whoever watches the list.
    names = sorted(table.name for table in await listed_tables(ctx) if not table.is_system)
    return {"page": [{"name": name} for name in names], "isDone": True, "continueCursor": "end"}


@system_function(
    "_system/cli/tableData",
    args=v.object(
        {
            "table": v.string(),
            "order": v.union(v.literal("asc"), v.literal("desc")),
            "paginationOpts": PAGINATION,
            "componentId": COMPONENT,
        }
    ),
)
async def table_data(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of a table's documents by creation time; `_storage` and `_scheduled_functions` too."""
    source = {"type": "FullTableScan", "tableName": args["table"], "order": args["order"]}
    page = await ctx.transaction.paginate(
        {"source": source, "operators": []},
        system=args["table"].startswith("_"),
        journal=None,
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    return page_answer(page)


@system_function("_system/cli/tableSize", args=v.object({"tableName": v.string(), "componentId": COMPONENT}))
async def table_size(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Number of documents in a table."""
    return float(await ctx.transaction.count(args["tableName"], system=args["tableName"].startswith("_")))


@system_function("_system/cli/queryTable", args=v.object({"tableName": v.string(), "componentId": COMPONENT}))
async def query_table(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A number that is another one after every change of the table: watchers only compare it."""
    await ctx.transaction.count(args["tableName"])
    return float(ctx.transaction.begin_ts % 2**52)


@system_function("_system/cli/modules:apiSpec", args=v.object({"componentId": COMPONENT}))
async def api_spec(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Every function with its validators, and every HTTP route."""
    specification: list[dict[str, Any]] = []
    for path, module in sorted(ctx.component.definition.modules.items()):
        if module.analyzed is None:
            continue
        for function in module.analyzed.functions:
            specification.append(
                {
                    "identifier": f"{strip_extension(path)}.js:{function.name}",
                    "functionType": function.udf_type,
                    "visibility": to_builtins(function.visibility),
                    "args": _validator(resolved_text(function.args, ctx.component.definition.schema)),
                    "returns": _validator(resolved_text(function.returns, ctx.component.definition.schema)),
                }
            )
        for route in module.analyzed.http_routes or ():
            specification.append({"functionType": "HttpAction", **to_builtins(route.route)})
    return specification


def _validator(text: str | None) -> Any:
    """A validator as an object; what is not declared takes anything."""
    parsed = None if text is None else orjson.loads(text)
    return {"type": "any"} if parsed is None else parsed
