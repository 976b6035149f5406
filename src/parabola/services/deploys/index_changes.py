"""How a new schema changes the indexes: which are new, which wait to be enabled, which go (semantics 3.4).
Pure.

An index whose definition changes under the same name coexists for a while: the old one stays enabled and
serves, the new one is filled, and the end of the push swaps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index
from parabola.database.model.tables import Registry
from parabola.services.deploys.push import IndexDiff
from parabola.values.schema.definition import DatabaseIndex, IndexDefinition, Schema, SearchIndex

__all__ = ["IndexChanges", "NewIndex", "describe_stored", "index_changes", "options_of"]

_SYSTEM_INDEXES: Final = (BY_ID, BY_CREATION_TIME)


class NewIndex(Struct, frozen=True):
    """An index that a schema declares and the database does not have yet."""

    table: str
    definition: IndexDefinition


class IndexChanges(Struct, frozen=True):
    """What a schema asks of the indexes.

    `add`: declared, nowhere yet. `pending`: declared and already being filled or filled by an earlier push.
    `enable`: staged until now. `disable`: to become staged. `remove`: declared no more. `abandon`: leftovers
    of a push that never ended, not declared by this one. `restage`: pending ones whose staged flag differs
    from the declaration. `unique` and `ordinary`: enabled ones that become unique, or cease to be.
    """

    add: tuple[NewIndex, ...] = ()
    pending: tuple[Index, ...] = ()
    enable: tuple[Index, ...] = ()
    disable: tuple[Index, ...] = ()
    remove: tuple[Index, ...] = ()
    abandon: tuple[Index, ...] = ()
    restage: tuple[Index, ...] = ()
    unique: tuple[Index, ...] = ()
    ordinary: tuple[Index, ...] = ()

    def diff(self, registry: Registry) -> IndexDiff:
        """The form that the command line shows."""
        new = [describe(new.table, _shape(new.definition), new.definition.staged) for new in self.add]
        new += [describe_stored(registry, index) for index in self.pending]
        return IndexDiff(
            tuple(new),
            tuple(describe_stored(registry, index) for index in self.remove),
            tuple(describe_stored(registry, index) for index in self.enable),
            tuple(describe_stored(registry, index) for index in self.disable),
            tuple(describe_stored(registry, index) for index in self.unique),
            tuple(describe_stored(registry, index) for index in self.ordinary),
        )


def index_changes(registry: Registry, schema: Schema | None, component: str = "") -> IndexChanges:
    """Compare the declared indexes with those that the tables of a component have, or of the app. Without a
    schema none is declared.
    """
    declared = dict(_declared(schema))
    add: list[NewIndex] = []
    kept: set[int] = set()
    pending: list[Index] = []
    enable: list[Index] = []
    disable: list[Index] = []
    restage: list[Index] = []
    changed: list[tuple[bool, Index]] = []
    for (table, _), definition in declared.items():
        found = _find(registry, table, definition, component)
        if found is None:
            add.append(NewIndex(table, definition))
            continue
        kept.add(found.index_id)
        is_unique = isinstance(definition, DatabaseIndex) and definition.unique
        if found.is_enabled and is_unique != _is_unique(registry, found):
            changed.append((is_unique, found))
        if found.is_enabled and definition.staged:
            disable.append(found)
        elif not found.is_enabled:
            if found.staged and not definition.staged:
                enable.append(found)
            elif not found.staged:
                pending.append(found)
            if found.staged != definition.staged:
                restage.append(found)
    gone = [index for index in _stored(registry, component) if index.index_id not in kept]
    return IndexChanges(
        tuple(add),
        tuple(pending),
        tuple(enable),
        tuple(disable),
        remove=tuple(index for index in gone if index.is_enabled or index.staged),
        abandon=tuple(index for index in gone if not index.is_enabled and not index.staged),
        restage=tuple(restage),
        unique=tuple(index for is_unique, index in changed if is_unique),
        ordinary=tuple(index for is_unique, index in changed if not is_unique),
    )


def _is_unique(registry: Registry, index: Index) -> bool:
    table = registry.table_by_tablet(index.tablet_id)
    return table is not None and registry.is_unique(table, index)


def options_of(definition: IndexDefinition) -> dict[str, Any]:
    """What a search or vector index keeps beside its name; empty for a database index."""
    if isinstance(definition, DatabaseIndex):
        return {}
    shape = definition.to_json()
    del shape["indexDescriptor"]
    return shape


def describe(table: str, shape: Mapping[str, Any], staged: bool) -> dict[str, Any]:
    """An index as `deploy-api.md` 6.4 writes it."""
    name = f"{table}.{shape['name']}"
    rest = {key: value for key, value in shape.items() if key != "name"}
    return {"name": name, "staged": staged, **rest}


def _shape(definition: IndexDefinition) -> dict[str, Any]:
    if isinstance(definition, DatabaseIndex):
        unique = {"unique": True} if definition.unique else {}
        fields = list(definition.all_fields)
        return {"name": definition.name, "type": "database", "fields": fields, **unique}
    kind = "search" if isinstance(definition, SearchIndex) else "vector"
    return {"name": definition.name, "type": kind, **options_of(definition)}


def describe_stored(registry: Registry, index: Index) -> dict[str, Any]:
    """The same for an index that there is."""
    table = registry.table_by_tablet(index.tablet_id)
    assert table is not None
    shape: dict[str, Any] = {"name": index.name, "type": index.kind}
    if index.kind == "database":
        shape["fields"] = list(index.fields)
        if registry.is_unique(table, index):
            shape["unique"] = True
    else:
        shape |= {name: list(value) if isinstance(value, tuple) else value for name, value in index.options}
    return describe(table.name, shape, index.staged)


def _declared(schema: Schema | None) -> Iterator[tuple[tuple[str, str], IndexDefinition]]:
    if schema is not None:
        for name, table in schema.tables.items():
            for definition in table.all_indexes():
                yield (name, definition.name), definition


def _stored(registry: Registry, component: str) -> Iterator[Index]:
    for table in registry.tables(component):
        if not table.is_system and table.state == "active":
            yield from (i for i in registry.indexes(table.tablet_id) if i.name not in _SYSTEM_INDEXES)


def _find(registry: Registry, table_name: str, definition: IndexDefinition, component: str) -> Index | None:
    """The stored index with exactly this definition, in any state; an enabled one first."""
    table = registry.table(table_name, component)
    if table is None:
        return None
    same: Iterable[Index] = (i for i in registry.indexes(table.tablet_id) if _is_same(i, definition))
    return min(same, key=lambda index: not index.is_enabled, default=None)


def _is_same(index: Index, definition: IndexDefinition) -> bool:
    if index.name != definition.name or index.kind != definition.kind:
        return False
    if isinstance(definition, DatabaseIndex):
        return index.fields == definition.all_fields
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in index.options}
    return options == options_of(definition)
