"""Unique indexes: that no two documents have the same values of all fields of one (semantics 3.7).

It is held when a transaction ends, over what it leaves behind, so that it may swap values or replace one
document by another. What the check reads is read by the transaction: of two that commit the same key at the
same time one is run again, and then sees the other. A schema on its way is held like the active one, but it
is the schema that fails (semantics 3.5): what was there already its push looks through (`find_duplicates`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from parabola.database.commits.write_set import is_effective
from parabola.database.model.intervals import Interval
from parabola.values.display import display
from parabola.values.errors import BadRequest
from parabola.values.ordering import after_all_with, encode_key
from parabola.values.placeholders import UNDEFINED

if TYPE_CHECKING:
    from parabola.database.commits.overlay import PendingWrite
    from parabola.database.database import Database
    from parabola.database.model.indexes import Index
    from parabola.database.model.tables import Registry, SchemaRow, Table
    from parabola.database.transaction import Transaction
    from parabola.values.schema.definition import DatabaseIndex

__all__ = [
    "Duplicates",
    "UniqueRule",
    "check_unique_keys",
    "find_duplicates",
    "index_of",
    "unique_rules",
]

_CHUNK: Final = 200
"""Entries looked at between two turns of the event loop."""
_SHOWN: Final = 100
"""Characters of a value that are shown in a text."""


class UniqueRule(Struct, frozen=True):
    """A unique index of a schema, and what fails when two documents are alike: a write, or that schema."""

    schema: SchemaRow
    table: Table
    definition: DatabaseIndex


class Duplicates(Struct, frozen=True):
    """Two documents with the same values in a unique index; `first` has been there for longer, if either."""

    definition: DatabaseIndex
    first: str
    second: str
    value: Mapping[str, Any]
    """One of the documents."""

    @property
    def reason(self) -> str:
        """What is wrong about the second one."""
        values = [_value_at(self.value, field) for field in self.definition.fields]
        shown = ", ".join(
            f"{field}: {_cut(display(value))}"
            for field, value in zip(self.definition.fields, values, strict=True)
        )
        return (
            f'Document with ID "{self.first}" has the same values ({shown}), and index '
            f'"{self.definition.name}" is unique.'
        )


def unique_rules(tx: Transaction) -> list[UniqueRule]:
    """What the writes of a transaction must be held against. Costs next to nothing without unique indexes."""
    registry = tx.registry
    rules: list[UniqueRule] = []
    for component, row in registry.unique_schemas():
        for name, definitions in row.unique_indexes.items():
            table = registry.table(name, component)
            if table is None or not tx.overlay.has_writes(table.tablet_id):
                continue
            held = {rule.definition for rule in rules if rule.table is table}
            rules += [UniqueRule(row, table, each) for each in definitions if each not in held]
    return rules


async def check_unique_keys(tx: Transaction, rules: list[UniqueRule]) -> None:
    """Raise `BadRequest` (`UniqueIndexViolation`) for what the active schema does not allow; a schema on its
    way is marked as failed.
    """
    for rule in rules:
        tx.depend_on_schemas(rule.table)
        if rule.schema.state != "active" and tx.registry.pending_schema(rule.table.component) is None:
            continue  # it has failed by another rule
        found = await _first_violation(tx, rule)
        if found is None:
            continue
        name = rule.table.name
        if rule.schema.state == "active":
            raise BadRequest(
                f'Failed to insert or update a document in table "{name}": {found.reason}',
                "UniqueIndexViolation",
            )
        text = f'New document in table "{name}" does not match the schema: {found.reason}'
        await tx.view(rule.table.component).fail_schema(rule.schema, text, name)


async def _first_violation(tx: Transaction, rule: UniqueRule) -> Duplicates | None:
    index = index_of(tx.registry, rule.table, rule.definition)
    if index is None:
        return None  # a push that needs it cannot end either
    tx.depend_on_index(rule.table, index)
    mine: dict[bytes, PendingWrite] = {}
    looked_up = 0
    for write in list(tx.overlay.writes(rule.table.tablet_id)):
        if write.new is None:
            continue
        value = write.new.value
        prefix = _key(value, rule.definition)
        if prefix is None:
            continue
        other = mine.setdefault(prefix, write)
        if other is not write:
            first, second = sorted((other, write), key=lambda each: each.old is None)
            return Duplicates(rule.definition, first.id, second.id, value)
    for prefix, write in mine.items():
        assert write.new is not None
        if not is_effective(write) or (
            write.old is not None and _key(write.old.value, rule.definition) == prefix
        ):
            continue
        looked_up += 1
        if looked_up % _CHUNK == 0:
            await asyncio.sleep(0)
        interval = Interval(prefix, after_all_with(prefix))
        tx.read_set.record(index.index_id, interval)
        # The document itself is among them, and none that the transaction removes or changes.
        for _, document in await tx.scan(index, interval, "asc", 2):
            if document.id != write.id:
                return Duplicates(rule.definition, document.id, write.id, document.value)
    return None


async def find_duplicates(database: Database, table: Table, definition: DatabaseIndex) -> Duplicates | None:
    """Two documents of a table that are stored and alike, if there are any; its index must have been filled.

    It reads each chunk at a fresh snapshot. What is written behind it must be checked by who writes it.
    """
    rest: Interval | None = Interval.everything()
    last: tuple[bytes, str] | None = None
    while rest is not None:
        tx = database.begin()
        index = index_of(tx.registry, table, definition)
        if index is None:
            return None
        rows = await tx.scan(index, rest, "asc", _CHUNK)
        for _, document in rows:
            prefix = _key(document.value, definition)
            if prefix is None:
                continue
            if last is not None and last[0] == prefix:
                # The one before may have been read earlier, and be gone.
                both = await tx.scan(index, Interval(prefix, after_all_with(prefix)), "asc", 2)
                if len(both) > 1:
                    (_, first), (_, second) = both
                    return Duplicates(definition, first.id, second.id, second.value)
            last = (prefix, document.id)
        rest = None if rows.exhausted else rest.after(rows[-1][0])
        await asyncio.sleep(0)
    return None


def index_of(registry: Registry, table: Table, definition: DatabaseIndex) -> Index | None:
    """The index of a table that has this definition, in whatever state; an enabled one first."""
    same = [
        index
        for index in registry.indexes(table.tablet_id)
        if index.name == definition.name
        and index.kind == "database"
        and index.fields == definition.all_fields
    ]
    return min(same, key=lambda index: not index.is_enabled, default=None)


def _key(document: Mapping[str, Any], definition: DatabaseIndex) -> bytes | None:
    """The indexed values of a document as they begin its key; None if it lacks one of them."""
    values = [_value_at(document, field) for field in definition.fields]
    return None if any(value is UNDEFINED for value in values) else encode_key(values)


def _value_at(document: Any, path: str) -> Any:
    value = document
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return UNDEFINED
        value = value[name]
    return value


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
