"""What freshly loaded modules define, asked of the hosts that loaded them (deploy-api 7)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from parabola.functions.deployment import Deployment, Environment, Module
from parabola.functions.hosts import LoadFailure
from parabola.services.auth_providers import parse_auth_providers
from parabola.services.definitions import EvaluatedDefinition, PushedDefinition, check_definitions
from parabola.services.push import ENVIRONMENTS, Language
from parabola.values.errors import BadRequest, UserError
from parabola.values.schema import Schema
from parabola.values.validators import validator_from_json

if TYPE_CHECKING:
    from parabola.functions.host_set import HostSet

__all__ = [
    "MISSING_VARIABLE",
    "AnalysedModules",
    "analyse",
    "analyse_auth",
    "analyse_schema",
    "with_position",
]

# The CLI offers to set the variable, and watches for it, when it is told by this code.
MISSING_VARIABLE: Final = "AuthConfigMissingEnvironmentVariable"
_MISSING_VARIABLE_TEXT: Final = re.compile(r"Environment variable \S+ is used in auth config file")

_CYCLE = "Found cyclic definition dependency"

AUTH_MODULES = ("auth_config.py", "auth.config.js")


@dataclass
class AnalysedModules:
    """The analysis of one language's modules. `schema_json` is None when there is no such file; the providers
    are those of both languages.
    """

    modules: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    schema_json: Mapping[str, Any] | None = None
    schema: Schema | None = None
    auth_providers: Sequence[Mapping[str, Any]] = ()


async def analyse(hosts: HostSet, candidate: Deployment, language: Language) -> AnalysedModules:
    """Analyse every module of `language`. Raises `LoadFailure` or `SchemaDefinitionError`."""
    analysed = AnalysedModules()
    for environment in ENVIRONMENTS[language]:
        if environment not in candidate.environments():
            continue
        result = await hosts.analyze(environment, "modules")
        for path, module in result["modules"].items():
            _check_functions(path, module, environment)
        analysed.modules |= result["modules"]
        if (schema := result.get("schema")) is not None:
            analysed.schema_json = schema
            analysed.schema = Schema.from_json(schema)
    analysed.auth_providers = await analyse_auth(hosts, candidate)
    return analysed


async def analyse_auth(hosts: HostSet, candidate: Deployment) -> list[dict[str, Any]]:
    """The providers of every auth config file, with the variables that the hosts have.

    Raises `LoadFailure` when a file cannot be evaluated or needs a variable that is not set, and `BadRequest`
    for a provider that cannot be.
    """
    providers: list[dict[str, Any]] = []
    for path in AUTH_MODULES:
        module = candidate.modules.get(path)
        if module is None:
            continue
        try:
            result = await hosts.analyze(module.environment, "auth")
        except LoadFailure as failure:
            if _MISSING_VARIABLE_TEXT.search(failure.message):
                failure.code = MISSING_VARIABLE
            raise
        providers += [provider.to_json() for provider in parse_auth_providers(result)]
    return providers


async def analyse_schema(hosts: HostSet, module: Module) -> Schema | None:
    """The schema that one module defines, on hosts that have loaded it. Raises what `analyse` raises."""
    result = await hosts.analyze(module.environment, "schema")
    schema = result.get("schema")
    return None if schema is None else Schema.from_json(schema)


async def analyse_definitions(
    hosts: HostSet,
    candidate: Deployment,
    definitions: Sequence[PushedDefinition],
    prepare: Callable[[Deployment], Awaitable[HostSet]],
) -> dict[str, EvaluatedDefinition]:
    """What the app and its components are, by their paths. `prepare` makes hosts for a component's modules.

    Raises `LoadFailure`, and what is wrong with a component's functions or schema.
    """
    if not definitions:
        return {}
    asked = [{"path": each.path, "module": each.module.for_host()} for each in definitions]
    try:
        if "isolate" in candidate.environments():
            result = await hosts.analyze("isolate", "app", definitions=asked)
        else:
            config = definitions[0].module
            async with _hosts_of(Deployment({config.path: config}, env=candidate.env), prepare) as own:
                result = await own.analyze("isolate", "app", definitions=asked)
    except LoadFailure as failure:
        failure.code = "CyclicImport" if failure.message == _CYCLE else "InvalidConvexConfig"
        raise
    evaluated = {"": EvaluatedDefinition(result["definitions"][""])}
    for each in definitions[1:]:
        functions, schema = await _analyse_component(each, prepare)
        definition = EvaluatedDefinition(result["definitions"][each.path], functions, schema)
        evaluated[each.path] = definition.with_exports()
    check_definitions(evaluated)
    return evaluated


async def _analyse_component(
    component: PushedDefinition, prepare: Callable[[Deployment], Awaitable[HostSet]]
) -> tuple[Mapping[str, Mapping[str, Any]], Schema | None]:
    if not component.modules:
        return {}, None
    try:
        deployment = Deployment({module.path: module for module in component.modules})
        async with _hosts_of(deployment, prepare) as hosts:
            result = await hosts.analyze("isolate", "modules")
        for path, module in result["modules"].items():
            _check_functions(path, module, "isolate")
        schema = result.get("schema")
        return result["modules"], None if schema is None else Schema.from_json(schema)
    except UserError as error:
        refusal = BadRequest(f"In the component {component.path}: {error.message}", code=error.code)
        raise refusal from None


@asynccontextmanager
async def _hosts_of(
    deployment: Deployment, prepare: Callable[[Deployment], Awaitable[HostSet]]
) -> AsyncIterator[HostSet]:
    hosts = await prepare(deployment)
    try:
        yield hosts
    finally:
        await hosts.close()


def _check_functions(path: str, analyzed: Mapping[str, Any], environment: Environment) -> None:
    """Raise `BadRequest` for a function that cannot be: its validators, or where it runs (js-runtime 4.3)."""
    for function in analyzed.get("functions") or ():
        name = function["name"]
        if environment == "node" and function["udfType"] != "Action":
            raise BadRequest(
                f"`{name}` defined in `{path}` is a {function['udfType']} function. "
                "Only actions can be defined in Node.js. "
                "See https://docs.convex.dev/functions/actions for more details.",
                code="InvalidModules",
            )
        for what, option in (("args", "argument"), ("returns", "return value")):
            text = function.get(what)
            if text is None:
                continue
            try:
                parsed = orjson.loads(text)
                if parsed is not None:
                    validator_from_json(parsed)
                    if what == "args" and parsed["type"] not in ("object", "any"):
                        raise BadRequest(
                            f"Arguments have names, so they need an object validator, not {parsed['type']}: "
                            "`args: { name: v.string() }`."
                        )
            except (UserError, ValueError) as error:
                raise BadRequest(
                    f"Failed to analyze {path}: Error in {what} validator of `{name}`: {error}\n"
                    f"See https://docs.convex.dev/functions/validation for docs on how to do {option} "
                    "validation.",
                    code="InvalidModules",
                ) from None


def with_position(failure: LoadFailure) -> LoadFailure:
    """The same failure, its text beginning with the author's file and line."""
    if failure.file is None:
        return failure
    place = failure.file if failure.line is None else f"{failure.file}:{failure.line}"
    if failure.message.startswith(place):
        return failure
    placed = LoadFailure(f"{place}: {failure.message}", file=failure.file, line=failure.line)
    placed.code = failure.code
    return placed
