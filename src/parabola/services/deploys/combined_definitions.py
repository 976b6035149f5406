"""The definitions of both languages as one tree: those of a push, and those that the other language has left
(components 12). Pure.

A project may have a `convex.config.ts` and a `convex_config.py`. Each mounts components of its own, of either
language; both are the app.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from parabola.functions.deployed.declared_definitions import DeclaredDefinition
from parabola.functions.deployed.definition import Definition
from parabola.functions.deployed.runtimes import Language
from parabola.services.deploys.definitions import APP_PATH, EvaluatedDefinition
from parabola.values.errors import BadRequest
from parabola.values.near_names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parabola.functions.deployed.deployment import Deployment
    from parabola.values.analyzed_modules import AnalyzedModule

__all__ = [
    "OFFERED_FOLDER",
    "brought_code",
    "combined_definitions",
    "declared_by",
    "kept_definitions",
    "named_children",
]

OFFERED_FOLDER: Final = "_python_components"
"""The folder among the app's functions that stands for Python components in `convex.config.ts`."""

Evaluated = Mapping[str, EvaluatedDefinition]


def kept_definitions(base: Deployment, language: Language) -> dict[str, EvaluatedDefinition]:
    """What the pushes of other languages have defined, by path: it stays as it is."""
    return {each.path: _known(base, each) for each in base.declared if each.language != language}


def _known(base: Deployment, declared: DeclaredDefinition) -> EvaluatedDefinition:
    if declared.path == APP_PATH:
        return EvaluatedDefinition({**declared.definition, "exports": {"type": "branch", "branch": []}})
    code = base.definitions.get(declared.path, Definition())
    evaluated = EvaluatedDefinition(
        declared.definition,
        code.analyzed_modules,
        declared.schema,
        declared.path,
        tuple(code.modules.values()),
        declared.offered,
    )
    return evaluated.with_exports()


def declared_by(base: Deployment, language: Language, pushed: Evaluated) -> tuple[DeclaredDefinition, ...]:
    """What is written down once a push of a language is through."""
    kept = [each for each in base.declared if each.language != language]
    brought = [
        DeclaredDefinition(
            language,
            path,
            {name: value for name, value in each.definition.items() if name != "exports"},
            None if path == APP_PATH else each.schema,
            each.offered,
        )
        for path, each in pushed.items()
    ]
    return (*kept, *brought)


def brought_code(definitions: Evaluated) -> dict[str, Definition]:
    """The code of components, by path."""
    return {each.path: each.code for path, each in definitions.items() if path != APP_PATH}


def combined_definitions(
    kept: Evaluated, pushed: Evaluated, app_functions: Mapping[str, AnalyzedModule]
) -> dict[str, EvaluatedDefinition]:
    """All definitions by path; what a push brings goes before what was there.

    Raises `BadRequest` where the two apps contradict each other, and for an offered component that is not
    there.
    """
    definitions = {**kept, **pushed}
    apps = [each[APP_PATH] for each in (kept, pushed) if APP_PATH in each]
    if apps:
        app = apps[0] if len(apps) == 1 else _both(*apps)
        definitions[APP_PATH] = replace(app, functions=app_functions)
    offered = {each.offered: each for each in definitions.values() if each.offered is not None}
    for path in list(definitions):
        folder, _, name = path.partition("/")
        if folder == OFFERED_FOLDER and definitions[path].offered is None:
            component = offered.get(name)
            if component is None:
                raise BadRequest(
                    f"convex.config.ts uses the Python component {name}, which convex_config.py does not "
                    "offer. Write `app.offer(...)` there and push it first: `parabola dev` or "
                    f"`parabola deploy`.{did_you_mean(name, [each for each in offered if each])}",
                    code="InvalidConvexConfig",
                )
            definitions[path] = component
    return definitions


def _both(one: EvaluatedDefinition, other: EvaluatedDefinition) -> EvaluatedDefinition:
    """The app that two definitions make together."""
    mounts = dict(one.shape.http_mounts)
    for prefix, reference in other.shape.http_mounts.items():
        if prefix in mounts:
            raise BadRequest(
                f"Both convex.config.ts and convex_config.py mount a component at {prefix}. Give one of them "
                "another prefix.",
                code="InvalidDefinition",
            )
        mounts[prefix] = reference
    variables = dict(one.definition.get("envVars") or ())
    for name, variable in other.definition.get("envVars") or ():
        if variables.get(name, variable)["value"] != variable["value"]:
            raise BadRequest(
                f"convex.config.ts and convex_config.py declare the variable {name} in two ways. Declare it "
                "in one of them, or with the same validator.",
                code="InvalidEnvVarDeclaration",
            )
        optional = variables.get(name, variable).get("optional", False) and variable.get("optional", False)
        variables[name] = {**variable, "optional": optional}
    prefixes = {each.shape.http_prefix for each in (one, other) if each.shape.http_prefix is not None}
    if len(prefixes) > 1:
        raise BadRequest(
            "convex.config.ts and convex_config.py say two prefixes of the app's HTTP actions. Say one.",
            code="InvalidDefinition",
        )
    definition: dict[str, Any] = {
        **one.definition,
        "childComponents": [*one.definition["childComponents"], *other.definition["childComponents"]],
        "httpMounts": mounts,
        "exports": {"type": "branch", "branch": []},
    }
    if variables:
        definition["envVars"] = [[name, variable] for name, variable in variables.items()]
    if prefixes:
        definition["httpPrefix"] = prefixes.pop()
    return replace(one, definition=definition)


def named_children(definitions: Evaluated, read: Collection[str]) -> dict[str, EvaluatedDefinition]:
    """The same definitions, with names and mounts for the children of those that a `convex_config.py` has
    defined, whose paths `read` has: the name of a component is known once that has been evaluated.
    """
    return {
        path: replace(each, definition=_named(each, definitions)) if path in read else each
        for path, each in definitions.items()
    }


def _named(evaluated: EvaluatedDefinition, definitions: Evaluated) -> Mapping[str, Any]:
    children: Sequence[Mapping[str, Any]] = evaluated.definition["childComponents"]
    named = []
    mounts = {}
    for child in children:
        name, prefix = child.get("name"), child.get("httpPrefix")
        if name is None:
            found = definitions.get(child["path"])
            own = None if found is None else found.definition.get("definitionType", {}).get("name")
            name = own or posixpath.basename(child["path"])
        named.append({"name": name, "path": child["path"], "args": [], "env": child.get("env") or []})
        if prefix is not None:
            mounts[prefix] = f"_reference/childComponent/{name}"
    return {**evaluated.definition, "childComponents": named, "httpMounts": mounts}
