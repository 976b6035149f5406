"""HTTP actions: under `/http` on the main port, and at the root of the site port (sync-and-http 5).

Both doors lead to `serve_action`, which cuts their own part off the path. An action runs to its end even
when its client has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

import orjson
from aiohttp import web

from parabola.functions.calls.calling import RequestContext
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.identity import Identity
from parabola.functions.http.http_actions import (
    BODYLESS,
    HttpActionRequest,
    HttpExecution,
    ResponseSink,
)
from parabola.functions.http.http_routing import HttpRoute, Unrouted, find_route
from parabola.functions.outcomes.failures import MISSING, FunctionFailure
from parabola.server.http.carried import LEASE, rules_of
from parabola.server.http.credentials import identify
from parabola.server.http.http_errors import error_response
from parabola.server.http.request_body import ENCODINGS, arriving, decoded, encoding_of
from parabola.server.http.request_context import forwarded_scheme, request_context
from parabola.server.served_backend import ServedBackend
from parabola.server.sync.messages import json_string
from parabola.values.errors import InternalServerError, ParabolaError, ServerShutdown
from parabola.values.limits import MAX_BODY_AHEAD
from parabola.values.texts import repaired

__all__ = [
    "BODYLESS_STATUSES",
    "CONNECTION_HEADERS",
    "MAIN_PREFIX",
    "METHODS",
    "NOT_ENABLED",
    "NO_ROUTE",
    "WATCH_SECONDS",
    "ActingBackend",
    "ActionResponse",
    "ResponseWriter",
    "failure_response",
    "header_pairs",
    "public_url",
    "remove_added_headers",
    "routes",
    "serve_action",
    "site_routes",
]

NOT_ENABLED: Final = "This Convex deployment does not have HTTP actions enabled."
NO_ROUTE: Final = "No matching routes found"
MAIN_PREFIX: Final = "/http"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WATCH_SECONDS: Final = 0.25
"""How often a request whose action is still running is checked for a client that has gone."""
BODYLESS_STATUSES: Final = frozenset({204, 205, 304})
CONNECTION_HEADERS: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
"""What the server and the client settle between themselves, not the action."""


class ActingBackend(ServedBackend, Protocol):
    """A backend with HTTP actions."""

    @property
    def deployment(self) -> Deployment: ...

    async def http_action(
        self,
        route: HttpRoute,
        request: HttpActionRequest,
        body: AsyncIterator[bytes] | None,
        sink: ResponseSink,
        identity: Identity | ParabolaError,
        context: RequestContext,
        on_start: Any = None,
    ) -> FunctionFailure | None: ...


async def serve_action(backend: ActingBackend, request: web.Request, prefix: str = "") -> web.StreamResponse:
    """Answer one request. What follows `prefix` in its path is what routes are matched with, as it stands
    there: no percent sign is decoded.
    """
    path = request.rel_url.raw_path.removeprefix(prefix) or "/"
    if request.method not in METHODS:
        return web.Response(status=405)
    deployment = backend.deployment
    route = find_route(deployment, path, request.method)
    if isinstance(route, Unrouted):
        return web.Response(status=404, text=NO_ROUTE if route.has_router else NOT_ENABLED)
    body = _body(request)
    if body is not None:
        announced = request.content_length
        request[LEASE].take(MAX_BODY_AHEAD if announced is None else min(announced, MAX_BODY_AHEAD))
    sink = ResponseWriter(request)
    context = request_context(request, "HttpEndpoint")
    seen: list[HttpExecution] = []
    action = asyncio.ensure_future(
        backend.http_action(
            route,
            HttpActionRequest(request.method, public_url(request, path), path, header_pairs(request)),
            body,
            sink,
            await _identity(backend, request),
            context,
            seen.append,
        )
    )
    try:
        failure = await _watched(request, action, seen)
    except ParabolaError as error:
        if sink.response is None:
            return error_response(error)
        await sink.end(whole=False)
        return sink.response
    if sink.response is not None:
        await sink.end(whole=failure is None)
        return sink.response
    if any(execution.disconnected for execution in seen):
        return web.Response(status=408, headers={"Connection": "close"})  # for a client that has only stalled
    if failure is None:
        return error_response(InternalServerError())
    if failure.kind == "shutdown":
        return error_response(ServerShutdown(failure.message, can_be_repeated=False))
    return failure_response(failure, context.request_id, backend.config.redact_logs_to_client)


class ActionResponse(web.StreamResponse):
    """The response of an action: it has the headers that the action has set, and a date."""

    added: tuple[str, ...] = ()
    """Headers that the action has not set, and aiohttp would."""


async def remove_added_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Take away what aiohttp adds to the headers that an action has set."""
    if isinstance(response, ActionResponse):
        for name in response.added:
            response.headers.pop(name, None)


class ResponseWriter:
    """Writes a response as it comes."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._has_body = True
        self._missing: int | None = None
        self.response: ActionResponse | None = None

    async def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        response = self.response = ActionResponse(status=status)
        for name, value in headers:
            is_length = name.lower() == "content-length"
            if name.lower() not in CONNECTION_HEADERS and (not is_length or value.strip().isdecimal()):
                response.headers.add(name, value)
        response.added = tuple(name for name in ("Content-Type", "Server") if name not in response.headers)
        self._has_body = self._request.method != "HEAD" and status not in BODYLESS_STATUSES
        self._missing = response.content_length if self._has_body else None
        await response.prepare(self._request)

    async def chunk(self, data: bytes) -> None:
        assert self.response is not None
        if not self._has_body:
            return
        if self._missing is not None:
            data = data[: self._missing]
            self._missing -= len(data)
        try:
            async with asyncio.timeout(rules_of(self._request).stall_seconds):
                await self.response.write(data)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("The client does not read") from None

    async def end(self, *, whole: bool) -> None:
        """The response is over. One that is not whole, by its own account or by the length it told, ends with
        its connection, so that nobody takes it for one that is.
        """
        assert self.response is not None
        if (not whole or self._missing) and self._request.transport is not None:
            self._request.transport.close()
        try:
            await self.response.write_eof()
        except ConnectionError:
            pass


def failure_response(failure: FunctionFailure, request_id: str, redacted: bool) -> web.Response:
    """The answer when an action failed before it answered (sync-and-http 5)."""
    head = f"[Request ID: {request_id}] Server Error"
    parts = [b'{"code":%b' % json_string(head if redacted else f"{head}: {failure.message}")]
    if not redacted:
        parts.append(b',"trace":%b' % json_string(failure.text()))
    if failure.data is not MISSING:
        parts.append(b',"data":%b' % orjson.dumps(failure.data))
    return web.Response(status=500, body=b"".join(parts) + b"}", content_type="application/json")


def public_url(request: web.Request, path: str) -> str:
    """The URL as the client knows it: behind a trusted proxy, with the scheme that the proxy tells."""
    scheme = forwarded_scheme(request)
    query = request.rel_url.raw_query_string
    address = f"{path}?{query}" if query else path
    return repaired(f"{scheme}://{request.headers.get('Host', request.host)}{address}")


def header_pairs(request: web.Request) -> tuple[tuple[str, str], ...]:
    """Every header, in order; values as Latin-1, the way `Headers` objects take them.

    A compressed body is decompressed on its way in, so the headers that tell of the compression are left out.
    """
    pairs = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.raw_headers
    )
    if encoding_of(request) not in ENCODINGS:
        return pairs
    return tuple(pair for pair in pairs if pair[0] not in ("content-encoding", "content-length"))


def routes(backend: ActingBackend) -> list[web.RouteDef]:
    """The door on the main port."""

    async def under_http(request: web.Request) -> web.StreamResponse:
        return await serve_action(backend, request, MAIN_PREFIX)

    return [web.route("*", MAIN_PREFIX, under_http), web.route("*", MAIN_PREFIX + "/{path:.*}", under_http)]


def site_routes(backend: ActingBackend) -> list[web.RouteDef]:
    """The door on the site port: everything."""

    async def at_root(request: web.Request) -> web.StreamResponse:
        return await serve_action(backend, request)

    return [web.route("*", "/{path:.*}", at_root)]


async def _identity(backend: ActingBackend, request: web.Request) -> Identity | ParabolaError:
    """Who calls. An `Authorization` header that is not ours is the action's own business."""
    try:
        return await identify(request, backend)
    except ParabolaError as error:
        return error


def _body(request: web.Request) -> AsyncIterator[bytes] | None:
    if request.method in BODYLESS or not request.can_read_body:
        return None
    pieces, encoding = arriving(request, rules_of(request).stall_seconds), encoding_of(request)
    return decoded(pieces, encoding) if encoding in ENCODINGS else pieces


async def _watched(
    request: web.Request, action: asyncio.Future[FunctionFailure | None], seen: list[HttpExecution]
) -> FunctionFailure | None:
    """The outcome of an action; meanwhile a client that disconnects is noticed."""
    while True:
        done, _ = await asyncio.wait([action], timeout=WATCH_SECONDS)
        if done:
            return action.result()
        if request.transport is None or request.transport.is_closing():
            for execution in seen:
                execution.client_gone()
