"""The first commit of a new store, and what a newer version adds to an old one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parabola.database.commits.committer import NEXT_ID
from parabola.database.commits.write_set import Change, document_write
from parabola.database.model.documents import Revision
from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index
from parabola.database.model.intervals import Interval
from parabola.database.model.system_tables import (
    COMPONENT_TABLES,
    FIRST_FREE_ID,
    FIXED_INDEX_IDS,
    INDEX_TABLET,
    INDEXES,
    SCHEMAS,
    SCHEMAS_TABLET,
    SYSTEM_TABLES,
    TABLES,
    TABLES_TABLET,
)
from parabola.database.model.tables import Registry, Table, row_of_index, row_of_table
from parabola.database.store.persistence import Commit, DocumentReads
from parabola.values.encoding import dumps
from parabola.values.ids import new_id
from parabola.values.sizes import size_of

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["add_missing_system_tables", "first_commit", "load_registry", "missing_system_tables"]

NS_PER_DAY: Final = 86_400_000_000_000


def first_commit(ts: int) -> Commit:
    """Every system table with its indexes, described in `_tables` and `_index`."""
    next_id = FIRST_FREE_ID
    tables: list[Table] = []
    indexes: list[Index] = []
    for position, (name, definition) in enumerate(SYSTEM_TABLES.items()):
        if position < 3:
            tablet_id = position + 1  # TABLES_TABLET, INDEX_TABLET, SCHEMAS_TABLET
        else:
            tablet_id, next_id = next_id, next_id + 1
        tables.append(Table(tablet_id, name, definition.number))
        indexes.append(Index(tablet_id, tablet_id, BY_ID, ()))
        for index, fields in {BY_CREATION_TIME: (), **definition.indexes}.items():
            index_id = FIXED_INDEX_IDS.get((name, index))
            if index_id is None:
                index_id, next_id = next_id, next_id + 1
            indexes.append(Index(index_id, tablet_id, index, (*fields, "_creationTime")))
    row_of = _RowMaker(ts)
    table_rows = [row_of(tables[0].number, row_of_table(table)) for table in tables]
    index_rows = [row_of(tables[1].number, row_of_index(index)) for index in indexes]
    registry = Registry()
    for table, rows in ((tables[0], table_rows), (tables[1], index_rows)):
        for row in rows:
            registry = registry.with_row(table, None, row)
    writes = tuple(
        document_write(
            registry,
            Change(table, row["_id"], None, Revision(row["_id"], ts, dumps(row), size_of(row))),
            row,
        )
        for table, rows in ((tables[0], table_rows), (tables[1], index_rows))
        for row in rows
    )
    return Commit(ts, writes, {NEXT_ID: str(next_id).encode()})


class _RowMaker:
    def __init__(self, ts: int) -> None:
        self._day = ts // NS_PER_DAY
        self._time = ts / 1e6

    def __call__(self, table_number: int, row: dict[str, Any]) -> dict[str, Any]:
        id = new_id(table_number, self._day)
        time, self._time = self._time, math.nextafter(self._time, math.inf)
        return {**row, "_id": id, "_creationTime": time}


async def load_registry(persistence: DocumentReads, ts: int) -> Registry:
    """The registry as of `ts`, from the rows of the metadata tables.

    Raises `StorageDamaged` where these contradict themselves: with a table or an index less, what is stored
    would be written anew.
    """
    registry = Registry()
    # `with_row` needs no more of these two than their names; the rows that describe them come in the scan.
    for tablet_id, name in ((TABLES_TABLET, TABLES), (INDEX_TABLET, INDEXES)):
        table = Table(tablet_id, name, SYSTEM_TABLES[name].number)
        registry = registry.with_rows(table, await _rows(persistence, tablet_id, ts))
    for table in registry.tables():
        if table.name == SCHEMAS:
            registry = registry.with_rows(table, await _rows(persistence, table.tablet_id, ts))
    for tablet_id, name in ((TABLES_TABLET, TABLES), (INDEX_TABLET, INDEXES), (SCHEMAS_TABLET, SCHEMAS)):
        described = registry.table(name)
        present = {index.name for index in registry.indexes(tablet_id)}
        fixed = {index for table, index in FIXED_INDEX_IDS if table == name} | {BY_ID, BY_CREATION_TIME}
        if described is None or described.tablet_id != tablet_id or not present >= fixed:
            raise persistence.damaged(f'table "{name}" is not there as a whole')
        rows = await _rows(persistence, tablet_id, ts)
        for index in registry.indexes(tablet_id):
            if index.is_enabled:
                found = [key for key, _ in await _entries(persistence, index.index_id, ts)]
                if found != sorted(index.key(row) for row in rows):
                    raise persistence.damaged(f"index {index.index_id} does not have what its table has")
    return registry


async def _rows(persistence: DocumentReads, tablet_id: int, ts: int) -> list[dict[str, Any]]:
    return [revision.value for _, revision in await _entries(persistence, tablet_id, ts)]


async def _entries(persistence: DocumentReads, index_id: int, ts: int) -> list[tuple[bytes, Revision]]:
    entries: list[tuple[bytes, Revision]] = []
    interval = Interval.everything()
    while True:
        chunk = await persistence.scan(index_id, interval, ts, "asc", 1000)
        entries += chunk
        if chunk.exhausted:
            return entries
        interval = interval.after(chunk[-1][0])


async def add_missing_system_tables(database: Database) -> None:
    """Brings a store that an older version made up to date: system tables and indexes it did not know.

    Returns when they can be used.
    """
    missing = _missing(database.registry)
    if not missing:
        return

    async def create(tx: Transaction) -> None:
        for each in missing:
            table = tx.registry.table(each.table, each.component)
            if table is None:
                number = SYSTEM_TABLES[each.table].number
                table = tx.create_table(each.table, number=number, component=each.component)
            if each.index_name is not None:
                paths = (*each.fields, "_creationTime")
                index = Index(database.new_id(), table.tablet_id, each.index_name, paths, "backfilling")
                tx.depend_on_index(table, index)  # another node may do the same
                if tx.registry.index(table, each.index_name) is None:
                    tx.create_index(index)

    async def enable(tx: Transaction) -> None:
        for each in missing:
            table = tx.registry.table(each.table, each.component)
            if table is not None and each.index_name is not None:
                added = tx.registry.index(table, each.index_name)
                if added is not None and not added.is_enabled:
                    await tx.patch_system(added.document_id, {"state": "enabled"})

    await database.transact(create, source="upgrade")
    await database.wait_backfilled()
    await database.transact(enable, source="upgrade")


def missing_system_tables(registry: Registry) -> tuple[str, ...]:
    """What `add_missing_system_tables` would add, by name."""
    return tuple(
        each.table if each.index_name is None else f"{each.table}.{each.index_name}"
        for each in _missing(registry)
    )


class _Missing(NamedTuple):
    component: str
    table: str
    index_name: str | None = None
    fields: tuple[str, ...] = ()


def _missing(registry: Registry) -> list[_Missing]:
    """Tables and indexes that are not there or cannot be used; a missing table comes first without index."""
    found: list[_Missing] = []
    components = {table.component for table in registry.tables() if table.state == "active"} - {""}
    for component in ("", *sorted(components)):
        for name in COMPONENT_TABLES if component else SYSTEM_TABLES:
            table = registry.table(name, component)
            if table is None:
                found.append(_Missing(component, name))
            for index_name, fields in SYSTEM_TABLES[name].indexes.items():
                index = None if table is None else registry.index(table, index_name)
                if index is None or not index.is_enabled:
                    found.append(_Missing(component, name, index_name, fields))
    return found
