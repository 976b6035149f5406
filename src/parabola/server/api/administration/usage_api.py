"""Usage and its limits (deploy-api 17): nothing is metered here, so there is none, and no limits to set."""

from __future__ import annotations

from aiohttp import web

from parabola.server.http.credentials import require_admin
from parabola.server.served_backend import ServedBackend
from parabola.values.errors import BadRequest

__all__ = ["routes"]


def routes(backend: ServedBackend) -> list[web.RouteDef]:
    """The endpoints of `npx convex deployment usage` and `usage-limits`, which tries missing ones again."""

    async def current(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        return web.json_response({"metrics": {}, "seedStatus": "complete"})

    async def limits(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        return web.json_response({"usageLimits": []})

    async def refuse(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        raise BadRequest(
            "This server does not meter usage, so there are no usage limits to set. "
            "Bound what it may use where it runs, such as in its container or its systemd unit.",
            code="UsageLimitsUnavailable",
        )

    return [
        web.get("/api/v1/get_current_usage", current),
        web.get("/api/v1/list_usage_limits", limits),
        web.post("/api/v1/create_usage_limit", refuse),
        web.post("/api/v1/update_usage_limit/{id}", refuse),
        web.post("/api/v1/delete_usage_limit/{id}", refuse),
    ]
