"""Schemas, tables and indexes, as admin tools show them (deploy-api 19.1)."""

from __future__ import annotations

from typing import Any

from parabola.functions.deployed.deployment_store import system_rows
from parabola.functions.system.arguments import COMPONENT
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.validators.builder import v

__all__: list[str] = []

_BACKFILL_STATES = {"backfilling": "in_progress", "backfilled": "backfilled", "enabled": "done"}


@system_function("_system/frontend/getSchemas", args=v.object({"componentId": COMPONENT}))
async def get_schemas(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The text of the active schema, and of the one that a push has submitted."""
    schemas: dict[str, Any] = {}
    for row in await system_rows(ctx.transaction, "_schemas"):
        if row.value["state"] == "active":
            schemas["active"] = row.value["schema"]
        elif row.value["state"] in ("pending", "validated"):
            schemas["inProgress"] = row.value["schema"]
    return schemas


@system_function(
    "_system/frontend/getSchemas:schemaValidationProgress", args=v.object({"componentId": COMPONENT})
)
async def schema_validation_progress(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """How many documents have been checked against the submitted schema; null when that is not known."""
    for row in await system_rows(ctx.transaction, "_schema_validation_progress"):
        return {"numDocsValidated": row.value["numDocsValidated"], "totalDocs": row.value.get("totalDocs")}
    return None


@system_function("_system/frontend/getTableMapping", args=v.object({"componentId": COMPONENT}))
async def table_mapping(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Name of every table, by its number in decimal digits; system tables too."""
    rows = [row.value for row in await system_rows(ctx.transaction, "_tables")]
    return {
        str(int(row["number"])): row["name"]
        for row in rows
        if row["state"] == "active" and row["namespace"] == ctx.component
    }


@system_function(
    "_system/frontend/indexes",
    args=v.object({"tableName": v.string(), "tableNamespace": COMPONENT, "componentId": COMPONENT}),
)
async def indexes(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The declared indexes of a table, with how far those are that are being filled."""
    tx = ctx.transaction
    table = tx.find_table(args["tableName"])
    if table is None:
        return []
    condition = {"type": "Eq", "fieldPath": "tablet", "value": float(table.tablet_id)}
    source = {"type": "IndexRange", "indexName": "_index.by_tablet", "range": [condition], "order": "asc"}
    rows = await tx.query_system({"source": source, "operators": []}).collect()
    return [_index(row.value) for row in rows if row.value["name"] not in ("by_id", "by_creation_time")]


def _index(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "fields": row["fields"] if row["kind"] == "database" else row["options"],
        "backfill": {"state": _BACKFILL_STATES[row["state"]]},
        "staged": row["staged"],
    }
