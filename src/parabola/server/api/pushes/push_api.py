"""`POST /api/parabola/push`: what `parabola deploy` calls. One request, one push, whole or not at all."""

from __future__ import annotations

from typing import Any, Final, Protocol

from aiohttp import web

from parabola.functions.deployed.deployment import Module
from parabola.server.http.credentials import begin_change
from parabola.server.http.json_body import read_json, read_object
from parabola.server.served_backend import ServedBackend
from parabola.services.deploys.definitions import PushedDefinition
from parabola.services.deploys.push import Push, PushResult, component_differences
from parabola.values.data_files import is_data_path
from parabola.values.errors import BadRequest

__all__ = ["routes"]

MAX_BODY_BYTES: Final = 256 * 1024 * 1024


class PushedBackend(ServedBackend, Protocol):
    """A backend that takes pushes."""

    async def deploy(self, push: Push) -> PushResult: ...


def routes(backend: PushedBackend) -> list[web.RouteDef]:
    """The endpoint for pushes of Python modules."""

    async def push(request: web.Request) -> web.Response:
        await begin_change(request, backend, "Deploy")
        result = await backend.deploy(read_push(await read_json(request, MAX_BODY_BYTES)))
        return web.json_response(push_report(result))

    return [web.post("/api/parabola/push", push)]


def read_push(body: Any) -> Push:
    """`{modules: [{path, source}], definitions?, dryRun?, message?, largeTable?}`. Raises `BadRequest` for
    others.
    """
    optional_text, optional_flag = (str, type(None)), (bool, type(None))
    fields = read_object(
        body,
        modules=list,
        dryRun=optional_flag,
        message=optional_text,
        largeTable=(int, type(None)),
        definitions=(list, type(None)),
    )
    return Push(
        "python",
        tuple(_python_module(entry) for entry in fields["modules"]),
        definitions=tuple(_definition(entry) for entry in fields["definitions"] or []),
        dry_run=bool(fields["dryRun"]),
        message=fields["message"],
        large_table=fields["largeTable"],
    )


def _definition(entry: Any) -> PushedDefinition:
    """`{path, modules, declared | config, offered?}`: of Python, or (with a `config`) of TypeScript."""
    fields = read_object(
        entry,
        path=str,
        modules=list,
        declared=(dict, type(None)),
        config=(dict, type(None)),
        offered=(str, type(None)),
    )
    config, declared = fields["config"], fields["declared"]
    if (config is None) == (declared is None):
        raise BadRequest(f"The definition {fields['path']!r} has to be declared, or to have a config.")
    read = _python_module if config is None else _compiled_module
    return PushedDefinition(
        fields["path"],
        None if config is None else _compiled_module(config),
        tuple(read(module) for module in fields["modules"]),
        declared,
        fields["offered"],
    )


def _python_module(entry: Any) -> Module:
    module = read_object(entry, path=str, source=str)
    if not module["path"].endswith(".py") and not is_data_path(module["path"]):
        raise BadRequest(
            f"{module['path']} is not a Python module. "
            "TypeScript modules are pushed with `npx convex deploy`.",
            code="InvalidModules",
        )
    return Module(module["path"], "python", module["source"])


def _compiled_module(entry: Any) -> Module:
    module = read_object(entry, path=str, source=str, sourceMap=(str, type(None)))
    return Module(module["path"], "isolate", module["source"], module["sourceMap"])


def push_report(result: PushResult) -> dict[str, Any]:
    """What changed, for the command line to tell."""
    return {
        "modules": {
            "added": list(result.modules.added),
            "removed": list(result.modules.removed),
            "changed": list(result.modules.changed),
        },
        "indexes": {
            "added": [index["name"] for index in result.indexes.added],
            "removed": [index["name"] for index in result.indexes.removed],
            "enabled": [index["name"] for index in result.indexes.enabled],
            "disabled": [index["name"] for index in result.indexes.disabled],
            "unique": [index["name"] for index in result.indexes.unique],
            "ordinary": [index["name"] for index in result.indexes.ordinary],
        },
        "components": component_differences(result),
        "functions": len(result.deployment.functions),
        "schema": None if result.deployment.schema is None else result.deployment.schema.to_json(),
    }
