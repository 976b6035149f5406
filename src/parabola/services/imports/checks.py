"""That imported documents match the schema, also one that is pushed while they are being loaded.

Rows are checked against the schema that is active when loading begins. What else has come into force by the
end (another schema, tables with other numbers) is held against them once more, before anyone sees them. So
are the unique indexes, once those of the hidden tables have been filled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from parabola.database.model.indexes import BY_ID
from parabola.database.model.intervals import Interval
from parabola.database.unique_keys import find_duplicates, index_of
from parabola.services.archives.imported_tables import ImportedTables, referenced_tables
from parabola.services.archives.rows import ImportRefused, Row
from parabola.services.imports.load import ImportLoad
from parabola.services.imports.record import ImportRecord

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.tables import Registry, SchemaRow, Table
    from parabola.database.transaction import Transaction
    from parabola.values.schema.definition import DatabaseIndex, Schema

__all__ = ["SchemaChecks"]

CHUNK: Final = 200
"""Documents looked at between two turns of the event loop."""

_Checked = tuple[str, frozenset[tuple[str, int | None]]]


class SchemaChecks:
    """Which schemas of a component, or of the app, the hidden tables of one import are known to match.

    `names` tells which table an id will belong to, given the registry as it is now.
    """

    def __init__(
        self, database: Database, names: Callable[[Registry], ImportedTables], component: str = ""
    ) -> None:
        self._database = database
        self._names = names
        self._component = component
        active = database.registry.active_schema(component)
        self._loading: Schema | None = None if active is None else active.schema
        self._checked: set[_Checked] = set()
        self._distinct: set[tuple[int, DatabaseIndex]] = set()

    def rely_on_loading(self, tables: Iterable[str]) -> None:
        """The tables are empty still: everything that comes into them will have passed `row_check`."""
        registry = self._database.registry
        active = registry.active_schema(self._component)
        if active is not None and active.schema == self._loading:
            self._checked.add(self._what(active, registry, tables))

    def row_check(self, table: str) -> Callable[[Row], None] | None:
        """What raises `BadRequest` for a row that may not be in a table."""
        schema = self._loading
        if schema is None:
            return None
        names = self._names(self._database.registry)

        def check(row: Row) -> None:
            schema.check_document(table, row, names)

        return check

    def unchecked(self, registry: Registry, tables: Iterable[str]) -> list[SchemaRow]:
        """The schemas, active or on their way, that the tables are not known to match."""
        tables = list(tables)
        rows = (registry.active_schema(self._component), registry.pending_schema(self._component))
        return [
            row for row in rows if row is not None and self._what(row, registry, tables) not in self._checked
        ]

    async def look_through(self, load: ImportLoad, tables: Sequence[Table]) -> None:
        """Hold the documents against the schemas that are unchecked.

        Raises `ImportRefused` for the active one. A schema on its way fails instead, as it does for any
        other document that it does not allow.
        """
        registry = self._database.registry
        names = [table.name for table in tables]
        for row in self.unchecked(registry, names):
            error = await self._first_mismatch(row.schema, tables)
            if error is None:
                self._checked.add(self._what(row, registry, names))
            elif row.state == "active":
                raise ImportRefused(f"Could not complete import because schema changed. {error[1]}")
            else:
                await _fail_push(load, row, self._component, *error)

    def uncompared(
        self, registry: Registry, tables: Iterable[Table]
    ) -> list[tuple[SchemaRow, Table, DatabaseIndex]]:
        """Unique indexes of the hidden tables, with the schemas that declare them, that have not been looked
        through. One that a push is still filling is none of them: that push finds that the table changed.
        """
        return [
            (row, table, definition)
            for component, row in registry.unique_schemas()
            for table in tables
            if table.component == component
            for definition in row.unique_indexes.get(table.name, ())
            if (table.tablet_id, definition) not in self._distinct
            and index_of(registry, table, definition) is not None
        ]

    async def look_for_duplicates(self, load: ImportLoad, tables: Sequence[Table]) -> None:
        """Look through the unique indexes that are not known to hold. Raises `ImportRefused` for one of the
        active schema; one on its way fails.
        """
        for row, table, definition in self.uncompared(self._database.registry, tables):
            found = await find_duplicates(self._database, table, definition)
            if found is None:
                self._distinct.add((table.tablet_id, definition))
                continue
            text = f'Document with ID "{found.second}" in table "{table.name}" does not match the schema: '
            if row.state == "active":
                raise ImportRefused(f"Could not complete import. {text}{found.reason}")
            await _fail_push(load, row, self._component, table.name, text + found.reason)

    async def _first_mismatch(self, schema: Schema, tables: Sequence[Table]) -> tuple[str, str] | None:
        """The table and the text about the first document that a schema does not allow, or None."""
        names = self._names(self._database.registry)
        for table in tables:
            definition = schema.tables.get(table.name)
            if not schema.schema_validation or definition is None or definition.document_type is None:
                continue
            index = self._database.registry.index(table, BY_ID)
            assert index is not None
            rest: Interval | None = Interval.everything()
            while rest is not None:
                rows = await self._database.begin().scan(index, rest, "asc", CHUNK)
                for _, document in rows:
                    error = schema.mismatch(table.name, document.value, names)
                    if error is not None:
                        return table.name, schema.existing_document_error(table.name, document.id, error)
                rest = None if rows.exhausted else rest.after(rows[-1][0])
                await asyncio.sleep(0)
        return None

    def _what(self, row: SchemaRow, registry: Registry, tables: Iterable[str]) -> _Checked:
        names = self._names(registry)
        referenced = referenced_tables(row.schema, tables)
        return row.text, frozenset((name, names.number_of(name)) for name in referenced)


async def _fail_push(load: ImportLoad, row: SchemaRow, component: str, table: str, error: str) -> None:
    async def write(root: Transaction, _: ImportRecord) -> None:
        tx = root.view(component)
        pending = tx.registry.pending_schema(component)
        if pending is not None and pending.document_id == row.document_id:
            await tx.fail_schema(pending, error, table)

    await load.transact(write)
