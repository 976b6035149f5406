"""Checking stored documents against a schema on its way (semantics 3.5).

Writes made meanwhile check themselves against the pending schema, so it is enough that every document is
looked at once, at whatever timestamp: each chunk is read at a fresh snapshot, and nothing old has to be kept
for it. So it is with unique indexes, once they have been filled: two documents that are alike were both there
when their index was looked through, or the later one was held against the other when it was written.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from parabola.database.model.indexes import BY_ID
from parabola.database.model.intervals import Interval
from parabola.database.unique_keys import find_duplicates, index_of
from parabola.services.deploys.staged_validators import is_proven, staged_validators
from parabola.values.schema.definition import DatabaseIndex, Schema

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.tables import SchemaRow
    from parabola.database.transaction import Transaction

__all__ = ["indexes_in_doubt", "tables_in_doubt", "validate_schema"]

CHUNK: Final = 200
"""Documents looked at between two turns of the event loop."""


async def validate_schema(database: Database, row_id: str, component: str = "") -> None:
    """Look at all data the schema of `_schemas` row `row_id` of a component describes; mark the row
    validated, or failed with a text.

    Does nothing when the row is not pending (any more).
    """
    row = _pending(database.begin().view(component), row_id)
    if row is None:
        return
    tx = database.begin().view(component)
    active = tx.registry.active_schema(component)
    staged = {each.table_name: each for each in await staged_validators(tx)}
    for table in tables_in_doubt(row.schema, None if active is None else active.schema):
        if is_proven(row.schema, table, staged.get(table)):
            continue
        if (error := await _check_table(database, row.schema, table, component)) is not None:
            await _settle(database, row_id, error, table, component)
            return
    for table, definition in indexes_in_doubt(row.schema, None if active is None else active.schema):
        if (error := await _check_index(database, table, definition, component)) is not None:
            await _settle(database, row_id, error, table, component)
            return
    await _settle(database, row_id, None, None, component)


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


def indexes_in_doubt(schema: Schema, active: Schema | None) -> list[tuple[str, DatabaseIndex]]:
    """Unique indexes, with their tables, of which some documents may be alike: those that are new as such."""
    known = {} if active is None else active.unique_indexes
    return [
        (name, definition)
        for name, definitions in schema.unique_indexes.items()
        for definition in definitions
        if definition not in known.get(name, ())
    ]


async def _check_index(
    database: Database, name: str, definition: DatabaseIndex, component: str
) -> str | None:
    """The text about the first two documents that are alike, or None."""
    while True:
        tx = database.begin().view(component)
        table = tx.find_table(name)
        index = None if table is None else index_of(tx.registry, table, definition)
        if table is None or index is None:
            return None  # another push has taken it away, and this one cannot end
        if index.state != "backfilling":
            break
        await database.wait_backfilled()
        await asyncio.sleep(0)
    found = await find_duplicates(database, table, definition)
    if found is None:
        return None
    return f'Document with ID "{found.second}" in table "{name}" does not match the schema: {found.reason}'


async def _check_table(database: Database, schema: Schema, name: str, component: str) -> str | None:
    """The text about the first document that does not match, or None."""
    rest: Interval | None = Interval.everything()
    while rest is not None:
        tx = database.begin().view(component)
        table = tx.find_table(name)
        index = None if table is None else tx.registry.index(table, BY_ID)
        if index is None:
            return None
        rows = await tx.scan(index, rest, "asc", CHUNK)
        for _, document in rows:
            error = schema.mismatch(name, document.value, tx)
            if error is not None:
                return schema.existing_document_error(name, document.id, error)
        rest = None if rows.exhausted else rest.after(rows[-1][0])
        await asyncio.sleep(0)
    return None


async def _settle(
    database: Database, row_id: str, error: str | None, table: str | None, component: str
) -> None:
    async def write(root: Transaction) -> None:
        tx = root.view(component)
        row = _pending(tx, row_id)
        if row is None:
            return
        if error is not None:
            await tx.fail_schema(row, error, table)
        else:
            await tx.patch_system(row_id, {"state": "validated"})

    await database.transact(write, source="schema validation")


def _pending(tx: Transaction, row_id: str) -> SchemaRow | None:
    row = tx.registry.pending_schema(tx.component)
    return row if row is not None and row.document_id == row_id and row.state == "pending" else None
