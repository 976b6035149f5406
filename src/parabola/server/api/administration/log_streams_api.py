"""Log streams over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web

from parabola.functions.deployed.identity import Identity
from parabola.server.http.credentials import begin_change, require_admin
from parabola.server.http.json_body import read_json
from parabola.server.served_backend import ServedBackend

if TYPE_CHECKING:
    from parabola.services.log_streams.log_streams import LogStreams

__all__ = ["StreamingBackend", "routes"]

_OPERATION: Final = "WriteIntegrations"


class StreamingBackend(ServedBackend, Protocol):
    """A backend that sends its log elsewhere."""

    @property
    def log_streams(self) -> LogStreams: ...


def routes(backend: StreamingBackend) -> list[web.RouteDef]:
    """The endpoints."""

    async def list_all(request: web.Request) -> web.Response:
        identity = await require_admin(request, backend)
        return web.json_response([_shown(stream, identity) for stream in await backend.log_streams.all()])

    async def get(request: web.Request) -> web.Response:
        identity = await require_admin(request, backend)
        return web.json_response(_shown(await backend.log_streams.get(request.match_info["id"]), identity))

    async def create(request: web.Request) -> web.Response:
        await begin_change(request, backend, _OPERATION)
        return web.json_response(await backend.log_streams.create(await read_json(request)))

    async def update(request: web.Request) -> web.Response:
        await begin_change(request, backend, _OPERATION)
        await backend.log_streams.update(request.match_info["id"], await read_json(request))
        return web.Response()

    async def rotate(request: web.Request) -> web.Response:
        await begin_change(request, backend, _OPERATION)
        answer: dict[str, Any] = await backend.log_streams.rotate_secret(request.match_info["id"])
        return web.json_response(answer)

    async def delete(request: web.Request) -> web.Response:
        await begin_change(request, backend, _OPERATION)
        await backend.log_streams.delete(request.match_info["id"])
        return web.Response()

    return [
        web.get("/api/v1/list_log_streams", list_all),
        web.get("/api/v1/get_log_stream/{id}", get),
        web.post("/api/v1/create_log_stream", create),
        web.post("/api/v1/update_log_stream/{id}", update),
        web.post("/api/v1/rotate_webhook_secret/{id}", rotate),
        web.post("/api/v1/delete_log_stream/{id}", delete),
    ]


def _shown(stream: dict[str, Any], identity: Identity) -> dict[str, Any]:
    """A stream without the secret of its signatures, for who may only read."""
    return {**stream, "hmacSecret": ""} if identity.read_only and "hmacSecret" in stream else stream
