"""Definitions: a folder with code, the app's or a component's, and the functions it registers. Immutable.

Each mount of a component is an instance of its own (`components`); the code of a definition is there once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from msgspec import Struct
from msgspec.structs import force_setattr

from parabola.functions.deployed.function_path import FunctionPath, strip_extension
from parabola.functions.deployed.runtimes import RUNTIMES, RuntimeName, language_of
from parabola.values.analyzed_modules import AnalyzedCron, AnalyzedModule, AnalyzedRoute, Position, UdfType
from parabola.values.near_names import did_you_mean

if TYPE_CHECKING:
    from parabola.functions.system.registry import SystemHandler
    from parabola.values.schema.definition import Schema
    from parabola.values.validators.builder import Validator
    from parabola.values.validators.integers import Convert

__all__ = [
    "KIND_TITLES",
    "Definition",
    "FunctionKind",
    "FunctionSpec",
    "Module",
    "Visibility",
    "functions_of",
    "module_hash",
]

FunctionKind = Literal["query", "mutation", "action", "httpAction"]
Visibility = Literal["public", "internal"]

KIND_TITLES: Final[Mapping[str, str]] = {
    "query": "Query",
    "mutation": "Mutation",
    "action": "Action",
    "httpAction": "HttpAction",
}


def module_hash(source: str, source_map: str | None = None) -> str:
    """Hex SHA-256 over source and source map, the hash by which a push names unchanged modules (deploy-api
    §5.1).
    """
    digest = hashlib.sha256(source.encode())
    if source_map is not None:
        digest.update(source_map.encode())
    return digest.hexdigest()


class Module(Struct, frozen=True):
    """One file of a push. `path` carries its extension: `tasks.py`, `a/b.js`.

    `analyzed` is what the host found on import, `None` for a module that was not looked at.
    """

    path: str
    runtime: RuntimeName
    source: str
    source_map: str | None = None
    sha256: str = ""
    analyzed: AnalyzedModule | None = None

    def __post_init__(self) -> None:
        if not self.sha256:
            force_setattr(self, "sha256", module_hash(self.source, self.source_map))

    def for_host(self) -> dict[str, Any]:
        """The form in a host's `load` message."""
        module: dict[str, Any] = {"path": self.path, "source": self.source}
        if self.source_map is not None:
            module["sourceMap"] = self.source_map
        return module


class FunctionSpec(Struct, frozen=True, dict=True):
    """One registered function. `path` is what a host is told to run and what texts show: `tasks.py:list`."""

    path: str
    name: FunctionPath
    kind: FunctionKind
    visibility: Visibility
    runtime: RuntimeName
    args: Validator[Any] | None = None
    returns: Validator[Any] | None = None
    pos: Position | None = None
    native: SystemHandler | None = None
    """Set for system functions, which run inside the engine and not on a host."""

    @property
    def title(self) -> str:
        """`Query`, `Mutation` or `Action`."""
        return KIND_TITLES[self.kind]

    @cached_property
    def returned_integers(self) -> Convert | None:
        """What makes `int`s of the integers in a result; None where there are none."""
        from parabola.values.validators.integers import integers_of

        return None if self.returns is None else integers_of(self.returns)


class Definition(Struct, frozen=True, dict=True):
    """The modules of one folder. `path` leads from the app's functions to it; it is empty for the app."""

    path: str = ""
    modules: Mapping[str, Module] = {}
    functions: Mapping[str, FunctionSpec] = {}
    schema: Schema | None = None

    @staticmethod
    def of(path: str, modules: Iterable[Module], schema: Schema | None) -> Definition:
        """Assemble a definition from analysed modules. Raises what `functions_of` raises."""
        by_path = {module.path: module for module in modules}
        functions = {
            spec.name.canonical: spec for module in by_path.values() for spec in functions_of(module, schema)
        }
        return Definition(path, by_path, functions, schema)

    def module(self, name: str) -> Module | None:
        """Find a module by its name with or without an extension."""
        found = self.modules.get(name)
        return found if found is not None else self._modules_by_name.get(strip_extension(name))

    def runtimes(self) -> tuple[RuntimeName, ...]:
        """The runtimes that have at least one module."""
        present = {module.runtime for module in self.modules.values()}
        return tuple(name for name in RUNTIMES if name in present)

    @cached_property
    def has_advised_authors(self) -> bool:
        """Whether some of it is written in a language whose authors are told more than the official texts."""
        return any(language_of(runtime).is_advised for runtime in self.runtimes())

    def near(self, name: FunctionPath) -> str:
        """Which functions may have been meant by a name that none has: a sentence, begun by a space.

        Internal ones are among them: it is for authors and administrators, never for clients.
        """
        callable_here = (str(spec.name) for spec in self.functions.values() if spec.kind != "httpAction")
        return did_you_mean(str(name), callable_here)

    def modules_for(self, runtime: RuntimeName) -> list[Module]:
        """The modules that a host of this runtime loads, in path order."""
        return [module for _, module in sorted(self.modules.items()) if module.runtime == runtime]

    @property
    def analyzed_modules(self) -> dict[str, AnalyzedModule]:
        """What each module defines, by path; shared chunks are left out, which define nothing."""
        return {path: each.analyzed for path, each in self.modules.items() if each.analyzed is not None}

    @property
    def http_routes(self) -> list[tuple[Module, AnalyzedRoute]]:
        """Routes of every router, with the module that serves them (deploy-api §7.2)."""
        return [
            (module, route)
            for _, module in sorted(self.modules.items())
            if module.analyzed is not None
            for route in module.analyzed.http_routes or ()
        ]

    @property
    def crons(self) -> list[AnalyzedCron]:
        """Cron specifications of every `crons` module (deploy-api §7.2)."""
        return [
            cron
            for _, module in sorted(self.modules.items())
            if module.analyzed is not None
            for cron in module.analyzed.cron_specs or ()
        ]

    @cached_property
    def _modules_by_name(self) -> Mapping[str, Module]:
        return {strip_extension(path): module for path, module in self.modules.items()}


def functions_of(module: Module, schema: Schema | None) -> list[FunctionSpec]:
    """The functions that a module registers, from its analysis; what their hints say of documents is what
    `schema` says. Raises `InvalidValidator` for a malformed validator, `UnknownTable`.
    """
    from parabola.values.schema.documents import UnknownTable, resolved_text
    from parabola.values.validators.builder import validator_from_json

    specs: list[FunctionSpec] = []
    for function in () if module.analyzed is None else module.analyzed.functions:
        try:
            args_json = _json_of(resolved_text(function.args, schema))
            returns_json = _json_of(resolved_text(function.returns, schema))
        except UnknownTable as error:
            line = "" if function.pos is None else f"{function.pos.start_lineno + 1}: "
            raise UnknownTable(f"convex/{module.path}:{line or ' '}{error.message}") from None
        specs.append(
            FunctionSpec(
                path=f"{module.path}:{function.name}",
                name=FunctionPath(strip_extension(module.path), function.name),
                kind=_KINDS[function.udf_type],
                visibility=function.exposure,
                runtime=module.runtime,
                args=None if args_json is None else validator_from_json(args_json),
                returns=None if returns_json is None else validator_from_json(returns_json),
                pos=function.pos,
            )
        )
    return specs


_KINDS: Final[Mapping[UdfType, FunctionKind]] = {"Query": "query", "Mutation": "mutation", "Action": "action"}


def _json_of(text: str | None) -> Any:
    """A validator's JSON, or `None` where nothing is declared or anything goes."""
    parsed = None if text is None else orjson.loads(text)
    return None if parsed is None or parsed == {"type": "any"} else parsed
