"""What a push says about the app and its components, and what that comes to (deploy-api 7.1 and 7.5). Pure.

Components are analysed, so that types can be generated and mistakes come to light; they do not run yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from parabola.functions.deployed.deployment import Module
from parabola.values.analyzed_modules import AnalyzedModule
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.values.schema.definition import Schema

__all__ = [
    "Definition",
    "EvaluatedDefinition",
    "PushedDefinition",
    "check_definitions",
    "check_variables",
    "mounted",
]

APP_PATH: Final = ""


@dataclass(frozen=True)
class PushedDefinition:
    """A `convex.config.js`. Modules and schema are those of a component: the app's are the push's own.

    `path` leads from the app's functions to the component's directory; it is empty for the app.
    """

    path: str
    module: Module
    modules: tuple[Module, ...] = ()
    """What the component consists of, `schema.js` among it."""


class _Binding(msgspec.Struct):
    """What a child is given for one of its variables: a text, or a variable of whoever uses it."""

    type: Literal["value", "envVar"]
    value: str | None = None
    name: str = ""


class _Child(msgspec.Struct):
    name: str
    path: str
    args: Any = None
    env: list[tuple[str, _Binding]] | None = None


class _Branch(msgspec.Struct):
    type: Literal["branch"]
    branch: list[tuple[str, Any]]


class _Variable(msgspec.Struct):
    optional: bool = False


class Definition(msgspec.Struct, rename="camel"):
    """What every definition has (deploy-api 7.1), as far as the server reads it."""

    definition_type: dict[str, Any]
    child_components: list[_Child]
    http_mounts: dict[str, str]
    exports: _Branch
    env_vars: list[tuple[str, _Variable]] | None = None
    http_prefix: Any = None
    """What the paths of the app's HTTP routes begin with."""


@dataclass(frozen=True)
class EvaluatedDefinition:
    """A definition as its own code describes it, which goes back to the command line whole, and what its
    modules contain.
    """

    definition: Mapping[str, Any]
    functions: Mapping[str, AnalyzedModule] = field(default_factory=dict)
    schema: Schema | None = None

    @cached_property
    def shape(self) -> Definition:
        """What the server reads of the definition. Raises `msgspec.ValidationError` for what is none."""
        return msgspec.convert(self.definition, Definition)

    def with_exports(self) -> EvaluatedDefinition:
        """The same component with its public functions as exports: codegen reads them there."""
        definition = {**self.definition, "exports": _branch(_public_functions(self.functions))}
        return EvaluatedDefinition(definition, self.functions, self.schema)


Evaluated = Mapping[str, EvaluatedDefinition]


def check_definitions(definitions: Evaluated) -> None:
    """Raise `BadRequest` for what is no definition, and for components that cannot be mounted."""
    for path, evaluated in definitions.items():
        try:
            shape = evaluated.shape
        except msgspec.ValidationError as error:
            place = f"{path}/convex.config.js" if path else "convex.config.js"
            raise BadRequest(
                f"{place} does not define an app or a component: {error}. Export the result of "
                "`defineApp()` or `defineComponent(...)` as its default.",
                code="InvalidConvexConfig",
            ) from None
        for child in shape.child_components:
            if child.path not in definitions:
                raise BadRequest(
                    f"{child.name} uses a component that is not part of the push: {child.path}.",
                    code="InvalidConvexConfig",
                )
    if APP_PATH in definitions:
        mounted(definitions)


def check_variables(definitions: Evaluated, env: Mapping[str, str]) -> None:
    """Raise `BadRequest` when a variable that the app declares as required is not set."""
    app = definitions.get(APP_PATH)
    declared = (app.shape.env_vars if app is not None else None) or ()
    missing = sorted(name for name, variable in declared if not variable.optional and name not in env)
    if missing:
        # The command line finds the names between the colon and the full stop.
        raise BadRequest(
            f"Environment variables that convex.config.ts requires are not set: {', '.join(missing)}. "
            "Set them with `npx convex env set`, or declare them as optional.",
            code="MissingEnvironmentVariables",
        )


def mounted(
    definitions: Evaluated, path: str = APP_PATH, component_path: str = "", above: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The tree of components below a definition, each at the path at which it is mounted.

    Raises `BadRequest` when two of them have one name, or one is inside itself.
    """
    if path in above:
        raise BadRequest(f"The component {path} uses itself.", code="CyclicImport")
    evaluated = definitions[path]
    children: dict[str, Any] = {}
    for child in evaluated.shape.child_components:
        name = child.name
        if name in children:
            raise BadRequest(
                f"Two components are called {name}. Give one of them another `name` in `app.use(...)`.",
                code="TypecheckError",
            )
        below = f"{component_path}/{name}" if component_path else name
        children[name] = mounted(definitions, child.path, below, (*above, path))
    routes = [
        msgspec.to_builtins(route.route)
        for module in evaluated.functions.values()
        for route in module.http_routes or ()
    ]
    return {
        "definitionPath": path,
        "componentPath": component_path,
        "args": {},
        "childComponents": children,
        "httpRoutes": {
            "httpModuleRoutes": routes if "http.js" in evaluated.functions else None,
            "mounts": sorted(evaluated.shape.http_mounts),
        },
        "exports": {}
        if path == APP_PATH
        else {name: _checked(node, component_path) for name, node in evaluated.shape.exports.branch},
    }


def _public_functions(modules: Mapping[str, AnalyzedModule]) -> Iterator[tuple[list[str], str]]:
    """The way to each public function through folders and files, and its reference."""
    for path, module in sorted(modules.items()):
        for function in module.functions:
            if function.visibility is not None and function.visibility.kind == "public":
                way = [*path.removesuffix(".js").split("/"), function.name]
                yield way, f"_reference/function/{path}:{function.name}"


def _branch(leaves: Iterator[tuple[list[str], str]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for way, reference in leaves:
        place = tree
        for step in way[:-1]:
            # A file and a folder may have one name: what they contain comes together.
            place = place.setdefault(step, {})
        place[way[-1]] = reference
    return _exports(tree)


def _exports(node: Any) -> dict[str, Any]:
    if isinstance(node, str):
        return {"type": "leaf", "leaf": node}
    return {"type": "branch", "branch": [[name, _exports(child)] for name, child in node.items()]}


def _checked(node: Mapping[str, Any], component_path: str) -> dict[str, Any]:
    """An export as the component tree has it: references become paths of functions."""
    if node["type"] == "branch":
        return {
            "type": "branch",
            "children": {name: _checked(child, component_path) for name, child in node["branch"]},
        }
    function = node["leaf"].removeprefix("_reference/function/")
    return {
        "type": "leaf",
        "resource": {"type": "function", "path": {"component": component_path, "udfPath": function}},
    }
