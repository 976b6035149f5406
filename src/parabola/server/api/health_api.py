"""Whether the server lives, and whether clients should be sent to it: for balancers and for what restarts it.

`/healthz/live` is answered by whatever still runs; `/healthz/ready` has status 503 while clients are better
off elsewhere: the server ends, or does not reach the log that it shares with others. `/healthz` says both.
"""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

from parabola.server.http.open_requests import OPEN_REQUESTS
from parabola.server.served_backend import ServedBackend

__all__ = ["routes"]

_HEADERS: Final = {"Cache-Control": "no-store"}


def routes(backend: ServedBackend) -> list[web.RouteDef]:
    """Endpoints that anybody may ask; they say nothing about the data."""

    def why_not(request: web.Request) -> tuple[str, str] | None:
        if request.app[OPEN_REQUESTS].stopping.is_set():
            return "ServerShutdown", "This server is being shut down."
        fault = backend.freshness.fault
        return None if fault is None else (fault.code, fault.message)

    async def live(request: web.Request) -> web.Response:
        return _answer({"live": True})

    async def ready(request: web.Request) -> web.Response:
        reason = why_not(request)
        if reason is None:
            return _answer({"live": True, "ready": True})
        code, message = reason
        return _answer({"live": True, "ready": False, "code": code, "message": message}, 503)

    return [
        web.get("/healthz", ready),
        web.get("/healthz/ready", ready),
        web.get("/healthz/live", live),
    ]


def _answer(content: dict[str, object], status: int = 200) -> web.Response:
    body = orjson.dumps(content)
    return web.Response(status=status, body=body, content_type="application/json", headers=_HEADERS)
