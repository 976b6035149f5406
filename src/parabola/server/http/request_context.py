"""What a function may know of the request that called it (sync-and-http 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aiohttp import web

from parabola.functions.calls.calling import Caller, RequestContext
from parabola.functions.outcomes.failures import new_request_id
from parabola.server.http.carried import rules_of
from parabola.values.texts import repaired

if TYPE_CHECKING:
    from parabola.functions.outcomes.traces import TraceContext

__all__ = [
    "MAX_TOLD_LENGTH",
    "forwarded_for",
    "forwarded_scheme",
    "request_context",
    "told_request_id",
    "trace_of",
]

MAX_TOLD_LENGTH: Final = 256
"""Characters of an address or a request id that are taken from a header."""


def request_context(request: web.Request, caller: Caller = "HttpApi") -> RequestContext:
    """Request id (the caller's own, if it sends one), client address (behind trusted proxies: the first one
    forwarded) and user agent.
    """
    forwarded = ""
    if "X-Forwarded-For" in request.headers and rules_of(request).trusts(request.remote):
        forwarded = forwarded_for(request.headers["X-Forwarded-For"])
    return RequestContext(
        request_id=told_request_id(request.headers) or new_request_id(),
        ip=forwarded or request.remote,
        user_agent=_header(request.headers, "User-Agent") or None,
        caller=caller,
        trace=trace_of(request.headers),
    )


def forwarded_for(header: str) -> str:
    """Whom a trusted proxy speaks for: the first address of `X-Forwarded-For`."""
    return repaired(header).partition(",")[0].strip()[:MAX_TOLD_LENGTH]


def told_request_id(headers: Mapping[str, str]) -> str:
    """The request id that the caller sends, if it sends one."""
    return _header(headers, "convex-request-id")[:MAX_TOLD_LENGTH]


def trace_of(headers: Mapping[str, str]) -> TraceContext | None:
    """The place in a trace that a request names."""
    if "traceparent" not in headers:
        return None
    from parabola.functions.outcomes.traces import read_trace  # with the first request that names one

    return read_trace(_header(headers, "traceparent"), _header(headers, "tracestate"))


def forwarded_scheme(request: web.Request) -> str:
    """`https` when a trusted proxy says so, in `X-Forwarded-Proto` or `Forwarded`; `http` otherwise."""
    headers = request.headers
    if not ("X-Forwarded-Proto" in headers or "Forwarded" in headers):
        return "http"
    if not rules_of(request).trusts(request.remote):
        return "http"
    scheme = headers.get("X-Forwarded-Proto", "").partition(",")[0].strip()
    if not scheme:
        for part in headers.get("Forwarded", "").replace(",", ";").split(";"):
            name, _, value = part.strip().partition("=")
            if name.lower() == "proto":
                scheme = value.strip('"')
                break
    return "https" if scheme.lower() == "https" else "http"


def _header(headers: Mapping[str, str], name: str) -> str:
    """A header as text: bytes that are no UTF-8 come as half characters, which no message can hold."""
    return repaired(headers.get(name, ""))
