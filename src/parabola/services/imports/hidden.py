"""Importing into hidden tables, which take the places of the visible ones in the end, all at once.

Every row is in its own table from the beginning, so an import that is interrupted goes on where it stopped:
after as many rows as the hidden table has documents.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from parabola.database.model.system_tables import SYSTEM_TABLES
from parabola.services.archives.imported_tables import ImportedTables, optional_fields
from parabola.services.files.stored_files import FILES
from parabola.services.imports.checks import SchemaChecks
from parabola.services.imports.load import ImportLoad, progress_text, total_text
from parabola.services.imports.plan import Incoming, leftovers, plan_tables
from parabola.services.imports.record import HiddenTable, ImportRecord, tables_field
from parabola.services.imports.source import incoming_tables, read_chunks
from parabola.services.imports.switch import check_filled, check_references, make_hidden_table, switch
from parabola.services.threads import in_thread

if TYPE_CHECKING:
    from parabola.database.model.tables import Registry, Table
    from parabola.database.transaction import Transaction

__all__ = ["HiddenImport"]

PROGRESS_ROWS: Final = 2000
"""Rows between two lines about progress."""


@dataclass
class HiddenImport:
    """An import with any mode but Append."""

    load: ImportLoad
    record: ImportRecord
    tables: dict[int, Table] = field(default_factory=dict)
    """The hidden tables by their places in the input."""
    _ids: dict[str, str] = field(default_factory=dict)
    """The ids of the components by their paths."""

    async def run(self) -> None:
        """From wherever the import stands to its end. Raises `ImportRefused` and `ImportOver`."""
        incoming = await in_thread(incoming_tables, self.load.source)
        self._ids = await self.load.make_components()
        await self.load.transact(partial(self._make_tables, incoming))
        checks = {id: self._checks(id) for id in self._ids.values()}
        for done, place in enumerate(sorted(self.tables)):
            if done >= len(self.record.checkpoints):
                await self._fill(place, checks[self.tables[place].component])
        await switch(self.load, list(self.tables.values()), checks)

    async def _make_tables(self, incoming: list[Incoming], tx: Transaction, record: ImportRecord) -> None:
        if record.tables is None:
            registry = tx.registry
            database, mode = self.load.database, record.request.mode
            made: dict[int, Table] = {}
            for path, id in self._ids.items():
                view = tx.view(id)
                mine = [table for table in incoming if table.component == path]
                users: dict[int, Table] = {}
                for plan in plan_tables(registry, mine, mode, id):
                    if plan.present is not None:
                        check_filled(registry, plan.present)
                    users[plan.place] = make_hidden_table(
                        database, view, plan.name, plan.number, plan.present
                    )
                await check_references(view, list(users.values()), mode)
                made |= users
                for place, table in enumerate(self.load.source.tables):
                    if table.is_storage and table.component == path:
                        number, present = SYSTEM_TABLES[FILES].number, registry.table(FILES, id)
                        made[place] = make_hidden_table(database, view, FILES, number, present)
            hidden = tuple(HiddenTable(place, table.tablet_id) for place, table in made.items())
            await tx.patch_system(record.id, {"tables": tables_field(hidden)})
            record = replace(record, tables=hidden)
        self.record = record
        self.tables = {}
        for hidden_table in record.tables or ():
            found = tx.registry.table_by_tablet(hidden_table.tablet_id)
            assert found is not None
            self.tables[hidden_table.place] = found

    async def _fill(self, place: int, checks: SchemaChecks) -> None:
        load, table = self.load, self.tables[place]
        source = load.source.tables[place]
        database = load.database
        rows = said = self._rows_in(table)
        expected = self.record.counts[place] if place < len(self.record.counts) else None
        await load.say(progress_text(source.title, rows, expected))
        active = database.registry.active_schema(table.component)
        optional = optional_fields(None if active is None else active.schema, table.name)
        async with aclosing(read_chunks(source, optional, skip=rows)) as chunks:
            async for chunk in chunks:
                prepared = await load.prepared(source, chunk)
                check = None if table.is_system else checks.row_check(table.name)

                async def write(tx: Transaction, _: ImportRecord) -> None:
                    await load.write_rows(tx, table, prepared, check)  # noqa: B023 - awaited in this round

                await load.transact(write)
                rows += len(chunk.rows)
                if rows - said >= PROGRESS_ROWS:
                    said = rows
                    await load.note(progress_text(source.title, rows, expected))
        total = total_text(source.title, rows)
        await load.note(progress_text(source.title, rows, expected), checkpoint=total)

    def _rows_in(self, table: Table) -> int:
        database = self.load.database
        return database.count_at(table.tablet_id, database.latest_ts)

    def _checks(self, component: str) -> SchemaChecks:
        """What is known of the tables of a component."""
        checks = SchemaChecks(self.load.database, partial(self._names, component), component)
        tables = [table for table in self.tables.values() if table.component == component]
        if not any(self._rows_in(table) for table in tables):
            checks.rely_on_loading(table.name for table in tables if not table.is_system)
        return checks

    def _names(self, component: str, registry: Registry) -> ImportedTables:
        numbers = {
            table.name: table.number
            for table in self.tables.values()
            if not table.is_system and table.component == component
        }
        gone = leftovers(registry, numbers, self.record.request.mode, component).delete
        return ImportedTables(registry, numbers, [table.name for table in gone], component)
