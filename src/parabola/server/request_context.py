"""What a function may know of the request that called it (sync-and-http 2.3)."""

from __future__ import annotations

from aiohttp import web

from parabola.functions.calling import RequestContext
from parabola.functions.failures import new_request_id


def request_context(request: web.Request) -> RequestContext:
    """Request id (the caller's own, if it sends one), client address (behind proxies: the first one
    forwarded) and user agent."""
    forwarded = request.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    return RequestContext(
        request_id=request.headers.get("convex-request-id") or new_request_id(),
        ip=forwarded or request.remote,
        user_agent=request.headers.get("User-Agent"),
    )
