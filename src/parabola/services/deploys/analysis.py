"""What freshly loaded modules define, asked of the hosts that loaded them (deploy-api 7)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct
from msgspec.structs import replace

from parabola._version import __version__
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.deployed.runtimes import LANGUAGES, Language, RuntimeName, language_of, runtimes_of
from parabola.functions.processes.host_failures import LoadFailure
from parabola.services.deploys.combined_definitions import named_children
from parabola.services.deploys.definitions import EvaluatedDefinition, PushedDefinition
from parabola.services.deploys.known_analyses import AnalysisContext, Found, KnownAnalyses
from parabola.services.sign_in.auth_providers import parse_auth_providers
from parabola.values.analyzed_modules import AnalyzedModule, ModulesAnalysis
from parabola.values.articles import with_article
from parabola.values.errors import BadRequest, UserError
from parabola.values.schema.definition import Schema
from parabola.values.schema.documents import resolved_text
from parabola.values.validators.builder import validator_from_json

if TYPE_CHECKING:
    from parabola.functions.processes.host_set import HostSet

__all__ = [
    "MISSING_VARIABLE",
    "AnalyzedModules",
    "analyze",
    "analyze_auth",
    "analyze_definitions",
    "analyze_schema",
    "with_position",
]

# The CLI offers to set the variable, and watches for it, when it is told by this code.
MISSING_VARIABLE: Final = "AuthConfigMissingEnvironmentVariable"
_MISSING_VARIABLE_TEXT: Final = re.compile(r"Environment variable \S+ is used in auth config file")

_CYCLE: Final = "Found cyclic definition dependency"

APP_DEFINITION: Final = "convex.config.js"


class AnalyzedModules(Struct):
    """The analysis of one language's modules. `schema_json` is None when there is no such file; the providers
    are those of both languages.
    """

    modules: dict[str, AnalyzedModule] = {}
    schema_json: Mapping[str, Any] | None = None
    schema: Schema | None = None
    auth_providers: Sequence[Mapping[str, Any]] = ()


async def analyze(
    hosts: HostSet, candidate: Deployment, language: Language, known: KnownAnalyses
) -> AnalyzedModules:
    """Analyse every module of `language` about which nothing is `known`. Raises `LoadFailure` or
    `SchemaDefinitionError`.
    """
    analysed = AnalyzedModules()
    for runtime in runtimes_of(language):
        if runtime not in candidate.runtimes():
            continue
        if LANGUAGES[language].analyzed_at_once:
            modules, schema = _parts(await hosts.modules(runtime))
        else:
            around = AnalysisContext(
                runtime,
                {module.path: module for module in candidate.modules_for(runtime)},
                hosts.variables(candidate.env),
                (__version__, hosts.version(runtime), candidate.node_packages),
            )
            ask = partial(hosts.analyze_modules, runtime)
            modules, schema = await _analyze_javascript(ask, around, known)
        for path, module in modules.items():
            _check_functions(path, module, runtime)
        analysed.modules |= modules
        if schema is not None:
            analysed.schema_json = schema
            analysed.schema = Schema.from_json(schema)
    analysed.auth_providers = await analyze_auth(hosts, candidate)
    return analysed


_Analysed = tuple[dict[str, AnalyzedModule], Mapping[str, Any] | None]
"""Modules by their paths, and the schema."""


def _parts(answer: ModulesAnalysis) -> _Analysed:
    return dict(answer.modules), answer.schema


async def _analyze_javascript(
    ask: Callable[[Sequence[str], Callable[[ModulesAnalysis], None]], Awaitable[None]],
    around: AnalysisContext,
    known: KnownAnalyses,
) -> _Analysed:
    """Ask about the modules that have changed, and take the others as they were found before."""
    found: dict[str, Found] = {}
    asked = []
    for path in sorted(around.modules):
        if path == APP_DEFINITION or _is_chunk(path, around.runtime):
            continue
        earlier = known.find(path, around)
        if earlier is None:
            asked.append(path)
        else:
            found[path] = earlier[0]

    def take(part: ModulesAnalysis) -> None:
        new: dict[str, Found] = dict(part.modules)
        if part.schema is not None:
            new[LANGUAGES["typescript"].schema_module] = part.schema
        for path, module in new.items():
            known.remember(path, module, part.reads.get(path), around)
        found.update(new)

    await ask(asked, take)
    known.forget_others(around, found)
    schema = found.get(LANGUAGES["typescript"].schema_module) if around.runtime == "isolate" else None
    modules = {path: module for path, module in sorted(found.items()) if isinstance(module, AnalyzedModule)}
    return modules, None if isinstance(schema, AnalyzedModule) else schema


def _is_chunk(path: str, runtime: RuntimeName) -> bool:
    """Whether a module holds what others share, and nothing to call."""
    return "_deps/" in path if runtime == "node" else path.startswith("_deps/")


async def analyze_auth(hosts: HostSet, candidate: Deployment) -> list[dict[str, Any]]:
    """The providers of every auth config file, with the variables that the hosts have.

    Raises `LoadFailure` when a file cannot be evaluated or needs a variable that is not set, and `BadRequest`
    for a provider that cannot be.
    """
    providers: list[dict[str, Any]] = []
    for path in (row.auth_module for row in LANGUAGES.values()):
        module = candidate.modules.get(path)
        if module is None:
            continue
        try:
            result = await hosts.analyze(module.runtime, "auth")
        except LoadFailure as failure:
            if _MISSING_VARIABLE_TEXT.search(failure.message):
                failure.code = MISSING_VARIABLE
            raise
        providers += [provider.to_json() for provider in parse_auth_providers(result)]
    return providers


async def analyze_schema(hosts: HostSet, module: Module) -> Schema | None:
    """The schema that one module defines, on hosts that have loaded it. Raises what `analyze` raises."""
    result = await hosts.analyze(module.runtime, "schema")
    schema = result.get("schema")
    return None if schema is None else Schema.from_json(schema)


async def analyze_definitions(
    hosts: HostSet,
    candidate: Deployment,
    definitions: Sequence[PushedDefinition],
    prepare: Callable[[Deployment], Awaitable[HostSet]],
    known: KnownAnalyses,
) -> dict[str, EvaluatedDefinition]:
    """What the pushed app and components are, by their paths. `prepare` makes hosts where the app has none
    for JavaScript.

    Raises `LoadFailure`, and what is wrong with a component's functions or schema.
    """
    configs = [each.module for each in definitions if each.module is not None]
    if not configs or "isolate" in candidate.runtimes():
        return await _analyze_definitions(hosts, definitions, known)
    config = configs[0]
    alone = Deployment({config.path: config}, env=candidate.env, pushed_at_ms=candidate.pushed_at_ms)
    async with _hosts_of(alone, prepare) as own:
        return await _analyze_definitions(own, definitions, known)


async def _analyze_definitions(
    hosts: HostSet, definitions: Sequence[PushedDefinition], known: KnownAnalyses
) -> dict[str, EvaluatedDefinition]:
    declared = await _read_configs(hosts, definitions)
    evaluated: dict[str, EvaluatedDefinition] = {}
    for each in definitions:
        if not each.path:
            evaluated[each.path] = EvaluatedDefinition(declared[each.path])
            continue
        functions, schema = await _analyze_component(hosts, each, known)
        modules = tuple(
            module if module.path not in functions else replace(module, analyzed=functions[module.path])
            for module in each.modules
        )
        definition = EvaluatedDefinition(
            declared[each.path], functions, schema, each.path, modules, each.offered
        )
        evaluated[each.path] = definition.with_exports()
    return named_children(evaluated, {each.path for each in definitions if each.declared is not None})


async def _read_configs(
    hosts: HostSet, definitions: Sequence[PushedDefinition]
) -> dict[str, Mapping[str, Any]]:
    """What the configs say: those of TypeScript are evaluated here."""
    declared = {each.path: each.declared for each in definitions if each.declared is not None}
    asked = [
        {"path": each.path, "module": each.module.for_host()}
        for each in definitions
        if each.module is not None
    ]
    if asked:
        try:
            result = await hosts.analyze("isolate", "app", definitions=asked)
        except LoadFailure as failure:
            failure.code = "CyclicImport" if failure.message == _CYCLE else "InvalidConvexConfig"
            raise
        declared |= result["definitions"]
    return declared


async def _analyze_component(
    hosts: HostSet, component: PushedDefinition, known: KnownAnalyses
) -> tuple[Mapping[str, AnalyzedModule], Schema | None]:
    """On the hosts of the app, which are handed the component's modules with the question."""
    if not component.modules:
        return {}, None
    runtime = component.modules[0].runtime
    sent = [module.for_host() for module in component.modules]
    try:
        if language_of(runtime).analyzed_at_once:
            answer = await hosts.modules(runtime, definition=component.path, modules=sent)
            functions, schema = _parts(answer)
        else:
            around = AnalysisContext(
                runtime,
                {module.path: module for module in component.modules},
                hosts.variables({}),
                (__version__, hosts.version(runtime)),
                component.path,
            )

            async def ask(paths: Sequence[str], take: Callable[[ModulesAnalysis], None]) -> None:
                if paths:
                    take(await hosts.modules(runtime, paths=list(paths), modules=sent))

            functions, schema = await _analyze_javascript(ask, around, known)
        for path, module in functions.items():
            _check_functions(path, module, runtime)
        return functions, None if schema is None else Schema.from_json(schema)
    except UserError as error:
        if isinstance(error, LoadFailure) and language_of(runtime).is_advised:
            raise  # it names the file, which is one of the component
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


def _check_functions(path: str, analyzed: AnalyzedModule, runtime: RuntimeName) -> None:
    """Raise `BadRequest` for a function that cannot be: its validators, or where it runs (js-runtime 4.3)."""
    for function in analyzed.functions:
        name = function.name
        if runtime == "node" and function.udf_type != "Action":
            raise BadRequest(
                f"`{name}` defined in `{path}` is {with_article(function.udf_type)} function. "
                "Only actions can be defined in Node.js. "
                "See https://docs.convex.dev/functions/actions for more details.",
                code="InvalidModules",
            )
        for what, option, text in (
            ("args", "argument", function.args),
            ("returns", "return value", function.returns),
        ):
            if text is None:
                continue
            try:
                parsed = orjson.loads(resolved_text(text, None) or "null")  # which schema, is not known yet
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
