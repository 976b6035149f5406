"""What modules define, as hosts answer and as it is stored and shown (deploy-api 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar

import msgspec
import orjson
from msgspec import UNSET, Meta, Struct, UnsetType

from parabola.values.errors import BadRequest

__all__ = [
    "AnalyzedCron",
    "AnalyzedFunction",
    "AnalyzedModule",
    "AnalyzedRoute",
    "CronSpec",
    "ModulesAnalysis",
    "Position",
    "Reads",
    "RoutePattern",
    "UdfType",
    "Visibility",
    "read_analyzed_module",
    "read_modules_analysis",
]

UdfType = Literal["Query", "Mutation", "Action"]

_T = TypeVar("_T")


class Position(Struct, frozen=True, kw_only=True):
    """Where something is defined in the author's file; lines and columns count from 0."""

    path: str
    start_lineno: int
    start_col: int


class Visibility(Struct, frozen=True, kw_only=True):
    """Who may call a function."""

    kind: Literal["public", "internal"]


class AnalyzedFunction(Struct, frozen=True, kw_only=True, rename="camel"):
    """A registered function. `args` and `returns` are the JSON texts of validators, None or `null` where
    nothing is declared.
    """

    name: str
    pos: Position | None = None
    udf_type: UdfType
    visibility: Visibility | None = None
    args: str | None = None
    returns: str | None = None

    @property
    def exposure(self) -> Literal["public", "internal"]:
        """Who may call it: everybody, where its library is so old that it does not say."""
        return "public" if self.visibility is None else self.visibility.kind


class RoutePattern(Struct, frozen=True, kw_only=True):
    """Which requests a route takes: `path` ends with `/*` for all below it."""

    path: str
    method: str


class AnalyzedRoute(Struct, frozen=True, kw_only=True):
    """A route of a router."""

    route: RoutePattern
    pos: Position | None = None


class CronSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a cron job calls, and when. `udf_args` are the bytes of the JSON text of the list of arguments;
    the schedule is read, and refused in the author's words, by `parse_schedule`.
    """

    udf_path: str
    udf_args: tuple[Annotated[int, Meta(ge=0, le=255)], ...]
    cron_schedule: Mapping[str, Any]

    @property
    def arguments_text(self) -> str:
        """The JSON text of the list of arguments. Raises `BadRequest` when it is no text."""
        try:
            return bytes(self.udf_args).decode()
        except UnicodeDecodeError:
            raise BadRequest(
                f"The arguments of the cron job that calls {self.udf_path} are not UTF-8.", code="InvalidCron"
            ) from None


class AnalyzedCron(Struct, frozen=True, kw_only=True):
    """A cron job and its name."""

    identifier: str
    spec: CronSpec


class AnalyzedModule(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one module defines. Its encoded form is the stored one: fields in this order, those that are
    `UNSET` left out.
    """

    functions: tuple[AnalyzedFunction, ...]
    http_routes: tuple[AnalyzedRoute, ...] | None = None
    own_lookup: bool | UnsetType = UNSET
    """Whether its router finds routes in a way of its own, so that it is asked for every request."""
    cron_specs: tuple[AnalyzedCron, ...] | None = None
    source_mapped: Any = None
    reuse_context: bool | UnsetType = UNSET
    """Whether calls of it share a realm, so that its variables keep their values."""

    def to_text(self) -> str:
        """The stored form."""
        return orjson.dumps(self.to_json()).decode()  # msgspec writes some numbers in other ways

    def to_json(self) -> dict[str, Any]:
        """The form in answers."""
        json: dict[str, Any] = msgspec.to_builtins(self)
        return json


class Reads(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the analysis of a module depends on beside the version of the host: the modules that it imports,
    itself among them, the names of the variables that it has read (`*`: all), and unless `is_fixed` the
    clock or random numbers.
    """

    imports: tuple[str, ...]
    variables: tuple[str, ...]
    is_fixed: bool


class ModulesAnalysis(Struct, frozen=True, kw_only=True):
    """A host's answer about modules: what they define, what that depends on, by path; the schema if it is
    among them, as JSON for `Schema.from_json`.
    """

    modules: Mapping[str, AnalyzedModule]
    reads: Mapping[str, Reads]
    schema: Mapping[str, Any] | None


class _Answer(Struct):
    modules: dict[str, Any]
    reads: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None


_MODULE: Final = msgspec.json.Decoder(AnalyzedModule)


def read_modules_analysis(result: object) -> ModulesAnalysis:
    """The `result` of an `analysis` message about modules. Raises `BadRequest` (`InvalidModules`) that
    names module and field when it is not what docs/explanation/host-protocol.md says.
    """
    try:
        answer = msgspec.convert(result, _Answer)
    except msgspec.ValidationError as error:
        _refuse("the modules", error)
    return ModulesAnalysis(
        modules={path: _converted(module, AnalyzedModule, path) for path, module in answer.modules.items()},
        reads={path: _converted(reads, Reads, path) for path, reads in (answer.reads or {}).items()},
        schema=answer.schema,
    )


def read_analyzed_module(text: str | bytes) -> AnalyzedModule:
    """A module in its stored form."""
    return _MODULE.decode(text)


def _converted(json: object, type: type[_T], path: str) -> _T:
    try:
        return msgspec.convert(json, type)
    except msgspec.ValidationError as error:
        _refuse(path, error)


def _refuse(what: str, error: msgspec.ValidationError) -> NoReturn:
    raise BadRequest(
        f"Failed to analyze {what}: the host's answer is not of the form that the host protocol asks for: "
        f"{error}.",
        code="InvalidModules",
    ) from None
