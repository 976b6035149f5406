"""Which components a push leads to, from its definitions and those that are mounted now (components 5). Pure
but for the ids it makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from parabola.database.model.system_tables import SYSTEM_TABLES
from parabola.functions.deployed.components import Component, Variable
from parabola.functions.deployed.definition import Definition
from parabola.values.ids import day_of, new_id

if TYPE_CHECKING:
    from parabola.functions.deployed.deployment import Deployment
    from parabola.services.deploys.definitions import EvaluatedDefinition

__all__ = ["ComponentTree", "Difference", "component_tree"]

Difference = Literal["create", "modify", "remount", "unmount"]
"""What becomes of a component, in the words of a push (deploy-api 6.8)."""


class ComponentTree(Struct, frozen=True):
    """Every component once the push is through, unmounted ones among them, and what becomes of each."""

    components: Mapping[str, Component]
    """By their ids."""
    mounts: Mapping[str, str]
    children: Mapping[str, str]
    differences: Mapping[str, Difference]
    """By their paths. One that was unmounted before and stays so is not among them."""

    @property
    def created(self) -> list[Component]:
        """Those that have no namespace yet, parents first."""
        new = (each for each in self.components.values() if self.differences.get(each.path) == "create")
        return sorted(new, key=lambda component: component.path.count("/"))

    def in_order(self) -> list[Component]:
        """Those that are mounted, parents first."""
        active = (each for each in self.components.values() if each.state == "active")
        return sorted(active, key=lambda component: (component.path.count("/"), component.path))

    def definitions(self) -> list[Definition]:
        """The definitions of those that are mounted, each once."""
        return list({each.definition.path: each.definition for each in self.in_order()}.values())

    def unmounted(self) -> list[Component]:
        """Those that this push unmounts."""
        return [each for each in self.components.values() if self.differences.get(each.path) == "unmount"]

    def put_into(self, deployment: Deployment) -> Deployment:
        """The deployment with these components below the app."""
        return replace(deployment, components=self.components, mounts=self.mounts, children=self.children)


def component_tree(
    base: Deployment,
    evaluated: Mapping[str, EvaluatedDefinition],
    now_ms: float,
) -> ComponentTree:
    """The tree that checked definitions describe. A path that has a component keeps its id, whatever
    definition is mounted there. `now_ms` is the clock, in milliseconds since 1970.
    """
    definitions = {path: each.code for path, each in evaluated.items() if path}
    number, day = SYSTEM_TABLES["_components"].number, day_of(now_ms)
    components: dict[str, Component] = {}
    differences: dict[str, Difference] = {"": "modify"}
    app = evaluated.get("")

    def add(
        parent: str, above: Mapping[str, Variable] | None, prefix: str | None, path: str
    ) -> dict[str, str]:
        """Add the children of the definition at `path` below a component; their ids by their names."""
        ids: dict[str, str] = {}
        shape = evaluated[path].shape
        mounts = {name: mount for mount, name in _mounts(shape.http_mounts)}
        for child in shape.child_components:
            below = f"{parent}/{child.name}" if parent else child.name
            before = base.component_at(below)
            mount = mounts.get(child.name)
            if mount is not None and prefix is not None:
                # Mounts of the app are absolute, whatever prefix its own routes have.
                child_prefix: str | None = prefix.rstrip("/") + mount
            else:
                child_prefix = None
            env = dict(_given(child.env or (), above))
            id = new_id(number, day) if before is None else before.id
            ids[child.name] = id
            children = add(below, env, child_prefix, child.path)
            components[id] = Component(
                id,
                below,
                definitions[child.path],
                env,
                child_prefix,
                dict(_mounts(evaluated[child.path].shape.http_mounts)),
                children,
            )
            if before is None:
                differences[below] = "create"
            else:
                differences[below] = "modify" if before.state == "active" else "remount"
        return ids

    children = {} if app is None else add("", None, "/", "")
    for old in base.components.values():
        if old.id not in components:
            components[old.id] = replace(
                old,
                definition=Definition(old.definition.path),
                env={},
                mounts={},
                children={},
                state="unmounted",
            )
            if old.state == "active":
                differences[old.path] = "unmount"
    mounts = {} if app is None else dict(_mounts(app.shape.http_mounts))
    return ComponentTree(components, mounts, children, differences)


def _mounts(declared: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The names of children by their prefixes, from references to them."""
    for prefix, reference in declared.items():
        yield prefix, reference.rpartition("/")[2]


def _given(declared: Any, above: Mapping[str, Variable] | None) -> Iterator[tuple[str, Variable]]:
    """What a child is given. A variable of a component is whatever that was given itself: what stands with an
    instance is a text or the name of a variable of the app (components 4.2).
    """
    for name, binding in declared:
        if binding.type == "value":
            yield name, Variable(value=binding.value)
        elif above is None:
            yield name, Variable(name=binding.name)
        elif (given := above.get(binding.name)) is not None:
            yield name, given
