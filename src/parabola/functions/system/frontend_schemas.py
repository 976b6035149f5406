"""Schemas, tables and indexes, as admin tools show them (deploy-api 19.1)."""

from __future__ import annotations

from typing import Any, Final

from parabola.database.model.indexes import Index
from parabola.database.model.schema_rows import StoredSchema, ValidationProgress
from parabola.database.model.system_tables import SCHEMAS
from parabola.database.model.tables import index_of_row, row_of_index
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.system.arguments import COMPONENT
from parabola.functions.system.listed_tables import listed_tables
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.validators.builder import v

__all__: list[str] = []

_BACKFILL_STATES: Final = {"backfilling": "in_progress", "backfilled": "backfilled", "enabled": "done"}


@system_function("_system/frontend/getSchemas", args=v.object({"componentId": COMPONENT}))
async def get_schemas(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The text of the active schema, and of the one that a push has submitted."""
    schemas: dict[str, Any] = {}
    for row in map(StoredSchema.of, await system_rows(ctx.transaction, SCHEMAS)):
        if row.state == "active":
            schemas["active"] = row.schema
        elif row.state in ("pending", "validated"):
            schemas["inProgress"] = row.schema
    return schemas


@system_function(
    "_system/frontend/getSchemas:schemaValidationProgress", args=v.object({"componentId": COMPONENT})
)
async def schema_validation_progress(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """How many documents have been checked against the submitted schema; null when that is not known."""
    for row in await system_rows(ctx.transaction, "_schema_validation_progress"):
        progress = ValidationProgress.of(row)
        return {"numDocsValidated": progress.num_docs_validated, "totalDocs": progress.total_docs}
    return None


@system_function("_system/frontend/getTableMapping", args=v.object({"componentId": COMPONENT}))
async def table_mapping(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Name of every table, by its number in decimal digits; system tables too."""
    return {str(table.number): table.name for table in await listed_tables(ctx)}


@system_function(
    "_system/frontend/indexes",
    args=v.object(
        {
            "tableName": v.optional(v.union(v.string(), v.null())),
            "tableNamespace": COMPONENT,
            "componentId": COMPONENT,
        }
    ),
)
async def indexes(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The declared indexes of a table, with how far those are that are being filled; unique ones say so. Null
    where no table is named.
    """
    if not args.get("tableName"):
        return None
    # Indexes are rows of the app's alone, so that official tools name the tables' component beside them.
    tx = ctx.transaction.view(args["tableNamespace"]) if args.get("tableNamespace") else ctx.transaction
    table = tx.find_table(args["tableName"])
    if table is None:
        return []
    condition = {"type": "Eq", "fieldPath": "tablet", "value": float(table.tablet_id)}
    source = {"type": "IndexRange", "indexName": "_index.by_tablet", "range": [condition], "order": "asc"}
    rows = await tx.query_system({"source": source, "operators": []}).collect()
    found = [index_of_row(row.value) for row in rows]
    return [
        _index(index) | ({"unique": True} if tx.registry.is_unique(table, index) else {})
        for index in found
        if index.name not in ("by_id", "by_creation_time")
    ]


def _index(index: Index) -> dict[str, Any]:
    return {
        "name": index.name,
        "fields": list(index.fields) if index.kind == "database" else row_of_index(index)["options"],
        "backfill": {"state": _BACKFILL_STATES[index.state]},
        "staged": index.staged,
    }
