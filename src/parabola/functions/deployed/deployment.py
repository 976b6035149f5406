"""What is deployed: the app's code, the components below it, the environment. Immutable; a push makes a new
one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from parabola.functions.deployed.components import APP_ID, Component
from parabola.functions.deployed.definition import (
    KIND_TITLES,
    Definition,
    FunctionKind,
    FunctionSpec,
    Module,
    Visibility,
    functions_of,
    module_hash,
)
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.functions.deployed.runtimes import RUNTIMES, RuntimeName

if TYPE_CHECKING:
    from parabola.functions.deployed.declared_definitions import DeclaredDefinition
    from parabola.values.analyzed_modules import AnalyzedCron, AnalyzedModule, AnalyzedRoute
    from parabola.values.schema.definition import Schema

__all__ = [
    "KIND_TITLES",
    "Deployment",
    "FunctionKind",
    "FunctionSpec",
    "Module",
    "Visibility",
    "functions_of",
    "module_hash",
]


class Deployment(Struct, frozen=True, dict=True):
    """Everything a push decides. Executions hold on to the one they began with."""

    modules: Mapping[str, Module] = {}
    functions: Mapping[str, FunctionSpec] = {}
    schema: Schema | None = None
    env: Mapping[str, str] = {}
    auth_providers: Sequence[Mapping[str, Any]] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    http_prefix: str = "/"
    """What the paths of the app's HTTP routes begin with; it begins and ends with a slash."""
    node_packages: str | None = None
    """Names the folder of npm packages that `"use node"` modules import from outside."""
    pushed_at_ms: float = 0.0
    """What the database's clock showed; modules that read the clock while they are imported see it."""
    components: Mapping[str, Component] = {}
    """Every component below the app by its id, unmounted ones among them."""
    mounts: Mapping[str, str] = {}
    """The names of the app's children by the prefixes at which they are mounted."""
    children: Mapping[str, str] = {}
    """The ids of the app's children by their names."""
    declared: Sequence[DeclaredDefinition] = ()
    """What pushes of both languages have said of the app and its components."""
    is_paused: bool = False
    """Whether an administrator has stopped its functions."""
    brought: Mapping[str, Definition] = {}
    """The code of all components that pushes have brought, mounted or not, by the paths of definitions."""

    @cached_property
    def app(self) -> Component:
        """The root of the tree of components."""
        definition = Definition("", self.modules, self.functions, self.schema)
        return Component(definition=definition, http_prefix="/", mounts=self.mounts, children=self.children)

    def component(self, id: str) -> Component | None:
        """The component with this id, the app's is empty."""
        return self.app if id == APP_ID else self.components.get(id)

    def component_at(self, path: str) -> Component | None:
        """The component at a path, the app's is empty; an unmounted one too."""
        return self.app if not path else self._by_path.get(path)

    @cached_property
    def _by_path(self) -> Mapping[str, Component]:
        return {component.path: component for component in self.components.values()}

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        """The definitions of components, by their paths; not the app's."""
        return dict(self.brought) | {
            each.definition.path: each.definition
            for each in self.components.values()
            if each.state == "active"
        }

    def function(self, path: str | FunctionPath) -> FunctionSpec | None:
        """Find a function of the app by any spelling of its name; raises `BadRequest` for a text that cannot
        be one.
        """
        name = path if isinstance(path, FunctionPath) else parse_path(path)
        return self.functions.get(name.canonical)

    def module(self, name: str) -> Module | None:
        """Find a module of the app by its name with or without an extension."""
        return self.app.definition.module(name)

    def runtimes(self) -> tuple[RuntimeName, ...]:
        """The runtimes that have at least one module: one set of hosts is kept for each."""
        definitions = (self.app.definition, *self.definitions.values())
        present = {name for each in definitions for name in each.runtimes()}
        return tuple(name for name in RUNTIMES if name in present)

    @property
    def has_advised_authors(self) -> bool:
        """Whether some of the app is written in a language whose authors are told more than the official
        texts.
        """
        return self.app.definition.has_advised_authors

    def near(self, name: FunctionPath) -> str:
        """Which functions of the app may have been meant (`Definition.near`)."""
        return self.app.definition.near(name)

    def modules_for(self, runtime: RuntimeName) -> list[Module]:
        """The app's modules that a host of this runtime loads, in path order."""
        return self.app.definition.modules_for(runtime)

    @property
    def analyzed_modules(self) -> dict[str, AnalyzedModule]:
        """What each module of the app defines (`Definition.analyzed_modules`)."""
        return self.app.definition.analyzed_modules

    @property
    def http_routes(self) -> list[tuple[Module, AnalyzedRoute]]:
        """Routes of the app's router (`Definition.http_routes`)."""
        return self.app.definition.http_routes

    @property
    def crons(self) -> list[AnalyzedCron]:
        """Cron specifications of the app (`Definition.crons`)."""
        return self.app.definition.crons

    @staticmethod
    def of(
        modules: Iterable[Module],
        *,
        schema: Schema | None = None,
        env: Mapping[str, str] | None = None,
        auth_providers: Sequence[Mapping[str, Any]] = (),
        id: str | None = None,
        pushed_at_ms: float | None = None,
        node_packages: str | None = None,
        http_prefix: str = "/",
    ) -> Deployment:
        """Assemble a deployment without components from analysed modules."""
        app = Definition.of("", modules, schema)
        deployment = Deployment(app.modules, app.functions, schema, dict(env or {}), tuple(auth_providers))
        deployment = replace(deployment, node_packages=node_packages, http_prefix=http_prefix)
        if id is not None:
            deployment = replace(deployment, id=id)
        return deployment if pushed_at_ms is None else replace(deployment, pushed_at_ms=pushed_at_ms)

    def with_env(self, env: Mapping[str, str]) -> Deployment:
        """The same code in another environment."""
        return replace(self, env=dict(env), id=uuid.uuid4().hex)
