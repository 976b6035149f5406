"""How imports and exports stand: what `npx convex import` and `export` watch (deploy-api 13, 14 and 19).

The rows of `_snapshot_imports` and `_exports` have the shapes that are shown; what only the services need is
left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parabola.functions.system.arguments import COMPONENT
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.validators.builder import v

__all__: list[str] = []

LISTED: Final = 20

_IMPORT_FIELDS: Final = (
    "_id",
    "_creationTime",
    "state",
    "format",
    "mode",
    "component_path",
    "requestor",
)
_EXPORT_FIELDS: Final = (
    "_id",
    "_creationTime",
    "state",
    "format",
    "requestor",
    "start_ts",
    "complete_ts",
    "failed_ts",
    "zip_object_key",
    "size",
    "expiration_ts",
    "progress_message",
)
_NOTHING: Final = v.object({})
_IN_COMPONENT: Final = v.object({"componentId": COMPONENT})


@system_function("_system/cli/queryImport", args=v.object({"importId": v.string()}))
async def query_import(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """One import, or null."""
    row = await ctx.transaction.get_system(args["importId"])
    if row is None or row.table.name != "_snapshot_imports":
        return None
    return _shown(row.value, _IMPORT_FIELDS)


@system_function("_system/cli/queryImport:list", args=_NOTHING)
async def list_imports(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The newest imports."""
    return await _newest(ctx, "_snapshot_imports", LISTED, _IMPORT_FIELDS)


@system_function("_system/frontend/snapshotImport:list", args=_IN_COMPONENT)
async def list_imports_for_admins(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The newest imports."""
    return await _newest(ctx, "_snapshot_imports", LISTED, _IMPORT_FIELDS)


@system_function("_system/cli/exports:getLatest", args=_NOTHING)
async def latest_export(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The newest export, or null."""
    return next(iter(await _newest(ctx, "_exports", 1, _EXPORT_FIELDS)), None)


@system_function("_system/frontend/latestExport", args=_IN_COMPONENT)
async def latest_export_for_admins(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The newest export, or null."""
    return next(iter(await _newest(ctx, "_exports", 1, _EXPORT_FIELDS)), None)


@system_function("_system/frontend/latestExport:latestCloudExport", args=_IN_COMPONENT)
async def latest_cloud_export(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Null: no export is made by a cloud."""
    return None


@system_function("_system/frontend/latestExport:canExportFileStorage", args=_IN_COMPONENT)
async def can_export_files(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Whether an export can bring the stored files along."""
    return True


async def _newest(
    ctx: SystemContext, table: str, limit: int, fields: tuple[str, ...]
) -> list[dict[str, Any]]:
    source = {"type": "FullTableScan", "tableName": table, "order": "desc"}
    rows = await ctx.transaction.query_system({"source": source, "operators": []}).next(limit)
    return [_shown(row.value, fields) for row in rows]


def _shown(row: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in fields if name in row}
