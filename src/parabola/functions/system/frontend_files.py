"""Stored files, as admin tools list and remove them (deploy-api 19.1)."""

from __future__ import annotations

from typing import Any, Final

from parabola.functions.system.arguments import (
    COMPONENT,
    PAGINATION,
    created_between,
    page_answer,
    page_options,
)
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.validators.builder import v

__all__: list[str] = []

_FILES: Final = "_storage"


@system_function("_system/frontend/fileStorageV2:numFiles", args=v.object({"componentId": COMPONENT}))
async def number_of_files(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """How many files there are."""
    return float(await ctx.transaction.count(_FILES, system=True))


@system_function(
    "_system/frontend/fileStorageV2:fileMetadata",
    args=v.object(
        {
            "paginationOpts": PAGINATION,
            "filters": v.optional(
                v.object(
                    {
                        "minCreationTime": v.optional(v.number()),
                        "maxCreationTime": v.optional(v.number()),
                        "order": v.optional(v.union(v.literal("asc"), v.literal("desc"))),
                    }
                )
            ),
            "componentId": COMPONENT,
        }
    ),
)
async def file_metadata(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A page of files with their URLs, newest first unless told otherwise. Times are milliseconds, both
    included.
    """
    filters = args.get("filters") or {}
    first, last = filters.get("minCreationTime"), filters.get("maxCreationTime")
    source = created_between(_FILES, first, last, filters.get("order", "desc"))
    page = await ctx.transaction.paginate(
        {"source": source, "operators": []},
        system=True,
        cursor_codec=ctx.around.cursors,
        **page_options(args["paginationOpts"]),
    )
    answer = page_answer(page)
    return {**answer, "page": [await _with_url(ctx, file) for file in answer["page"]]}


@system_function(
    "_system/frontend/fileStorageV2:getFile",
    args=v.object({"storageId": v.string(), "componentId": COMPONENT}),
)
async def get_file(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """One file with its URL, or null."""
    tx, id = ctx.transaction, args["storageId"]
    if tx.normalize_id(_FILES, id, system=True) is None:
        return None
    row = await tx.get(id, system=True)
    return None if row is None else await _with_url(ctx, row.value)


@system_function(
    "_system/frontend/fileStorageV2:deleteFile",
    kind="mutation",
    args=v.object({"storageId": v.string(), "componentId": COMPONENT}),
)
async def delete_file(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Remove a file."""
    await _delete(ctx, [args["storageId"]])


@system_function(
    "_system/frontend/fileStorageV2:deleteFiles",
    kind="mutation",
    args=v.object({"storageIds": v.array(v.string()), "componentId": COMPONENT}),
)
async def delete_files(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Remove files, all or none."""
    await _delete(ctx, args["storageIds"])


@system_function(
    "_system/frontend/fileStorageV2:generateUploadUrl",
    kind="mutation",
    args=v.object({"componentId": COMPONENT}),
)
async def generate_upload_url(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """A URL that takes one file."""
    return await ctx.perform("1.0/storageGenerateUploadUrl", {})


async def _with_url(ctx: SystemContext, file: dict[str, Any]) -> dict[str, Any]:
    return {**file, "url": await ctx.perform("1.0/storageGetUrl", {"storageId": file["_id"]})}


async def _delete(ctx: SystemContext, ids: list[str]) -> None:
    for id in ids:
        await ctx.perform("1.0/storageDelete", {"storageId": id})
    await ctx.record("delete_files", storage_ids=ids)
