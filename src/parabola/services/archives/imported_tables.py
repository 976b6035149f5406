"""Tables as they will be when an import is done, and what the schema says of them. Pure.

While rows are loaded the tables of an import are hidden, but the ids in the rows already mean them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from parabola.values.validators.base import OptionalValidator
from parabola.values.validators.containers import ObjectValidator, UnionValidator

if TYPE_CHECKING:
    from parabola.database.model.tables import Registry, Table
    from parabola.values.schema.definition import Schema

__all__ = [
    "ImportedTables",
    "optional_fields",
    "referenced_tables",
    "tables_needed_by",
    "user_tables",
]


class ImportedTables:
    """Which table of a component, or of the app, an id belongs to once an import is done (a `TableNames`).

    `numbers` are those of the imported tables by name; tables that are `deleted` are gone then.
    """

    def __init__(
        self,
        registry: Registry,
        numbers: Mapping[str, int],
        deleted: Iterable[str] = (),
        component: str = "",
    ) -> None:
        self._component = component
        self._registry = registry
        self._numbers = dict(numbers)
        self._names = {number: name for name, number in numbers.items()}
        self._gone = {*numbers, *deleted}

    def table_name(self, number: int) -> tuple[str, bool] | None:
        """Name of the table with this number, and whether it is a system table."""
        if number in self._names:
            return self._names[number], False
        found = self._registry.table_name_in(self._component, number)
        return None if found is None or found[0] in self._gone else found

    def number_of(self, name: str) -> int | None:
        """The number of a table, or None if there is none of that name."""
        if name in self._numbers:
            return self._numbers[name]
        table = self._registry.table(name, self._component)
        return None if table is None or name in self._gone else table.number


def user_tables(registry: Registry, component: str = "") -> dict[str, Table]:
    """The active tables of users in a component, by its id, or in the app, by name."""
    tables = registry.tables(component)
    return {table.name: table for table in tables if table.state == "active" and not table.is_system}


def referenced_tables(schema: Schema, names: Iterable[str]) -> frozenset[str]:
    """The tables whose ids documents of the tables `names` are checked for."""
    found: set[str] = set()
    if schema.schema_validation:
        for name in names:
            _collect_ids(schema, name, found)
    return frozenset(found)


def tables_needed_by(schema: Schema) -> frozenset[str]:
    """The tables that cannot go: those the schema names, as tables or in `v.id` (semantics 2.3)."""
    found = set(schema.tables)
    for name in schema.tables:
        _collect_ids(schema, name, found)
    return frozenset(found)


def optional_fields(schema: Schema | None, table: str) -> frozenset[str]:
    """The top-level fields that documents of a table may leave out."""
    definition = None if schema is None else schema.tables.get(table)
    document_type = None if definition is None else definition.document_type
    shapes = document_type.members if isinstance(document_type, UnionValidator) else (document_type,)
    found: set[str] = set()
    required: set[str] = set()
    for shape in shapes:
        if isinstance(shape, ObjectValidator):
            for name, field in shape.fields.items():
                (found if isinstance(field, OptionalValidator) else required).add(name)
    return frozenset(found - required)


def _collect_ids(schema: Schema, table: str, found: set[str]) -> None:
    definition = schema.tables.get(table)
    if definition is not None and definition.document_type is not None:
        _collect(definition.document_type.to_json(), found)


def _collect(validator_json: Any, found: set[str]) -> None:
    if isinstance(validator_json, dict):
        if validator_json.get("type") == "id" and isinstance(validator_json.get("tableName"), str):
            found.add(validator_json["tableName"])
        for part in validator_json.values():
            _collect(part, found)
    elif isinstance(validator_json, list):
        for part in validator_json:
            _collect(part, found)
