"""The small endpoints: is it running, what is it called, is this key good (sync-and-http 2.4)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from parabola._version import __version__
from parabola.server.http.credentials import require_admin
from parabola.server.http.request_body import read_body
from parabola.server.served_backend import ServedBackend

__all__ = ["MAX_ECHO_BYTES", "MAX_EVENT_BYTES", "RUNNING", "routes"]

MAX_ECHO_BYTES: Final = 64 * 1024 * 1024
"""What `npx convex network-test --speed-test` sends."""
MAX_EVENT_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 256 * 1024
RUNNING: Final = "This Convex deployment is running. See https://docs.convex.dev/."


def routes(backend: ServedBackend) -> list[web.RouteDef]:
    """Endpoints that say something about the deployment and run nothing."""

    async def running(request: web.Request) -> web.Response:
        return web.Response(text=RUNNING)

    async def version(request: web.Request) -> web.Response:
        return web.Response(text=__version__)

    async def instance_name(request: web.Request) -> web.Response:
        return web.Response(text=backend.config.instance_name)

    async def echo(request: web.Request) -> web.StreamResponse:
        body = memoryview(await read_body(request, MAX_ECHO_BYTES))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(body))}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        for start in range(0, len(body), _PIECE_BYTES):  # the transport keeps no second copy of it
            await response.write(bytes(body[start : start + _PIECE_BYTES]))
        await response.write_eof()
        return response

    async def check_admin_key(request: web.Request) -> web.Response:
        identity = await require_admin(request, backend)
        return web.json_response({"success": True, "allowedOps": [], "isReadOnly": identity.read_only})

    async def debug_event(request: web.Request) -> web.Response:
        """Npm reports long disconnects here when debugging is on; nothing is kept."""
        await read_body(request, MAX_EVENT_BYTES)
        return web.Response()

    return [
        web.get("/", running),
        web.get("/version", version),
        web.get("/instance_version", version),
        web.get("/instance_name", instance_name),
        web.post("/echo", echo),
        web.get("/api/check_admin_key", check_admin_key),
        web.post("/api/debug_event", debug_event),
    ]
