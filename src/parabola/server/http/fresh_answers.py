"""Answers that are not older than what clients were told elsewhere, where several servers share their data.

Who has been answered by one server may ask another one next, through a balancer. So whatever reads data first
hears what is new; how that costs one question for all who wait is the backend's concern.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from parabola.server.http.slashes import collapse
from parabola.server.served_backend import Freshness

__all__ = ["answer_fresh"]

READING: Final = ("/api/", "/http", "/.well-known/")
"""Where paths begin at which data is read. Elsewhere are files of the page, and what says how a server is."""
NOT_READING: Final = ("/api/debug_event", "/api/sync")


def answer_fresh(freshness: Freshness, *, everywhere: bool = False) -> Middleware:
    """Lets a request pass when everything is here that was acknowledged anywhere before it came, or raises
    the fault with status 503 that sends the client to another server. Sockets see to it by themselves.
    """

    @web.middleware
    async def catch_up(request: web.Request, handler: Handler) -> web.StreamResponse:
        if everywhere or _reads(collapse(request.path)):
            await freshness.catch_up()
        return await handler(request)

    return catch_up


def _reads(path: str) -> bool:
    return path.startswith(READING) and path not in NOT_READING and not path.endswith("/sync")
