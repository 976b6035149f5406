"""HTTP actions: under ``/http`` on the main port, and at the root of the site port (sync-and-http 5).

Both doors lead to ``serve_action``; ``path`` there is what the router of the deployment sees.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from parabola.server.served_backend import ServedBackend

NOT_ENABLED: Final = "This Convex deployment does not have HTTP actions enabled."


async def serve_action(backend: ServedBackend, request: web.Request, path: str) -> web.StreamResponse:
    """Answer one request to ``path`` (with its leading slash)."""
    return web.Response(status=404, text=NOT_ENABLED)


def routes(backend: ServedBackend) -> list[web.RouteDef]:
    """The door on the main port."""

    async def under_http(request: web.Request) -> web.StreamResponse:
        return await serve_action(backend, request, "/" + request.match_info.get("path", ""))

    return [web.route("*", "/http", under_http), web.route("*", "/http/{path:.*}", under_http)]


def site_routes(backend: ServedBackend) -> list[web.RouteDef]:
    """The door on the site port: everything."""

    async def at_root(request: web.Request) -> web.StreamResponse:
        return await serve_action(backend, request, request.path)

    return [web.route("*", "/{path:.*}", at_root)]
