"""Documents, as admin tools browse them (deploy-api 19.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parabola.functions.system.arguments import COMPONENT, PAGINATION, page_answer, page_options
from parabola.functions.system.document_filters import read_filters, table_query
from parabola.functions.system.listed_tables import listed_tables
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.errors import InvalidId, PaginationLimit, UserError
from parabola.values.ids import decode_id
from parabola.values.validators.builder import v

__all__: list[str] = []


@system_function(
    "_system/frontend/tableSize", args=v.object({"tableName": v.string(), "componentId": COMPONENT})
)
async def table_size(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Number of documents in a table."""
    name = args["tableName"]
    return float(await ctx.transaction.count(name, system=name.startswith("_")))


@system_function("_system/frontend/tableSize:sizeOfAllTables", args=v.object({"componentId": COMPONENT}))
async def size_of_all_tables(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Number of documents in all user tables."""
    names = [table.name for table in await listed_tables(ctx) if not table.is_system]
    return float(sum([await ctx.transaction.count(name) for name in names]))


@system_function(
    "_system/frontend/listTableScan",
    args=v.object({"table": v.string(), "limit": v.number(), "componentId": COMPONENT}),
)
async def list_table_scan(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The newest documents of a table: as many as asked for, or as may be read at once."""
    table = args["table"]
    source = {"type": "FullTableScan", "tableName": table, "order": "desc"}
    query = {"source": source, "operators": [{"limit": args["limit"]}]}
    stream = ctx.transaction.query(query, system=table.startswith("_"))
    documents: list[Any] = []
    try:
        while rows := await stream.next(1):
            documents += [row.value for row in rows]
    except PaginationLimit:
        pass
    return documents


@system_function(
    "_system/frontend/paginatedTableDocuments",
    args=v.object(
        {
            "table": v.string(),
            "paginationOpts": PAGINATION,
            "filters": v.optional(v.union(v.string(), v.null())),
            "componentId": COMPONENT,
        }
    ),
)
async def paginated_table_documents(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of the documents that the filters let through, newest first unless they say otherwise."""
    table = args["table"]
    filters = read_filters(args.get("filters"))
    page = await ctx.transaction.paginate(
        table_query(table, filters, _index_fields(ctx, table, filters)),
        system=table.startswith("_"),
        cursor_codec=ctx.around.cursors,
        journal=None,
        **page_options(args["paginationOpts"]),
    )
    return {
        **page_answer(page),
        "splitCursor": page.split_cursor,
        "pageStatus": page.page_status,
    }


@system_function("_system/frontend/getById", args=v.object({"id": v.string(), "componentId": COMPONENT}))
async def get_by_id(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The document with an id, or null."""
    return await _document(ctx, args["id"])


@system_function(
    "_system/frontend/listById", args=v.object({"ids": v.array(v.string()), "componentId": COMPONENT})
)
async def list_by_id(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The documents with these ids in their order, null in place of what there is not."""
    return [await _document(ctx, id) for id in args["ids"]]


async def _document(ctx: SystemContext, id: str) -> Any:
    tx = ctx.transaction
    try:
        table = tx.find_table_by_number(decode_id(id).table_number)
        found = None if table is None else await tx.get(id, system=table.is_system)
    except InvalidId:
        return None
    return None if found is None else found.value


def _index_fields(ctx: SystemContext, table: str, filters: dict[str, Any]) -> Sequence[str]:
    """The fields of the index that the filters name: what its clauses are about, in order."""
    named = filters.get("index")
    if not isinstance(named, dict) or not named.get("name"):
        return ()
    try:
        found = ctx.transaction.find_index(table, str(named["name"]))
    except UserError:
        return ()  # the query itself says what is wrong with it
    if found is None:
        return ()
    index = found[1]
    if index.kind == "search":
        return (str(dict(index.options)["searchField"]),)
    return index.fields
