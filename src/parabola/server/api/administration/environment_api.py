"""Setting and listing environment variables over HTTP (deploy-api 11)."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from parabola.functions.deployed.deployment import Deployment
from parabola.server.http.credentials import begin_change, require_admin
from parabola.server.http.json_body import read_json, read_object
from parabola.server.served_backend import ServedBackend
from parabola.values.errors import BadRequest

__all__ = ["routes"]


class ConfigurableBackend(ServedBackend, Protocol):
    """A backend with environment variables."""

    @property
    def deployment(self) -> Deployment: ...

    async def change_environment(self, changes: dict[str, str | None]) -> None: ...


def routes(backend: ConfigurableBackend) -> list[web.RouteDef]:
    """The endpoints, under the paths of old and new command lines."""

    async def update(request: web.Request) -> web.Response:
        await begin_change(request, backend, "WriteEnvironmentVariables")
        entries = read_object(await read_json(request), changes=list)["changes"]
        changes: dict[str, str | None] = {}
        for entry in entries:
            change = read_object(entry, name=str, value=(str, type(None)))
            if change["name"] in changes:
                raise BadRequest(
                    f'Environment variable "{change["name"]}" is changed twice.', code="EnvVarNameNotUnique"
                )
            changes[change["name"]] = change["value"]
        await backend.change_environment(changes)
        return web.Response(status=200)

    async def list_all(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        return web.json_response({"environmentVariables": dict(sorted(backend.deployment.env.items()))})

    return [
        web.post("/api/update_environment_variables", update),
        web.post("/api/v1/update_environment_variables", update),
        web.get("/api/list_environment_variables", list_all),
        web.get("/api/v1/list_environment_variables", list_all),
    ]
