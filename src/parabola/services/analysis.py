"""What freshly loaded modules define, asked of the hosts that loaded them (deploy-api 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parabola.functions.deployment import Deployment
from parabola.functions.hosts import LoadFailure
from parabola.services.push import ENVIRONMENTS, Language
from parabola.values.schema import Schema

if TYPE_CHECKING:
    from parabola.functions.host_set import HostSet

__all__ = ["AnalysedModules", "analyse", "with_position"]

AUTH_MODULES: Mapping[Language, str] = {"python": "auth_config.py", "typescript": "auth.config.js"}


@dataclass
class AnalysedModules:
    """The analysis of one language's modules. `schema_json` and `auth_providers` are None when there is no
    such file.
    """

    modules: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    schema_json: Mapping[str, Any] | None = None
    schema: Schema | None = None
    auth_providers: Sequence[Mapping[str, Any]] | None = None


async def analyse(hosts: HostSet, candidate: Deployment, language: Language) -> AnalysedModules:
    """Analyse every module of `language`. Raises `LoadFailure` or `SchemaDefinitionError`."""
    analysed = AnalysedModules()
    for environment in ENVIRONMENTS[language]:
        if environment not in candidate.environments():
            continue
        result = await hosts.analyze(environment, "modules")
        analysed.modules |= result["modules"]
        if (schema := result.get("schema")) is not None:
            analysed.schema_json = schema
            analysed.schema = Schema.from_json(schema)
    auth = AUTH_MODULES[language]
    if (module := candidate.modules.get(auth)) is not None:
        result = await hosts.analyze(module.environment, "auth")
        analysed.auth_providers = result["providers"]
    return analysed


def with_position(failure: LoadFailure) -> LoadFailure:
    """The same failure, its text beginning with the author's file and line."""
    if failure.file is None:
        return failure
    place = failure.file if failure.line is None else f"{failure.file}:{failure.line}"
    if failure.message.startswith(place):
        return failure
    return LoadFailure(f"{place}: {failure.message}", file=failure.file, line=failure.line)
