"""What a push says about the app and its components, and what that comes to (deploy-api 7.1, 7.5). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import orjson
from msgspec import Struct
from msgspec.structs import replace

from parabola.functions.deployed.definition import Definition as DeployedDefinition
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.function_path import strip_extension
from parabola.functions.deployed.runtimes import LANGUAGES, Language
from parabola.values.analyzed_modules import AnalyzedModule
from parabola.values.errors import BadRequest
from parabola.values.names import is_identifier

if TYPE_CHECKING:
    from parabola.values.schema.definition import Schema

__all__ = [
    "APP_PATH",
    "Definition",
    "EvaluatedDefinition",
    "PushedDefinition",
    "check_definitions",
    "check_variables",
    "mounted",
]

APP_PATH: Final = ""
MAX_PATH_SEGMENT: Final = 2048
"""Characters of a part of a definition's path (components 1)."""
_HTTP_MODULES: Final = {row.http_module for row in LANGUAGES.values()}


class PushedDefinition(Struct, frozen=True):
    """An app or a component. Modules and schema are those of a component: the app's are the push's own.

    `path` leads from the app's functions to the component's directory; it is empty for the app. It is defined
    by a `convex.config.js`, which `module` is, or by a `convex_config.py`, which has been read already:
    `declared` is what it says.
    """

    path: str
    module: Module | None = None
    modules: tuple[Module, ...] = ()
    """What the component consists of, `schema.js` among it."""
    declared: Mapping[str, Any] | None = None
    offered: str | None = None
    """The name under which `convex.config.ts` may use it."""

    def check(self) -> None:
        """Raise `BadRequest` for a path or a declaration that cannot be."""
        if self.path.startswith("/"):
            raise BadRequest(
                f"Component paths must be relative ({self.path} is absolute).", code="InvalidConvexConfig"
            )
        if not self.path.isascii() or any(
            not part or not part.isprintable() or "\\" in part or len(part) > MAX_PATH_SEGMENT
            for part in self.path.split("/")
            if self.path
        ):
            raise BadRequest(f"{self.path!r} cannot be a component's path.", code="InvalidConvexConfig")
        if self.offered is not None and not is_identifier(self.offered):
            raise BadRequest(
                f'"{self.offered}" cannot be the name of a component that is offered: it has letters, digits '
                "and underscores. Give it another `name` in `app.offer(...)`.",
                code="InvalidDefinition",
            )
        if self.declared is not None:
            try:
                msgspec.convert(self.declared, _DeclaredDefinition)
            except msgspec.ValidationError as error:
                raise BadRequest(
                    f"What {self.path or 'the app'} declares is no definition: {error}.",
                    code="InvalidConvexConfig",
                ) from None


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


class _DeclaredChild(msgspec.Struct, rename="camel"):
    """A child as a `convex_config.py` declares it: without a name it has its component's own."""

    path: str
    name: str | None = None
    env: list[tuple[str, _Binding]] | None = None
    http_prefix: str | None = None


class _DeclaredDefinition(msgspec.Struct, rename="camel"):
    definition_type: dict[str, Any]
    child_components: list[_DeclaredChild]
    env_vars: list[tuple[str, Any]] | None = None
    http_prefix: str | None = None


class _Branch(msgspec.Struct):
    type: Literal["branch"]
    branch: list[tuple[str, Any]]


class _Variable(msgspec.Struct):
    value: str = '{"type":"string"}'
    """The JSON text of its validator."""
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


class EvaluatedDefinition(Struct, frozen=True, dict=True):
    """A definition as its own code describes it, which goes back to the command line whole, and what its
    modules contain.
    """

    definition: Mapping[str, Any]
    functions: Mapping[str, AnalyzedModule] = {}
    schema: Schema | None = None
    path: str = ""
    modules: tuple[Module, ...] = ()
    """Those of a component, with what they contain."""
    offered: str | None = None
    """The name under which `convex.config.ts` may use it."""

    @cached_property
    def shape(self) -> Definition:
        """What the server reads of the definition. Raises `msgspec.ValidationError` for what is none."""
        return msgspec.convert(self.definition, Definition)

    def with_exports(self) -> EvaluatedDefinition:
        """The same component with its public functions as exports: codegen reads them there."""
        definition = {**self.definition, "exports": _branch(_public_functions(self.functions))}
        return replace(self, definition=definition)

    def for_typescript(self, path: str) -> EvaluatedDefinition:
        """The same as `npx convex` is told of it, which asked about the definition at `path`: where that
        stands for a component in Python, it is one without children, its modules called as TypeScript's are,
        and its function handles are texts: most versions of the command line know no validator of handles.
        """
        if path == self.path:
            return self
        renamed = {
            f"{strip_extension(name)}.js": _with_handles_as_texts(module)
            for name, module in self.functions.items()
        }
        definition = {**self.definition, "path": path, "childComponents": [], "httpMounts": {}}
        return replace(self, definition=definition, functions=renamed, path=path).with_exports()

    @cached_property
    def code(self) -> DeployedDefinition:
        """The component's code, as it is deployed."""
        return DeployedDefinition.of(self.path, self.modules, self.schema)


def _with_handles_as_texts(module: AnalyzedModule) -> AnalyzedModule:
    functions = tuple(
        replace(each, args=_as_texts(each.args), returns=_as_texts(each.returns)) for each in module.functions
    )
    return replace(module, functions=functions)


def _as_texts(validator: str | None) -> str | None:
    """The JSON text of a validator, with `v.string()` for each `v.function()` in it."""
    if validator is None or '"function"' not in validator:
        return validator
    return orjson.dumps(_without_handles(orjson.loads(validator))).decode()


def _without_handles(json: Any) -> Any:
    match json:
        case {"type": "function"}:
            return {"type": "string"}
        case dict():
            return {name: _without_handles(value) for name, value in json.items()}
        case list():
            return [_without_handles(value) for value in json]
    return json


Evaluated = Mapping[str, EvaluatedDefinition]


def check_definitions(definitions: Evaluated, *, for_codegen: bool = False) -> None:
    """Raise `BadRequest` for what is no definition, and for components that cannot be mounted."""
    for path, evaluated in definitions.items():
        try:
            shape = evaluated.shape
        except msgspec.ValidationError as error:
            place = f"{path}/convex.config.js" if path else "convex.config.js"
            raise BadRequest(
                f"{place} does not define an app or a component: {error}. Export the result of "
                "`defineApp()` or `defineComponent(...)` as its default.",
                code="InvalidDefinition",
            ) from None
        for child in shape.child_components:
            if child.path not in definitions:
                raise _mistyped(f"Component definition not found: {child.path}")
    if APP_PATH in definitions:
        mounted(definitions)
        check_mounts(definitions, for_codegen=for_codegen)


def check_mounts(
    definitions: Evaluated, path: str = APP_PATH, component_path: str = "", *, for_codegen: bool = False
) -> None:
    """Raise `BadRequest` where a child of the definition at `path`, or of one below it, has a name, a prefix
    or variables that cannot be (components 4.2). `definitions` are checked, and no component is inside
    itself. For codegen alone, required variables need not be given.
    """
    shape = definitions[path].shape
    declared = _declared_texts(path, shape)
    for child in shape.child_components:
        below = f"{component_path}/{child.name}" if component_path else child.name
        if not is_identifier(child.name):
            raise BadRequest(
                f'"{child.name}" cannot be the name of a component: names have letters, digits and '
                "underscores, at most 64, and begin with a letter. Give it another `name` in `app.use(...)`.",
                code="InvalidDefinition",
            )
        wanted = definitions[child.path].shape
        _check_bindings(below, child, _declared_texts(child.path, wanted), wanted, declared, shape)
        if not for_codegen:
            _check_required(below, child, wanted)
        check_mounts(definitions, child.path, below, for_codegen=for_codegen)
    _check_prefixes(definitions, path)


def _check_bindings(
    below: str,
    child: _Child,
    wanted: Mapping[str, frozenset[str] | None],
    wanted_shape: Definition,
    declared: Mapping[str, frozenset[str] | None],
    shape: Definition,
) -> None:
    optional = {name for name, variable in wanted_shape.env_vars or () if variable.optional}
    optional_above = {name for name, variable in shape.env_vars or () if variable.optional}
    given = dict(child.env or ())
    for name, binding in given.items():
        if name not in wanted:
            raise _mistyped(f'Component "{below}" has no env var named "{name}"')
        texts = wanted[name]
        if binding.type == "value":
            if texts is not None and binding.value not in texts:
                allowed = ", ".join(f'"{text}"' for text in sorted(texts))
                raise _mistyped(
                    f'Component "{below}" has an invalid value for env var "{name}": '
                    f'"{binding.value}" is not one of {allowed}'
                )
            continue
        if binding.name not in declared:
            raise _mistyped(
                f'Component "{below}" env var "{name}" references undeclared parent env var {binding.name}'
            )
        if binding.name in optional_above and name not in optional:
            raise _mistyped(
                f'Component "{below}" env var "{name}" is required, but parent env var {binding.name} is '
                "optional"
            )
        above = declared[binding.name]
        if texts is not None and (above is None or not above <= texts):
            raise _mistyped(
                f'Component "{below}" env var "{name}" validator is not satisfied by parent env var '
                f"{binding.name} validator"
            )


def _check_required(below: str, child: _Child, wanted: Definition) -> None:
    given = dict(child.env or ())
    for name, variable in wanted.env_vars or ():
        if name not in given and not variable.optional:
            raise _mistyped(f'Component "{below}" is missing required env var "{name}"')


def _declared_texts(path: str, shape: Definition) -> dict[str, frozenset[str] | None]:
    """The texts that each declared variable may have, None where any will do."""
    found: dict[str, frozenset[str] | None] = {}
    for name, variable in shape.env_vars or ():
        try:
            found[name] = _texts(orjson.loads(variable.value))
        except ValueError:
            whose = f"component {path}" if path else "the app"
            raise BadRequest(
                f"Env var `{name}` on {whose} has a non-string validator. Component env vars must be "
                'declared with `v.string()`, `v.literal("...")`, or a union of those.',
                code="InvalidEnvVarDeclaration",
            ) from None
    return found


def _texts(validator: Any) -> frozenset[str] | None:
    """What a validator of texts accepts, None for any. Raises `ValueError` for one of anything else."""
    match validator:
        case {"type": "string"}:
            return None
        case {"type": "literal", "value": str(text)}:
            return frozenset({text})
        case {"type": "union", "value": list(members)}:
            parts = [_texts(member) for member in members]
            return None if None in parts else frozenset().union(*(part for part in parts if part is not None))
    raise ValueError


def _check_prefixes(definitions: Evaluated, path: str) -> None:
    evaluated = definitions[path]
    own = {
        route.route.path[:-1]
        for module in evaluated.functions.values()
        for route in module.http_routes or ()
        if route.route.path.endswith("*")
    }
    children = {child.name: child.path for child in evaluated.shape.child_components}
    for prefix, reference in evaluated.shape.http_mounts.items():
        if not (prefix.startswith("/") and prefix.endswith("/")) or "*" in prefix or "?" in prefix:
            raise BadRequest(
                f'HTTP mount "{prefix}" is invalid: it must begin and end with "/", without "*" or "?".',
                code="InvalidDefinition",
            )
        name = reference.rpartition("/")[2]
        child = definitions[children[name]] if name in children else None
        if child is None or not (child.shape.http_mounts or _has_routes(child)):
            raise _mistyped(
                f'HTTP mount "{prefix}" is invalid: Child component "{name}" doesn\'t have any HTTP routes.'
            )
        if prefix in own:
            raise _mistyped(f'HTTP mount "{prefix}" is invalid: Overlap with existing prefix route')


def _has_routes(evaluated: EvaluatedDefinition) -> bool:
    return any(module.http_routes is not None for module in evaluated.functions.values())


def _mistyped(text: str) -> BadRequest:
    return BadRequest(text, code="TypecheckError")


def check_variables(
    definitions: Evaluated, env: Mapping[str, str], language: Language = "typescript"
) -> None:
    """Raise `BadRequest`, to an author who pushes a language, when a variable that the app requires is not
    set.
    """
    row = LANGUAGES[language]
    app = definitions.get(APP_PATH)
    declared = (app.shape.env_vars if app is not None else None) or ()
    missing = sorted(name for name, variable in declared if not variable.optional and name not in env)
    if missing:
        # The command line finds the names between the colon and the full stop.
        raise BadRequest(
            f"Environment variables that {row.config} requires are not set: {', '.join(missing)}. "
            f"Set them with `{row.command} env set`, or declare them as optional.",
            code="MissingEnvironmentVariables",
        )


def mounted(
    definitions: Evaluated, path: str = APP_PATH, component_path: str = "", above: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The tree of components below a definition, each at the path at which it is mounted.

    Raises `BadRequest` when two of them have one name, or one is inside itself.
    """
    if path in above:
        raise BadRequest(
            f"Found cyclic definition dependency: the component {path} is inside itself.", code="CyclicImport"
        )
    evaluated = definitions[path]
    children: dict[str, Any] = {}
    for child in evaluated.shape.child_components:
        name = child.name
        if name in children:
            raise _mistyped(
                f'Component "{path}" has multiple child components with the same name: "{name}". '
                "Give one of them another `name` in `use(...)`."
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
            "httpModuleRoutes": routes if _HTTP_MODULES & evaluated.functions.keys() else None,
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
                way = [*strip_extension(path).split("/"), function.name]
                yield way, f"_reference/function/{path}:{function.name}"


def _branch(leaves: Iterator[tuple[list[str], str]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for way, reference in leaves:
        place = tree
        for step in way[:-1]:
            # A file and a folder may have one name: what they contain comes together.
            place = place.setdefault(step, {})
            if isinstance(place, str):
                raise _collision(reference)
        if way[-1] in place:
            raise _collision(reference)
        place[way[-1]] = reference
    return _exports(tree)


def _collision(reference: str) -> BadRequest:
    function = reference.removeprefix("_reference/function/")
    return BadRequest(
        f"Path {function} conflicts with existing export: a file exports a function that has the name of a "
        "folder beside it. Rename one of them.",
        code="InvalidExport",
    )


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
