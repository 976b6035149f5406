"""Editing documents by hand (deploy-api 19.1).

These are mutations like any other: the schema is enforced, and live queries follow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from parabola.functions.system.arguments import COMPONENT
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.errors import ConvexError, UserError
from parabola.values.ids import decode_id
from parabola.values.placeholders import UNDEFINED
from parabola.values.validators.builder import v

__all__: list[str] = []

MAX_ADDED: Final = 4096
MAX_TOLD: Final = 4096
"""Ids of documents that a line of history names."""
CLEARED_DOCUMENTS: Final = 4000
CLEARED_BYTES: Final = 4 * 1024 * 1024
"""A page of a table that is being cleared, well within what one transaction may write."""

_DOCUMENT: Final = v.record(v.string(), v.any())


@system_function(
    "_system/frontend/addDocument",
    kind="mutation",
    args=v.object({"table": v.string(), "documents": v.array(v.any()), "componentId": COMPONENT}),
)
async def add_document(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Insert documents, all or none; the table comes into being with the first. Raises `ConvexError`."""
    documents = args["documents"]
    if len(documents) > MAX_ADDED:
        return _failure(f"At most {MAX_ADDED} documents can be added at once.")
    try:
        ids = [await ctx.transaction.insert(args["table"], document) for document in documents]
    except UserError as error:
        raise ConvexError(error.message) from error
    await ctx.record("add_documents", table=args["table"], count=float(len(ids)), document_ids=ids)
    return {"success": True}


@system_function(
    "_system/frontend/createTable",
    kind="mutation",
    args=v.object({"table": v.string(), "componentId": COMPONENT}),
)
async def create_table(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Create an empty table; nothing happens when it is there already."""
    if ctx.transaction.find_table(args["table"]) is None:
        ctx.transaction.create_table(args["table"])
        await ctx.record("create_table", table=args["table"])


@system_function(
    "_system/frontend/patchDocumentsFields",
    kind="mutation",
    args=v.object(
        {
            "table": v.string(),
            "fields": _DOCUMENT,
            "unset": v.optional(v.array(v.string())),
            "ids": v.optional(v.union(v.array(v.string()), v.null())),
            "componentId": COMPONENT,
        }
    ),
)
async def patch_documents_fields(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Set fields of some documents of a table, or of all, and take the `unset` ones away."""
    tx, table = ctx.transaction, args["table"]
    changes = {**args["fields"], **dict.fromkeys(args.get("unset") or (), UNDEFINED)}

    async def patch() -> None:
        ids = args.get("ids")
        if ids is None:
            source = {"type": "FullTableScan", "tableName": table, "order": "asc"}
            ids = [row.id for row in await tx.query({"source": source, "operators": []}).collect()]
        for id in ids:
            await tx.patch(id, changes, table=table)
        fields = sorted(changes)
        edited = {"table": table, "count": float(len(ids)), "document_ids": ids[:MAX_TOLD]}
        await ctx.record("patch_documents", **edited, fields=fields)

    return await _whole_or_not(ctx, patch)


@system_function(
    "_system/frontend/replaceDocument",
    kind="mutation",
    args=v.object({"id": v.string(), "document": _DOCUMENT, "componentId": COMPONENT}),
)
async def replace_document(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Set a whole document."""

    async def replace() -> None:
        await ctx.transaction.replace(args["id"], args["document"])
        found = ctx.transaction.find_table_by_number(decode_id(args["id"]).table_number)
        await ctx.record("replace_document", id=args["id"], table="" if found is None else found.name)

    return await _whole_or_not(ctx, replace)


@system_function(
    "_system/frontend/deleteDocuments",
    kind="mutation",
    args=v.object(
        {
            "toDelete": v.array(v.object({"id": v.string(), "tableName": v.string()})),
            "componentId": COMPONENT,
        }
    ),
)
async def delete_documents(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Delete documents, all or none."""

    async def delete() -> None:
        for document in args["toDelete"]:
            await ctx.transaction.delete(document["id"], table=document["tableName"])
        tables = sorted({document["tableName"] for document in args["toDelete"]})
        ids = [document["id"] for document in args["toDelete"]]
        told = {"tables": tables, "count": float(len(ids)), "document_ids": ids[:MAX_TOLD]}
        await ctx.record("delete_documents", **told)

    return await _whole_or_not(ctx, delete)


@system_function(
    "_system/frontend/clearTablePage",
    kind="mutation",
    args=v.object(
        {"tableName": v.string(), "cursor": v.union(v.string(), v.null()), "componentId": COMPONENT}
    ),
)
async def clear_table_page(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Delete the oldest documents of a table, as many as one transaction bears. Called until no more is
    left.
    """
    source = {"type": "FullTableScan", "tableName": args["tableName"], "order": "asc"}
    page = await ctx.transaction.paginate(
        {"source": source, "operators": []},
        cursor=args["cursor"],
        page_size=CLEARED_DOCUMENTS,
        maximum_bytes_read=CLEARED_BYTES,
        cursor_codec=ctx.around.cursors,
    )
    for document in page.page:
        await ctx.transaction.delete(document.id)
    if page.page:
        await ctx.record("clear_table", table=args["tableName"], count=float(len(page.page)))
    return {
        "deleted": float(len(page.page)),
        "continueCursor": page.continue_cursor,
        "hasMore": not page.is_done,
    }


async def _whole_or_not(ctx: SystemContext, edit: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """Run an edit; when it fails, none of it remains and the text is the answer."""
    before = ctx.transaction.savepoint()
    try:
        await edit()
    except UserError as error:
        ctx.transaction.rollback_to(before)
        return _failure(error.message)
    return {"success": True}


def _failure(text: str) -> dict[str, Any]:
    return {"success": False, "error": text}
