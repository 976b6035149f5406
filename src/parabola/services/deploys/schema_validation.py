"""Checking stored documents against a schema on its way (semantics 3.5).

Writes made meanwhile check themselves against the pending schema, so it is enough that every document is
looked at once, at whatever timestamp: each chunk is read at a fresh snapshot, and nothing old has to be kept
for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from parabola.database.model.indexes import BY_ID
from parabola.database.model.intervals import Interval
from parabola.values.schema.definition import Schema

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.tables import SchemaRow
    from parabola.database.transaction import Transaction

__all__ = ["tables_in_doubt", "validate_schema"]

CHUNK: Final = 200
"""Documents looked at between two turns of the event loop."""


async def validate_schema(database: Database, row_id: str) -> None:
    """Look at all data the schema of `_schemas` row `row_id` describes; mark the row validated, or failed
    with a text.

    Does nothing when the row is not pending (any more).
    """
    row = _pending(database.begin(), row_id)
    if row is None:
        return
    active = database.registry.active_schema()
    for table in tables_in_doubt(row.schema, None if active is None else active.schema):
        if (error := await _check_table(database, row.schema, table)) is not None:
            await _settle(database, row_id, error, table)
            return
    await _settle(database, row_id, None, None)


def tables_in_doubt(schema: Schema, active: Schema | None) -> list[str]:
    """Tables of which some document may not match: those that the active schema does not describe alike."""
    if not schema.schema_validation:
        return []
    doubtful = []
    for name, table in schema.tables.items():
        if table.document_type is None:
            continue
        known = active.tables.get(name) if active is not None and active.schema_validation else None
        if known is None or known.document_type != table.document_type:
            doubtful.append(name)
    return doubtful


async def _check_table(database: Database, schema: Schema, name: str) -> str | None:
    """The text about the first document that does not match, or None."""
    rest: Interval | None = Interval.everything()
    while rest is not None:
        tx = database.begin()
        table = tx.find_table(name)
        index = None if table is None else tx.registry.index(table, BY_ID)
        if index is None:
            return None
        rows = await tx.scan(index, rest, "asc", CHUNK)
        for _, document in rows:
            error = schema.mismatch(name, document.value, tx.registry)
            if error is not None:
                return schema.existing_document_error(name, document.id, error)
        rest = None if rows.exhausted else rest.after(rows[-1][0])
        await asyncio.sleep(0)
    return None


async def _settle(database: Database, row_id: str, error: str | None, table: str | None) -> None:
    async def write(tx: Transaction) -> None:
        row = _pending(tx, row_id)
        if row is None:
            return
        if error is not None:
            await tx.fail_schema(row, error, table)
        else:
            await tx.patch_system(row_id, {"state": "validated"})

    await database.transact(write, source="schema validation")


def _pending(tx: Transaction, row_id: str) -> SchemaRow | None:
    row = tx.registry.pending_schema()
    return row if row is not None and row.document_id == row_id and row.state == "pending" else None
