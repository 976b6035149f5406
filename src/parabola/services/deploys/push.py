"""What a push brings, and how it combines with what is already deployed. Pure: nothing here runs or writes
anything.

A push carries the modules of one *language*. Those of the other stay as they are, so `parabola deploy` and
`npx convex deploy` can be used side by side on one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from parabola.functions.deployed.definition import Definition
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.deployed.function_path import strip_extension
from parabola.functions.deployed.runtimes import LANGUAGES, RUNTIMES, Language, RuntimeName, runtimes_of
from parabola.services.deploys.audit_log import check_message
from parabola.services.deploys.component_tree import Difference
from parabola.services.deploys.definitions import EvaluatedDefinition, PushedDefinition
from parabola.values.analyzed_modules import AnalyzedCron
from parabola.values.data_files import DataFileError, check_data_path, data_of, is_data_path
from parabola.values.errors import BadRequest, Conflict

__all__ = [
    "ComponentChange",
    "IndexDiff",
    "ModuleDiff",
    "Push",
    "PushResult",
    "UnchangedModule",
    "combine",
    "component_differences",
]

MAX_MODULES: Final = 4096
"""User modules of a deployment, shared chunks apart (deploy-api 7.3)."""
MAX_SOURCE_BYTES: Final = 32 * 1024 * 1024
"""Bytes of one module with its source map."""

_ONE_FOR_BOTH: Final[Mapping[str, str]] = {
    "crons": "its jobs may name functions of both languages.",
    "http": "its HTTP actions may call functions of both languages.",
}
_SEGMENT: Final = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.]{1,64}\Z")


class UnchangedModule(Struct, frozen=True):
    """A module that the pusher knows the server to have: named by its hash instead of sent (deploy-api
    5.1).
    """

    path: str
    runtime: RuntimeName
    sha256: str


class Push(Struct, frozen=True):
    """All modules of one language, the schema's among them (`schema.py`, `schema.js`)."""

    language: Language
    modules: tuple[Module, ...]
    unchanged: tuple[UnchangedModule, ...] = ()
    dry_run: bool = False
    node_dependencies: tuple[tuple[str, str], ...] = ()
    """Name and version of the npm packages that `"use node"` modules import from outside."""
    message: str | None = None
    large_table: int | None = None
    """With how many documents a table is so large that an index over it may not be made or removed."""
    definitions: tuple[PushedDefinition, ...] = ()
    """The app's definition and those of its components."""
    for_codegen: bool = False
    """Whether nothing but types is wanted of it: then components need not be given all their variables."""

    def __post_init__(self) -> None:
        check_message(self.message)
        seen: set[str] = set()
        every: list[Module | UnchangedModule] = [*self.modules, *self.unchanged]
        for module in every:
            _check_module_path(module)
            if module.path in seen:
                raise BadRequest(f"The push contains {module.path} twice.", code="InvalidModules")
            if module.runtime not in runtimes_of(self.language):
                raise BadRequest(
                    f"{module.path} runs in {module.runtime}: no {self.language} push can contain it.",
                    code="InvalidModules",
                )
            seen.add(module.path)
        paths: set[str] = set()
        for definition in self.definitions:
            definition.check()
            if definition.path in paths:
                raise BadRequest(
                    f"The push defines {definition.path or 'the app'} twice.", code="InvalidConvexConfig"
                )
            paths.add(definition.path)
        parts = [module for each in self.definitions for module in each.modules]
        parts += [each.module for each in self.definitions if each.module is not None]
        for part in parts:
            _check_module_path(part)
        for sent in (*self.modules, *parts):
            size = len(sent.source) + len(sent.source_map or "")
            if size > MAX_SOURCE_BYTES:
                raise BadRequest(
                    f"{sent.path} is {size:,} bytes long; at most {MAX_SOURCE_BYTES:,} are allowed. "
                    "Split it, or import less into it.",
                    code="ModuleTooLarge",
                )

    def code(self) -> dict[str, Definition]:
        """The code of the components, by the paths of their definitions; nobody has analysed it."""
        return {
            each.path: Definition.of(each.path, each.modules, None) for each in self.definitions if each.path
        }


class ModuleDiff(Struct, frozen=True):
    """Module paths that a push adds, removes, or gives other code."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Mapping[str, Module], new: Mapping[str, Module]) -> ModuleDiff:
        """What leads from `old` to `new`; shared chunks (`_deps/`) are nobody's concern."""
        shown = [path for path in sorted({*old, *new}) if not path.startswith("_deps/")]
        return cls(
            tuple(path for path in shown if path not in old),
            tuple(path for path in shown if path not in new),
            tuple(
                path for path in shown if path in old and path in new and old[path].sha256 != new[path].sha256
            ),
        )


class IndexDiff(Struct, frozen=True):
    """Indexes as the command line shows them: `deploy-api.md` 6.4, `Index`.

    `unique` and `ordinary` are there before and after, and become unique or cease to be: the official command
    line has no word for that.
    """

    added: tuple[Mapping[str, Any], ...] = ()
    removed: tuple[Mapping[str, Any], ...] = ()
    enabled: tuple[Mapping[str, Any], ...] = ()
    disabled: tuple[Mapping[str, Any], ...] = ()
    unique: tuple[Mapping[str, Any], ...] = ()
    ordinary: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The wire form."""
        return {
            "added_indexes": list(self.added),
            "removed_indexes": list(self.removed),
            "enabled_indexes": list(self.enabled),
            "disabled_indexes": list(self.disabled),
        }


class ComponentChange(Struct, frozen=True):
    """What a push does with one component below the app."""

    id: str
    difference: Difference
    modules: ModuleDiff
    indexes: IndexDiff
    crons_before: Sequence[AnalyzedCron] = ()
    crons: Sequence[AnalyzedCron] = ()
    previous_schema: str | None = None
    next_schema: str | None = None


class PushResult(Struct, frozen=True):
    """What a push has changed (or would change, in a dry run)."""

    modules: ModuleDiff
    indexes: IndexDiff
    deployment: Deployment
    previous_schema: str | None = None
    next_schema: str | None = None
    definitions: Mapping[str, EvaluatedDefinition] = {}
    """Those of both languages, by their paths."""
    pushed: Mapping[str, EvaluatedDefinition] = {}
    """Those of the push itself, as their code describes them."""
    components: Mapping[str, ComponentChange] = {}
    """By their paths."""


def component_differences(result: PushResult) -> dict[str, Difference]:
    """What becomes of the components, by their paths, as far as anything does."""
    return {
        path: change.difference
        for path, change in sorted(result.components.items())
        if change.difference != "modify" or change.modules != ModuleDiff() or change.indexes != IndexDiff()
    }


def combine(current: Deployment, push: Push) -> dict[str, Module]:
    """The modules that are deployed once the push is through, by path; what the push does not bring is not
    analysed anew.

    Raises `Conflict` when an unchanged module is not there, and `BadRequest` when two files claim one name.
    """
    mine = runtimes_of(push.language)
    kept = [module for module in current.modules.values() if module.runtime not in mine]
    brought = [*push.modules, *(_known(current, module) for module in push.unchanged)]
    _check_collisions(kept, brought)
    combined = {module.path: module for module in (*kept, *brought)}
    count = sum(not path.startswith("_deps/") for path in combined)
    if count > MAX_MODULES:
        raise BadRequest(
            f"There are {count} modules; at most {MAX_MODULES} are allowed.", code="InvalidModules"
        )
    return combined


def _known(current: Deployment, named: UnchangedModule) -> Module:
    module = current.modules.get(named.path)
    if module is None:
        raise Conflict(f"The server no longer has {named.path}. Push again.", code="MissingExistingModule")
    if module.runtime != named.runtime:
        raise Conflict(
            f"{named.path} runs elsewhere on the server. Push again.", code="ExistingModuleEnvConflict"
        )
    if module.sha256 != named.sha256:
        raise Conflict(
            f"The server has another version of {named.path}. Push again.", code="ExistingModuleHashConflict"
        )
    return module


def _check_collisions(kept: Iterable[Module], brought: Sequence[Module]) -> None:
    """Function paths have no extension, so `tasks.py` and `tasks.ts` cannot both be there."""
    taken = {strip_extension(module.path): module for module in kept}
    for module in brought:
        other = taken.get(strip_extension(module.path))
        if other is None:
            continue
        mine, theirs = _as_written(module), _as_written(other)
        if strip_extension(module.path) == "schema":
            raise BadRequest(
                f"There are two schemas, {mine} and {theirs}. One schema describes all tables, "
                "whichever language uses them: keep one of the two files.",
                code="InvalidSchema",
            )
        if (advice := _ONE_FOR_BOTH.get(strip_extension(module.path))) is not None:
            raise BadRequest(
                f"There are both {mine} and {theirs}. Keep one of the two files: {advice}",
                code="InvalidModules",
            )
        raise BadRequest(
            f"{mine} and {theirs} have the same function paths, {strip_extension(module.path)}:…. "
            "Rename one of them.",
            code="InvalidModules",
        )


def _as_written(module: Module) -> str:
    """A module's path as its author knows it: TypeScript modules arrive compiled, as `.js`."""
    language = LANGUAGES[RUNTIMES[module.runtime].language]
    return strip_extension(module.path) + language.written_as


def _check_module_path(module: Module | UnchangedModule) -> None:
    if module.runtime == "python" and is_data_path(module.path):
        try:
            check_data_path(module.path)
            if isinstance(module, Module):
                data_of(module.source)
        except DataFileError as error:
            raise BadRequest(f"{module.path!r} cannot be deployed: {error}", code="InvalidModules") from None
    else:
        _check_path(module.path)


def _check_path(path: str) -> None:
    if not path or not all(_SEGMENT.match(part) and part.strip(".") for part in path.split("/")):
        raise BadRequest(
            f"{path!r} is not a valid module path: each part may only have letters, digits, underscores and "
            "dots, at most 64 of them, with at least one letter or digit.",
            code="BadConvexModuleIdentifier",
        )
