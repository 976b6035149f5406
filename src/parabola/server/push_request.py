"""The requests of `npx convex` pushes, read into what the deploy service takes (deploy-api 6.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from parabola.functions.deployment import Environment, Module
from parabola.server.json_body import read_object
from parabola.services.push import Push, UnchangedModule
from parabola.values.errors import BadRequest

__all__ = ["definition_of", "read_start_push"]

_ENVIRONMENTS: tuple[Environment, ...] = ("isolate", "node")
_NODE_VERSIONS = ("20", "22", "24")


def read_start_push(body: Any) -> Push:
    """The push that a `start_push`, `evaluate_push` or `evaluate_schema` request carries.

    Raises `BadRequest` for a malformed body, and for what this server does not run: components, and versions
    of Node.js that are no longer maintained.
    """
    optional_list, optional_text = (list, type(None)), (str, type(None))
    fields = read_object(
        body,
        appDefinition=dict,
        dryRun=(bool, type(None)),
        componentDefinitions=optional_list,
        nodeDependencies=optional_list,
        nodeVersion=optional_text,
        message=optional_text,
    )
    _refuse_components(fields["componentDefinitions"] or [])
    version = fields["nodeVersion"]
    if version is not None and version not in _NODE_VERSIONS:
        raise BadRequest(
            f"Node.js {version} is not supported. Set `nodeVersion` in convex.json to one of "
            f"{', '.join(_NODE_VERSIONS)}.",
            code="NodeVersionNotSupported",
        )
    app = fields["appDefinition"]
    parts = read_object(
        app,
        schema=(dict, type(None)),
        changedModules=optional_list,
        functions=optional_list,
        unchangedModuleHashes=optional_list,
    )
    sent = parts["changedModules"] if parts["changedModules"] is not None else parts["functions"] or []
    modules = [_module(entry) for entry in sent]
    if parts["schema"] is not None:
        modules.append(_module(parts["schema"]))
    return Push(
        "typescript",
        tuple(modules),
        unchanged=tuple(_unchanged(entry) for entry in parts["unchangedModuleHashes"] or []),
        dry_run=bool(fields["dryRun"]),
        node_dependencies=tuple(_dependency(entry) for entry in fields["nodeDependencies"] or []),
        message=fields["message"],
    )


def definition_of(body: Any) -> Module | None:
    """The app's own `convex.config.js`, or None in requests without one."""
    app = body.get("appDefinition") if isinstance(body, dict) else None
    definition = app.get("definition") if isinstance(app, dict) else None
    return _module(definition) if isinstance(definition, dict) else None


def _module(entry: Any) -> Module:
    fields = read_object(
        entry, path=str, source=str, sourceMap=(str, type(None)), environment=(str, type(None))
    )
    return Module(fields["path"], _environment(fields), fields["source"], fields["sourceMap"])


def _unchanged(entry: Any) -> UnchangedModule:
    fields = read_object(entry, path=str, sha256=str, environment=(str, type(None)))
    return UnchangedModule(fields["path"], _environment(fields), fields["sha256"])


def _environment(fields: dict[str, Any]) -> Environment:
    named = fields["environment"] or "isolate"
    for environment in _ENVIRONMENTS:
        if named == environment:
            return environment
    raise BadRequest(
        f"{fields['path']} asks for the environment {named!r}; there are {' and '.join(_ENVIRONMENTS)}.",
        code="InvalidModules",
    )


def _dependency(entry: Any) -> tuple[str, str]:
    fields = read_object(entry, name=str, version=str)
    return fields["name"], fields["version"]


def _refuse_components(definitions: Iterable[Any]) -> None:
    paths = [str(entry.get("definitionPath")) for entry in definitions if isinstance(entry, dict)]
    if paths:
        raise BadRequest(
            f"This app uses components ({', '.join(sorted(paths))}), which Parabola does not run yet. "
            "Remove their `app.use(...)` from convex.config.ts, and what calls them, to deploy the rest.",
            code="ComponentsNotSupported",
        )
