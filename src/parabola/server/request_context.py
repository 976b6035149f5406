"""What a function may know of the request that called it (sync-and-http 2.3)."""

from __future__ import annotations

from aiohttp import web

from parabola.functions.calling import RequestContext
from parabola.functions.failures import new_request_id
from parabola.values.texts import repaired


def request_context(request: web.Request) -> RequestContext:
    """Request id (the caller's own, if it sends one), client address (behind proxies: the first one
    forwarded) and user agent."""
    forwarded = _header(request, "X-Forwarded-For").partition(",")[0].strip()
    return RequestContext(
        request_id=_header(request, "convex-request-id") or new_request_id(),
        ip=forwarded or request.remote,
        user_agent=_header(request, "User-Agent") or None,
    )


def _header(request: web.Request, name: str) -> str:
    """A header as text: bytes that are no UTF-8 come as half characters, which no message can hold."""
    return repaired(request.headers.get(name, ""))
