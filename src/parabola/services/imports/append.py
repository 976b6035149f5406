"""Importing into visible tables: each chunk is seen as soon as it is in.

The transaction of a chunk also notes how far the import is, so that after an interruption it goes on with the
very next row: none is missing, none is there twice.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from parabola.database.snapshot import Access
from parabola.services.archives.imported_tables import optional_fields
from parabola.services.archives.rows import ImportRefused
from parabola.services.imports.load import ImportLoad, progress_fields, progress_text, total_text
from parabola.services.imports.plan import Incoming, plan_tables
from parabola.services.imports.record import ImportRecord, Position, position_field
from parabola.services.imports.source import Chunk, SourceTable, incoming_tables, read_chunks
from parabola.services.imports.switch import complete_import
from parabola.services.threads import in_thread

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction

__all__ = ["AppendImport"]


@dataclass
class AppendImport:
    """An import with mode Append."""

    load: ImportLoad
    record: ImportRecord

    _ids: dict[str, str] = field(default_factory=dict)
    """The ids of the components by their paths."""

    async def run(self) -> None:
        """From wherever the import stands to its end. Raises `ImportRefused` and `ImportOver`."""
        incoming = await in_thread(incoming_tables, self.load.source)
        self._ids = await self.load.make_components()
        await self.load.transact(partial(self._make_tables, incoming))
        position = self.record.position or Position()
        for place in range(position.place, len(self.load.source.tables)):
            skip = position.rows if place == position.place else 0
            position = await self._append(place, skip, position.total)

        async def complete(tx: Transaction, record: ImportRecord) -> None:
            await complete_import(tx, record, position.total, self.load.source.tables)

        await self.load.transact(complete)

    async def _make_tables(self, incoming: list[Incoming], tx: Transaction, record: ImportRecord) -> None:
        """The tables that are not there yet, with the numbers that their ids carry."""
        for path, id in self._ids.items():
            view = tx.view(id)
            mine = [table for table in incoming if table.component == path]
            for plan in plan_tables(tx.registry, mine, "Append", id):
                if view.find_table(plan.name) is None:
                    view.create_table(plan.name, number=plan.number)

    async def _append(self, place: int, skip: int, total: int) -> Position:
        """Add the rows of one table but for the first `skip`; `total` rows of all tables are in."""
        load, source = self.load, self.load.source.tables[place]
        active = load.database.registry.active_schema(self._ids[source.component])
        optional = optional_fields(None if active is None else active.schema, source.name)
        position = Position(place, skip, total)
        async with aclosing(read_chunks(source, optional, skip)) as chunks:
            async for chunk in chunks:
                prepared = await load.prepared(source, chunk)
                count = len(chunk.rows)
                position = Position(place, position.rows + count, position.total + count)
                await load.transact(partial(self._write, source, prepared, position))
        rows = position.rows
        position = Position(place + 1, 0, position.total)

        async def finish(tx: Transaction, record: ImportRecord) -> None:
            fields = progress_fields(record, None, total_text(source.title, rows))
            await tx.patch_system(load.id, {**fields, "position": position_field(position)})

        await load.transact(finish)
        return position

    async def _write(
        self, source: SourceTable, chunk: Chunk, position: Position, tx: Transaction, record: ImportRecord
    ) -> None:
        table = tx.view(self._ids[source.component]).find_table(source.name, Access.SERVER)
        if table is None:
            raise ImportRefused(f"Table `{source.title}` was deleted in the meantime")
        await self.load.write_rows(tx, table, chunk)
        counts = record.counts
        expected = counts[position.place] if position.place < len(counts) else None
        fields = progress_fields(record, progress_text(source.title, position.rows, expected), None)
        await tx.patch_system(self.load.id, {**fields, "position": position_field(position)})
