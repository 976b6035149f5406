"""What the server knows of live queries and contention: endpoints of our own, for the dashboard.

What answers them is imported with the first question: few servers are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import orjson
from aiohttp import web

from parabola.server.http.credentials import require_admin
from parabola.server.served_backend import ServedBackend
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.functions.queries.query_cache import QueryCache

__all__ = ["InsightfulBackend", "routes"]


class InsightfulBackend(ServedBackend, Protocol):
    """A backend that can be looked into."""

    @property
    def database(self) -> Database: ...

    @property
    def query_cache(self) -> QueryCache: ...


def routes(backend: InsightfulBackend) -> list[web.RouteDef]:
    """The endpoints."""

    async def live(request: web.Request) -> web.Response:
        from parabola.services.observability.live_queries import followed_queries

        await require_admin(request, backend)
        return _answer(followed_queries(backend.database, backend.query_cache))

    async def why(request: web.Request) -> web.Response:
        from parabola.services.observability.live_queries import reruns

        await require_admin(request, backend)
        after = request.query.get("after", "0")
        if not after.isdecimal():
            raise BadRequest("?after= must be a timestamp: a whole number", code="BadQueryArgs")
        return _answer({"reruns": reruns(backend.database, backend.query_cache, int(after))})

    async def conflicts(request: web.Request) -> web.Response:
        from parabola.services.observability.contention import contention

        await require_admin(request, backend)
        return _answer(contention(backend.database.lost_races))

    return [
        web.get("/api/parabola/live_queries", live),
        web.get("/api/parabola/reruns", why),
        web.get("/api/parabola/contention", conflicts),
    ]


def _answer(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
