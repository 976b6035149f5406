"""The end of an import: hidden tables take the places of the visible ones, in one transaction.

Readers see the whole old or the whole new tables; a mutation under way is run again on the new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index, prefix_interval
from parabola.database.model.system_tables import INDEX_BY_TABLET, SCHEMAS
from parabola.database.snapshot import Access
from parabola.functions.deployed.component_rows import recorded_components
from parabola.functions.deployed.deployment_events import record_event
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.archives.imported_tables import referenced_tables
from parabola.services.archives.rows import ImportRefused
from parabola.services.deploys.staged_validators import restart_validators
from parabola.services.files.stored_files import FILES, STORAGE
from parabola.services.imports.checks import SchemaChecks
from parabola.services.imports.load import ImportLoad
from parabola.services.imports.plan import Leftovers, check_number, leftovers, schemas_in_force
from parabola.services.imports.record import ImportMode, ImportRecord, ImportState, state_field
from parabola.services.imports.source import SourceTable
from parabola.values.encoding import COMMIT_TS, Int64

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.tables import Registry, Table
    from parabola.database.transaction import Transaction

__all__ = [
    "check_filled",
    "check_references",
    "complete_import",
    "completed_fields",
    "make_hidden_table",
    "switch",
    "table_exists",
]


async def switch(load: ImportLoad, tables: Sequence[Table], checks: Mapping[str, SchemaChecks]) -> None:
    """Show the hidden tables and end the import; `checks` are those of each component by its id. Raises
    `ImportRefused` when something is in the way.
    """
    users = {
        id: [table for table in tables if table.component == id and not table.is_system] for id in checks
    }
    while True:
        for id, check in checks.items():
            await check.look_through(load, users[id])
        await load.transact(partial(_add_missing_indexes, load.database, tables))
        await load.database.wait_backfilled()
        for id, check in checks.items():
            await check.look_for_duplicates(load, users[id])
        if await load.transact(partial(_try_to_switch, load, tables, checks)):
            return


async def _try_to_switch(
    load: ImportLoad,
    tables: Sequence[Table],
    checks: Mapping[str, SchemaChecks],
    tx: Transaction,
    record: ImportRecord,
) -> bool:
    """True when it is done, False when a push got in between and there is more to prepare."""
    tx.usage.limits = replace(
        tx.usage.limits, system_documents_written=2**31, system_bytes_written=2**40
    )  # every table has rows that change, and there may be thousands of tables
    database = load.database
    for id, check in checks.items():
        mine = [table for table in tables if table.component == id]
        if not await _is_ready(tx.view(id), mine, check, record.request.mode):
            return False
    # Whoever asks for everything to be replaced means every component.
    everywhere = await recorded_components(tx) if record.request.mode == "ReplaceAll" else list(checks)
    going: dict[str, Leftovers] = {}
    for id in sorted({*everywhere, *checks}):
        users = {table.name: table for table in tables if table.component == id and not table.is_system}
        going[id] = leftovers(tx.registry, users, record.request.mode, id)
        await _check_names(tx.view(id), users, going[id], record.request.mode)
    written = sum(database.count_at(table.tablet_id, tx.begin_ts) for table in tables)
    for table in tables:
        await tx.activate_table(table)
    for id, left in going.items():
        view = tx.view(id)
        users = {table.name: table for table in tables if table.component == id and not table.is_system}
        await restart_validators(view, users)
        await _clear(database, view, users, left)
    await complete_import(tx, record, written, load.source.tables)
    return True


async def _is_ready(tx: Transaction, tables: Sequence[Table], checks: SchemaChecks, mode: ImportMode) -> bool:
    """Whether the tables of a component may be shown, False when there is more to prepare."""
    users = {table.name: table for table in tables if not table.is_system}
    registry = tx.registry
    await system_rows(tx, SCHEMAS)
    for schema in schemas_in_force(registry, tx.component):
        for name in referenced_tables(schema, users):
            tx.find_table(name, Access.SERVER)
    if checks.unchecked(registry, users) or checks.uncompared(registry, users.values()):
        return False
    for table in tables:
        present = tx.find_table(table.name, Access.SERVER)
        if present is None:
            continue
        if mode == "RequireEmpty":
            await _require_empty(tx, table.name)
        if not await _match_indexes(tx, table, present):
            return False
    return True


async def _check_names(
    tx: Transaction, users: Mapping[str, Table], going: Leftovers, mode: ImportMode
) -> None:
    """Raise `ImportRefused` if a table of a component cannot take its place after all."""
    gone = {*users, *(table.name for table in (*going.delete, *going.empty))}
    for table in users.values():
        tx.find_table_by_number(table.number)
        check_number(tx.registry, table.name, table.number, gone, tx.component)
    await check_references(tx, list(users.values()), mode)


async def _clear(database: Database, tx: Transaction, users: Mapping[str, Table], going: Leftovers) -> None:
    """Take the tables away that are not in the input; empty those that the schema needs."""
    for table in going.delete:
        await tx.delete_table(table)
    numbers = {table.number for table in users.values()}
    for table in going.empty:
        if table.number in numbers or database.count_at(table.tablet_id, tx.begin_ts):
            number = None if table.number in numbers else table.number
            await tx.activate_table(make_hidden_table(database, tx, table.name, number, table))


async def complete_import(
    tx: Transaction, record: ImportRecord, rows: int, tables: Sequence[SourceTable]
) -> None:
    """The import is done: note that in its row, and for administrators."""
    await tx.patch_system(record.id, completed_fields(rows))
    await record_event(
        tx,
        "snapshot_import",
        format=record.request.format,
        mode=record.request.mode,
        tables=sorted(table.title for table in tables if not table.is_storage),
        component=record.request.component or None,
        num_rows_written=Int64(rows),
    )


def completed_fields(rows: int) -> dict[str, Any]:
    """The fields of the row of an import that is done."""
    state = ImportState(state="completed", num_rows_written=Int64(rows), timestamp=COMMIT_TS)
    return {"state": state_field(state), "tables": None, "position": None, "made": None}


async def check_references(tx: Transaction, tables: Sequence[Table], mode: ImportMode) -> None:
    """Raise `ImportRefused` if documents that stay would hold ids of a table by a number it loses."""
    if mode == "ReplaceAll":
        return
    imported = {table.name for table in tables}
    for table in tables:
        present = tx.find_table(table.name)
        if present is None or present.number == table.number:
            continue
        for schema in schemas_in_force(tx.registry, tx.component):
            for name in sorted(schema.tables.keys() - imported):
                if table.name in referenced_tables(schema, [name]) and await tx.count(name):
                    raise ImportRefused(
                        f"Import changes table '{table.name}' which is referenced by '{name}' in the schema"
                    )


async def _require_empty(tx: Transaction, name: str) -> None:
    if name == FILES:
        name = STORAGE
    if await tx.count(name, system=name == STORAGE):
        raise table_exists(name)


def table_exists(name: str) -> ImportRefused:
    """The refusal of mode RequireEmpty."""
    return ImportRefused(
        f"Table {name} already exists. Please choose a new table name or use replace/append modes.",
        code="TableExists",
    )


# Indexes


def make_hidden_table(
    database: Database, tx: Transaction, name: str, number: int | None, like: Table | None
) -> Table:
    """A hidden table with the indexes of another one, which have nothing to be filled with."""
    table = tx.create_table(name, number=number, state="hidden")
    if like is not None:
        for index in _own_indexes(tx.registry, like):
            tx.create_index(replace(index, index_id=database.new_id(), tablet_id=table.tablet_id))
    return table


async def _add_missing_indexes(
    database: Database, tables: Sequence[Table], tx: Transaction, record: ImportRecord
) -> None:
    """Begin to fill the indexes that a push has added to the visible tables meanwhile."""
    for table in tables:
        present = tx.view(table.component).find_table(table.name, Access.SERVER)
        if present is None:
            continue
        have = {_definition(index) for index in _own_indexes(tx.registry, table)}
        for index in _ready_indexes(tx.registry, present):
            if _definition(index) not in have:
                tx.create_index(
                    replace(index, index_id=database.new_id(), tablet_id=table.tablet_id, state="backfilling")
                )


async def _match_indexes(tx: Transaction, table: Table, present: Table) -> bool:
    """Bring the indexes of a hidden table into the states of the visible one's; False if one is missing."""
    tx.read_set.record(INDEX_BY_TABLET, prefix_interval((float(present.tablet_id),)))
    mine = {_definition(index): index for index in _own_indexes(tx.registry, table)}
    for index in list(_ready_indexes(tx.registry, present)):
        twin = mine.pop(_definition(index), None)
        if twin is None or twin.state == "backfilling":
            return False
        if (twin.state, twin.staged) != (index.state, index.staged):
            await tx.patch_system(twin.document_id, {"state": index.state, "staged": index.staged})
    for index in mine.values():
        await tx.delete_system(index.document_id)
    return True


def _own_indexes(registry: Registry, table: Table) -> Iterator[Index]:
    return (i for i in registry.indexes(table.tablet_id) if i.name not in (BY_ID, BY_CREATION_TIME))


def _ready_indexes(registry: Registry, table: Table) -> Iterator[Index]:
    """The indexes that are filled. A push that fills another one will find that the table has changed."""
    return (index for index in _own_indexes(registry, table) if index.state != "backfilling")


def _definition(index: Index) -> tuple[object, ...]:
    return index.name, index.kind, index.fields, index.options


def check_filled(registry: Registry, table: Table) -> None:
    """Raise `ImportRefused` while indexes of a table that is to be replaced are being filled."""
    if any(index.state == "backfilling" for index in registry.indexes(table.tablet_id)):
        raise ImportRefused(
            f"{table.name} is still backfilling indexes, so it cannot be replaced. "
            "Wait for indexes to complete backfilling"
        )
