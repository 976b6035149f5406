"""Tables, and the registry of all tables, indexes and schemas at one timestamp.

The registry is derived from the rows of `_tables`, `_index` and `_schemas` and from nothing else: a
transaction that writes such a row sees the new registry at once, and the committer applies the same rows when
the transaction commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar

import orjson
from msgspec import Struct

from parabola.database.model.indexes import Index
from parabola.database.model.schema_rows import StoredSchema
from parabola.database.model.system_tables import INDEXES, SCHEMAS, TABLES, VIRTUAL_TABLES
from parabola.database.model.table_rows import IndexRow, TableRow, TableState
from parabola.values.schema.definition import DatabaseIndex, Schema

__all__ = [
    "FIRST_USER_TABLE_NUMBER",
    "METADATA_TABLES",
    "Registry",
    "SchemaRow",
    "Table",
    "TableState",
    "index_of_row",
    "public_name",
    "row_of_index",
    "row_of_table",
    "table_of_row",
]

FIRST_USER_TABLE_NUMBER: Final = 10001
"""User tables take the lowest free number from here on (semantics 2.3)."""

METADATA_TABLES: Final = frozenset({TABLES, INDEXES, SCHEMAS})
"""The tables whose rows make the registry."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `tablet_id` is its own for ever, `name` and `number` are the active one's in a component.

    A *hidden* table is being imported and nobody sees it; a *deleting* one waits for its rows to be removed.
    """

    tablet_id: int
    name: str
    number: int
    state: TableState = "active"
    component: str = ""
    document_id: str = ""
    is_system: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_system", self.name.startswith("_"))


class SchemaRow(Struct, frozen=True):
    """A schema that is active, pending or validated, and the `_schemas` row that says so (semantics 3.5)."""

    document_id: str
    state: Literal["pending", "validated", "active"]
    text: str

    @property
    def schema(self) -> Schema:
        return _parse_schema(self.text)

    @property
    def unique_indexes(self) -> Mapping[str, tuple[DatabaseIndex, ...]]:
        """The unique indexes of each table that has any."""
        return _unique_indexes(self.text)


@lru_cache(maxsize=16)
def _parse_schema(text: str) -> Schema:
    return Schema.from_json(orjson.loads(text))


@lru_cache(maxsize=16)
def _unique_indexes(text: str) -> Mapping[str, tuple[DatabaseIndex, ...]]:
    return _parse_schema(text).unique_indexes


class Registry:
    """All tables, indexes and schemas at one timestamp. Never changes; `with_row` makes the next one.

    Look-ups by name or number find *active* tables of one component, the root app's unless told otherwise. As
    it stands it is also the `TableNames` of the root app.
    """

    __slots__ = (
        "_by_name",
        "_by_number",
        "_by_tablet",
        "_indexes",
        "_schemas",
        "_settled",
        "_unique_schemas",
        "plans",
    )

    def __init__(self) -> None:
        self.plans: dict[Any, Any] = {}
        """What rooms above have worked out from it: it lives as long."""
        self._by_tablet: dict[int, Table] = {}
        self._by_name: dict[tuple[str, str], Table] = {}
        self._by_number: dict[tuple[str, int], Table] = {}
        self._indexes: dict[int, tuple[Index, ...]] = {}
        self._schemas: dict[str, tuple[SchemaRow, ...]] = {}
        self._unique_schemas: list[tuple[str, SchemaRow]] | None = None
        self._settled: dict[str, bool] = {}

    # Tables

    def table(self, name: str, component: str = "") -> Table | None:
        return self._by_name.get((component, name))

    def table_by_number(self, number: int, component: str = "") -> Table | None:
        return self._by_number.get((component, number))

    def table_by_tablet(self, tablet_id: int) -> Table | None:
        """The table in whatever state it is."""
        return self._by_tablet.get(tablet_id)

    def tables(self, component: str | None = None) -> list[Table]:
        """All tables in any state, of one component or of all, by number."""
        found = [t for t in self._by_tablet.values() if component is None or t.component == component]
        return sorted(found, key=lambda table: (table.component, table.number, table.tablet_id))

    def table_name(self, number: int) -> tuple[str, bool] | None:
        """Name of the root app's table with this number, and whether it is a system table (`TableNames`)."""
        return self.table_name_in("", number)

    def table_name_in(self, component: str, number: int) -> tuple[str, bool] | None:
        table = self._by_number.get((component, number))
        return None if table is None else (public_name(table.name), table.is_system)

    def free_table_number(self, component: str = "") -> int:
        """The lowest number no user table of the component holds, in any state."""
        taken = {table.number for table in self._by_tablet.values() if table.component == component}
        number = FIRST_USER_TABLE_NUMBER
        while number in taken:
            number += 1
        return number

    # Indexes

    def indexes(self, tablet_id: int) -> tuple[Index, ...]:
        """Every index of a table in any state, `by_id` first."""
        return self._indexes.get(tablet_id, ())

    def index(self, table: Table, name: str) -> Index | None:
        """The index of that name; where an enabled and a pending one share it, the enabled one."""
        found = None
        for index in self._indexes.get(table.tablet_id, ()):
            if index.name == name:
                if index.is_enabled:
                    return index
                found = index
        return found

    def index_ids(self) -> Iterable[int]:
        return [index.index_id for indexes in self._indexes.values() for index in indexes]

    # Schemas

    def active_schema(self, component: str = "") -> SchemaRow | None:
        return self._schema(component, "active")

    def pending_schema(self, component: str = "") -> SchemaRow | None:
        """The schema of the push under way, validated or not."""
        return self._schema(component, "pending") or self._schema(component, "validated")

    def unique_schemas(self) -> list[tuple[str, SchemaRow]]:
        """The components and schemas in force, active or on their way, that have unique indexes; the active
        one of a component comes first.
        """
        if self._unique_schemas is None:
            self._unique_schemas = [
                (component, row)
                for component, rows in self._schemas.items()
                for row in sorted(rows, key=lambda row: row.state != "active")
                if row.unique_indexes
            ]
        return self._unique_schemas

    def is_settled(self, component: str = "") -> bool:
        """Whether the documents of a component are held to its active schema and to nothing else: no other
        schema is being pushed, and none is staged.
        """
        settled = self._settled.get(component)
        if settled is None:
            active = self.active_schema(component)
            staged = () if active is None else active.schema.tables.values()
            settled = self.pending_schema(component) is None and not any(
                table.staged_type is not None for table in staged
            )
            self._settled[component] = settled
        return settled

    def is_unique(self, table: Table, index: Index) -> bool:
        """Whether the active schema calls an index unique, and that of this very form."""
        active = self.active_schema(table.component)
        return active is not None and any(
            each.name == index.name and each.all_fields == index.fields
            for each in active.unique_indexes.get(table.name, ())
        )

    def _schema(self, component: str, state: str) -> SchemaRow | None:
        for row in self._schemas.get(component, ()):
            if row.state == state:
                return row
        return None

    # Change

    def with_row(
        self, table: Table, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
    ) -> Registry:
        """The registry after a row of a metadata table has changed."""
        registry = self._copy(table.name)
        registry._change(table, old, new)
        return registry

    def with_rows(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> Registry:
        """The registry after all these rows of a metadata table were added."""
        registry = self._copy(table.name)
        for row in rows:
            registry._change(table, None, row)
        return registry

    def _copy(self, changing: str) -> Registry:
        """A registry that shares everything but what rows of the metadata table `changing` may change."""
        copy = Registry()
        tables, indexes, schemas = changing == TABLES, changing == INDEXES, changing == SCHEMAS
        copy._by_tablet = self._by_tablet.copy() if tables else self._by_tablet
        copy._by_name = self._by_name.copy() if tables else self._by_name
        copy._by_number = self._by_number.copy() if tables else self._by_number
        copy._indexes = self._indexes.copy() if indexes else self._indexes
        copy._schemas = self._schemas.copy() if schemas else self._schemas
        copy._unique_schemas = None if schemas else self._unique_schemas
        copy._settled = {} if schemas else self._settled
        return copy

    def _change(self, table: Table, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        if table.name == TABLES:
            self._change_table(old, new)
        elif table.name == INDEXES:
            self._change_index(old, new)
        elif table.name == SCHEMAS:
            self._change_schema(table.component, old, new)

    def _change_table(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        if old is not None:
            table = table_of_row(old)
            del self._by_tablet[table.tablet_id]
            # Within one transaction an import may have put the new table there before the old one goes.
            name, number = (table.component, table.name), (table.component, table.number)
            if self._by_name.get(name) == table:
                del self._by_name[name]
            if self._by_number.get(number) == table:
                del self._by_number[number]
        if new is not None:
            table = table_of_row(new)
            self._by_tablet[table.tablet_id] = table
            if table.state == "active":
                self._by_name[table.component, table.name] = table
                self._by_number[table.component, table.number] = table

    def _change_index(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        for row, present in ((old, False), (new, True)):
            if row is None:
                continue
            index = index_of_row(row)
            others = tuple(i for i in self.indexes(index.tablet_id) if i.index_id != index.index_id)
            kept = (*others, index) if present else others
            if kept:
                self._indexes[index.tablet_id] = tuple(sorted(kept, key=lambda i: i.index_id))
            else:
                self._indexes.pop(index.tablet_id, None)

    def _change_schema(
        self, component: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
    ) -> None:
        row = new or old
        assert row is not None
        changed = StoredSchema.read(row)
        kept = tuple(r for r in self._schemas.get(component, ()) if r.document_id != changed.id)
        state = changed.state
        if new is not None and (state == "pending" or state == "validated" or state == "active"):
            kept = (*kept, SchemaRow(changed.id, state, changed.schema))
        self._schemas[component] = kept


def public_name(name: str) -> str:
    """Virtual tables are known to users by their own names, with the numbers of the tables behind them."""
    return _VIRTUAL_NAMES.get(name, name)


_VIRTUAL_NAMES: Final = {backing: virtual for virtual, backing in VIRTUAL_TABLES.items()}


def table_of_row(value: Mapping[str, Any]) -> Table:
    """The table a `_tables` row describes."""
    row = TableRow.read(value)
    return Table(
        tablet_id=int(row.tablet),
        name=row.name,
        number=int(row.number),
        state=row.state,
        component=row.component,
        document_id=row.id,
    )


def row_of_table(table: Table) -> dict[str, Any]:
    """The `_tables` row, without system fields."""
    row = TableRow(
        tablet=float(table.tablet_id),
        name=table.name,
        number=float(table.number),
        state=table.state,
        component=table.component,
    )
    return row.fields()


def index_of_row(value: Mapping[str, Any]) -> Index:
    """The index an `_index` row describes."""
    row = IndexRow.read(value)
    return Index(
        index_id=int(row.index_id),
        tablet_id=int(row.tablet),
        name=row.name,
        fields=row.paths,
        state=row.state,
        staged=row.staged,
        kind=row.kind,
        options=tuple(sorted((name, _frozen(value)) for name, value in row.options.items())),
        document_id=row.id,
    )


def row_of_index(index: Index) -> dict[str, Any]:
    """The `_index` row, without system fields."""
    row = IndexRow(
        index_id=float(index.index_id),
        tablet=float(index.tablet_id),
        name=index.name,
        paths=index.fields,
        state=index.state,
        staged=index.staged,
        kind=index.kind,
        options={name: list(value) if isinstance(value, tuple) else value for name, value in index.options},
    )
    return row.fields()


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
