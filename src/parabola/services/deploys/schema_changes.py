"""A schema on its way: submitted, checked against the data, then active in the transaction that ends the
push.

States of `_schemas` rows and texts are those of semantics 3.5, states of indexes those of 3.4. What is not
enabled or active yet is maintained by every write already, so nothing has to stop while data is checked and
indexes are filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from parabola.database.model.indexes import Index, IndexKind
from parabola.database.model.schema_rows import StoredSchema
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.deploys.index_changes import index_changes, options_of
from parabola.services.deploys.push import IndexDiff
from parabola.services.deploys.staged_validators import stage_validators
from parabola.values.errors import SystemFault
from parabola.values.schema.definition import DatabaseIndex, Schema, SearchIndex, VectorIndex

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.tables import Table
    from parabola.database.transaction import Transaction
    from parabola.services.deploys.index_changes import NewIndex

__all__ = [
    "RaceDetected",
    "SubmittedSchema",
    "abandon_schema",
    "activate_schema",
    "schema_text",
    "submit_schema",
]

_SCHEMAS: Final = "_schemas"
_KINDS: Final[Mapping[type, IndexKind]] = {
    DatabaseIndex: "database",
    SearchIndex: "search",
    VectorIndex: "vector",
}
_KEPT_SECONDS: Final = 3600.0
"""Rows of schemas that failed or were replaced are removed after an hour."""


class RaceDetected(SystemFault):
    """Another push, or a change of the environment, got in between. Push again."""

    status = 409
    default_code = "RaceDetected"


class SubmittedSchema(Struct, frozen=True):
    """A schema of a push. `row_id` is None when there is no schema, or when it is the active one already."""

    schema: Schema | None
    text: str | None
    row_id: str | None
    diff: IndexDiff
    index_ids: frozenset[int]
    """The indexes that must be filled before the push can end."""
    previous_text: str | None


def schema_text(schema: Schema | None) -> str | None:
    """The one spelling under which equal schemas are equal."""
    return None if schema is None else orjson.dumps(schema.to_json(), option=orjson.OPT_SORT_KEYS).decode()


async def submit_schema(tx: Transaction, database: Database, schema: Schema | None) -> SubmittedSchema:
    """Make `schema` the pending one, create the tables it names, and begin to fill its new indexes."""
    text = schema_text(schema)
    active = tx.registry.active_schema(tx.component)
    pending = tx.registry.pending_schema(tx.component)
    row_id: str | None = None
    is_active = active is not None and active.text == text
    if pending is not None and (is_active or pending.text != text):
        await tx.patch_system(pending.document_id, {"state": "overwritten"})
        pending = None
    if text is not None and not is_active:
        if pending is not None:
            row_id = pending.document_id
        else:
            await _remove_old_rows(tx, database.clock_before(_KEPT_SECONDS) / 1e6)
            row_id = await tx.insert_system(_SCHEMAS, StoredSchema(state="pending", schema=text).fields())
    for name in schema.tables if schema is not None else ():
        if tx.find_table(name) is None:
            tx.create_table(name)
    changes = index_changes(tx.registry, schema, tx.component)
    diff = changes.diff(tx.registry)
    for index in changes.abandon:
        await tx.delete_system(index.document_id)
    for index in changes.restage:
        if not index.is_enabled:
            await tx.patch_system(index.document_id, {"staged": not index.staged})
    created = [await _create_index(tx, database, new) for new in changes.add]
    needed = [*(index for index in created if not index.staged), *changes.pending, *changes.enable]
    ids = frozenset(index.index_id for index in needed)
    return SubmittedSchema(schema, text, row_id, diff, ids, None if active is None else active.text)


async def activate_schema(tx: Transaction, submitted: SubmittedSchema) -> None:
    """Enforce the schema and enable its indexes; drop what it does not declare.

    Raises `RaceDetected` when it is not validated, or an index not filled: another push replaced it.
    """
    active = tx.registry.active_schema(tx.component)
    if submitted.row_id is not None:
        row = tx.registry.pending_schema(tx.component)
        if row is None or row.document_id != submitted.row_id or row.state != "validated":
            raise RaceDetected("Another push replaced this one's schema before it was done. Push again.")
        await tx.patch_system(row.document_id, {"state": "active"})
    elif (None if active is None else active.text) != submitted.text and submitted.text is not None:
        raise RaceDetected("Another push replaced the schema in the meantime. Push again.")
    if active is not None and (submitted.row_id is not None or submitted.text is None):
        await tx.patch_system(active.document_id, {"state": "overwritten"})
    changes = index_changes(tx.registry, submitted.schema, tx.component)
    if changes.add or any(index.state == "backfilling" for index in (*changes.pending, *changes.enable)):
        raise RaceDetected("Another push changed the indexes before this one was done. Push again.")
    for index in (*changes.remove, *changes.abandon):
        await tx.delete_system(index.document_id)
    for index in (*changes.pending, *changes.enable):
        await tx.patch_system(index.document_id, {"state": "enabled", "staged": False})
    for index in changes.disable:
        await tx.patch_system(index.document_id, {"state": "backfilled", "staged": True})
    await stage_validators(tx, submitted.schema)


async def abandon_schema(
    tx: Transaction, submitted: SubmittedSchema, others: Sequence[SubmittedSchema]
) -> None:
    """Take back what `submit_schema` has begun, but for what `others` share that have submitted the same.
    Tables stay: they are empty.
    """
    pending = tx.registry.pending_schema(tx.component)
    if pending is not None and pending.document_id == submitted.row_id:
        if any(each.row_id == submitted.row_id for each in others):
            return
        await tx.patch_system(pending.document_id, {"state": "overwritten"})
    active = tx.registry.active_schema(tx.component)
    for index in index_changes(tx.registry, None if active is None else active.schema, tx.component).abandon:
        is_others = any(index.index_id in each.index_ids for each in others)
        if index.index_id in submitted.index_ids and not is_others:
            await tx.delete_system(index.document_id)


async def _create_index(tx: Transaction, database: Database, new: NewIndex) -> Index:
    definition = new.definition
    table = tx.find_table(new.table)
    assert table is not None
    has_entries = not await _is_empty(tx, database, table)
    options: list[tuple[str, Any]] = [
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in options_of(definition).items()
    ]
    return tx.create_index(
        Index(
            index_id=database.new_id(),
            tablet_id=table.tablet_id,
            name=definition.name,
            fields=definition.all_fields if isinstance(definition, DatabaseIndex) else (),
            state="backfilling" if has_entries else "backfilled",
            staged=definition.staged,
            kind=_KINDS[type(definition)],
            options=tuple(sorted(options)),
        )
    )


async def _is_empty(tx: Transaction, database: Database, table: Table) -> bool:
    """True when there is nothing to fill an index with; the transaction then depends on that."""
    return database.count_at(table.tablet_id, tx.begin_ts) == 0 and await tx.count(table.name) == 0


async def _remove_old_rows(tx: Transaction, before_ms: float) -> None:
    for row in map(StoredSchema.of, await system_rows(tx, _SCHEMAS)):
        if row.state in ("failed", "overwritten") and row.creation_time < before_ms:
            await tx.delete_system(row.id)
