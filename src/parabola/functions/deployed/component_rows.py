"""Components as rows of `_components`: one for each mount, kept as long as its namespace (components 5.1).

Definitions are not rows of their own: what a component was given and where its code is stands with the
component, and the code in `_modules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.components import Component, Variable
from parabola.functions.deployed.definition import Definition
from parabola.functions.deployed.stored_rows import system_rows

if TYPE_CHECKING:
    from parabola.database.model.tables import Registry
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = [
    "ComponentRow",
    "MountedChild",
    "component_ids",
    "component_rows",
    "components_of",
    "components_with_tables",
    "create_unmounted",
    "mounted_children",
    "recorded_components",
    "remove_components",
    "remove_unrecorded",
    "store_components",
]

COMPONENTS: Final = "_components"


class GivenVariable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that an instance was given: a text, or the name of one of the app's."""

    name: str
    value: str | UnsetType = UNSET
    variable: str | UnsetType = UNSET


class MountedChild(msgspec.Struct, frozen=True, kw_only=True):
    """A child whose HTTP actions are reached below a prefix."""

    prefix: str
    name: str


def mounted_children(mounts: Mapping[str, str]) -> tuple[MountedChild, ...]:
    """The names of children by their prefixes, as rows keep them: a prefix may not be the name of a field."""
    return tuple(MountedChild(prefix=prefix, name=name) for prefix, name in sorted(mounts.items()))


class ComponentRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_components`: its id is the component's. `parent` is None below the app."""

    definition_path: str
    parent: str | None
    name: str
    state: Literal["active", "unmounted"]
    http_prefix: str | None
    mounts: tuple[MountedChild, ...]
    env: tuple[GivenVariable, ...]

    def given(self) -> dict[str, Variable]:
        """What it was given for its variables."""
        return {
            each.name: Variable(value=each.value)
            if not isinstance(each.value, UnsetType)
            else Variable(name=None if isinstance(each.variable, UnsetType) else each.variable)
            for each in self.env
        }

    @classmethod
    def holding(cls, component: Component, parent: str | None) -> ComponentRow:
        """The row for a component below a parent, None for the app."""
        return cls(
            definition_path=component.definition.path,
            parent=parent,
            name=component.path.rpartition("/")[2],
            state=component.state,
            http_prefix=component.http_prefix,
            mounts=mounted_children(component.mounts),
            env=tuple(
                GivenVariable(
                    name=name,
                    value=UNSET if given.value is None else given.value,
                    variable=UNSET if given.name is None else given.name,
                )
                for name, given in sorted(component.env.items())
            ),
        )


def components_with_tables(registry: Registry) -> list[str]:
    """Whatever has tables of its own: the app, empty, and components by their ids."""
    return sorted({table.component for table in registry.tables() if table.state == "active"})


async def recorded_components(tx: Snapshot) -> list[str]:
    """The app, empty, and all components by their ids; the reader depends on which there are."""
    return ["", *(row.id for row in await component_rows(tx))]


async def remove_unrecorded(tx: Transaction) -> None:
    """Take away the tables of components that have no row: the end of the server has cut off their push."""
    recorded = await recorded_components(tx)
    for component in components_with_tables(tx.registry):
        if component not in recorded:
            await tx.delete_component(component)


async def component_rows(tx: Snapshot) -> list[ComponentRow]:
    """Every component, parents before their children."""
    return [ComponentRow.of(row) for row in await system_rows(tx, COMPONENTS)]


def components_of(rows: list[ComponentRow], definitions: Mapping[str, Definition]) -> dict[str, Component]:
    """The components that rows describe, by their ids. The code of an unmounted one is nobody's."""
    paths: dict[str, str] = {}
    waiting = list(rows)
    while waiting:
        ready = [row for row in waiting if row.parent is None or row.parent in paths]
        if not ready:
            break  # whose parent is gone has no path
        for row in ready:
            paths[row.id] = row.name if row.parent is None else f"{paths[row.parent]}/{row.name}"
        waiting = [row for row in waiting if row.id not in paths]
    children: dict[str | None, dict[str, str]] = {}
    for row in rows:
        if row.state == "active":
            children.setdefault(row.parent, {})[row.name] = row.id
    return {
        row.id: Component(
            row.id,
            paths[row.id],
            definitions.get(row.definition_path, Definition(row.definition_path))
            if row.state == "active"
            else Definition(row.definition_path),
            row.given(),
            row.http_prefix,
            {each.prefix: each.name for each in row.mounts},
            children.get(row.id, {}),
            row.state,
        )
        for row in rows
        if row.id in paths
    }


async def component_ids(tx: Snapshot) -> dict[str, str]:
    """The ids of all components by their paths, unmounted ones among them; the app's are both empty."""
    components = components_of(await component_rows(tx), {})
    return {"": "", **{component.path: component.id for component in components.values()}}


async def create_unmounted(tx: Transaction, paths: list[str], ids: Mapping[str, str]) -> dict[str, str]:
    """Create components for which there is no code yet, with those above them that are not among `ids`; the
    new ids by their paths, parents first.
    """
    made: dict[str, str] = {}
    for path in paths:
        names = path.split("/")
        for end in range(1, len(names) + 1):
            place = "/".join(names[:end])
            above = "/".join(names[: end - 1])
            if place in ids or place in made:
                continue
            component = Component(path=place, definition=Definition(place), state="unmounted")
            row = ComponentRow.holding(component, (made.get(above) or ids.get(above)) or None)
            made[place] = await tx.insert_system(COMPONENTS, row.fields())
            tx.create_component(made[place])
    return made


async def remove_components(tx: Transaction, ids: Iterable[str]) -> None:
    """Remove components with all that is theirs: tables, files, jobs, handles."""
    gone = set(ids)
    for row in await component_rows(tx):
        if row.id in gone:
            await tx.delete_component(row.id)
            await tx.delete_system(row.id)


async def store_components(tx: Transaction, components: Mapping[str, Component]) -> None:
    """Make the rows say `components`, whose namespaces are there. Rows of others stay as they are."""
    rows = {row.id: row for row in await component_rows(tx)}
    table = tx.registry.table(COMPONENTS)
    assert table is not None
    ids = {component.path: component.id for component in components.values()}
    for path in sorted(ids, key=lambda path: path.count("/")):
        component = components[ids[path]]
        above = path.rpartition("/")[0]
        row = ComponentRow.holding(component, ids[above] if above else None)
        if component.id not in rows:
            await tx.import_document(table, {**row.fields(), "_id": component.id})
        elif rows[component.id].fields() != row.fields():
            await tx.replace_system(component.id, row.fields())
