"""The straight way: calls of functions that come as most do are answered past the application.

A request goes this way when all of its body has come with its head, which nearly always has come before
(`known_heads`). Then there is nothing to route, to negotiate or to wait for. All other requests go the
general way, through the application and its middlewares, and get the same answers: what holds there holds
here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from parabola.functions.calls.calling import RequestContext
from parabola.functions.outcomes.failures import new_request_id
from parabola.server.http.cors import VARY
from parabola.server.http.http_errors import error_response, response_to
from parabola.server.http.intake import SMALL_BYTES, Intake, Lease
from parabola.server.http.json_body import parse_json
from parabola.server.http.json_weight import json_weight
from parabola.server.http.known_heads import KnownHead, KnownHeads
from parabola.server.http.open_requests import OpenRequests
from parabola.server.http.request_context import forwarded_for
from parabola.server.http.rules import ServerRules
from parabola.server.served_backend import Freshness

if TYPE_CHECKING:
    from parabola.server.http.connection import Connection

__all__ = ["STRAIGHT_WAY", "StraightCall", "StraightRequest", "StraightWay"]

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b%b\r\n%b"


class StraightRequest:
    """What an endpoint asks of a request. Its body is read once; what that takes counts as read until the
    request is answered.
    """

    __slots__ = ("_body", "_connection", "_rules", "head", "lease")

    def __init__(
        self, head: KnownHead, body: bytes, lease: Lease, connection: Connection, rules: ServerRules
    ) -> None:
        self.head = head
        self.lease = lease
        self._body = body
        self._connection = connection
        self._rules = rules

    def read_json(self) -> Any:
        """The body, parsed. Raises BadRequest (BadJsonBody), Overloaded."""
        body = self._body
        taken = len(body) + json_weight(body)
        if taken > SMALL_BYTES:  # what is read is small before it is parsed
            self.lease.take(len(body))
            taken -= len(body)
        self.lease.take(taken)
        return parse_json(body)

    def context(self) -> RequestContext:
        """As `request_context` makes it."""
        head, address = self.head, self._connection.remote
        if head.forwarded_for is not None and self._rules.trusts(address):
            address = forwarded_for(head.forwarded_for) or address
        return RequestContext(
            request_id=head.request_id or new_request_id(),
            ip=address,
            user_agent=head.user_agent,
            caller="HttpApi",
            trace=head.trace,
        )


StraightCall = Callable[[StraightRequest], Awaitable[bytes]]
"""An endpoint: answers the JSON of an answer with status 200. Raises what endpoints raise."""


class StraightWay:
    """The straight way of one application, for `calls` by their paths."""

    __slots__ = ("_freshness", "_intake", "_lines", "_open_requests", "_rules", "_second", "heads")

    def __init__(
        self,
        calls: Mapping[str, StraightCall],
        rules: ServerRules,
        intake: Intake,
        open_requests: OpenRequests,
        freshness: Freshness,
    ) -> None:
        self.heads = KnownHeads(calls, rules)
        self._rules = rules
        self._intake = intake
        self._open_requests = open_requests
        self._freshness = freshness if freshness.is_shared else None
        self._second = 0
        self._lines = b""
        """What stands in every answer of this second."""

    async def answer(self, connection: Connection, head: KnownHead, body: bytes) -> bytes:
        """The whole answer to a request, as bytes."""
        open_requests = self._open_requests
        open_requests.enter(connection, connection.answering)
        lease = self._intake.lease()
        try:
            if self._freshness is not None:
                await self._freshness.catch_up()
            text = await head.call(StraightRequest(head, body, lease, connection, self._rules))
        except asyncio.CancelledError:
            cut = open_requests.answer_of_cut()
            if cut is None:
                raise
            return self._written(error_response(cut), head)
        except Exception as error:
            return self._written(response_to(error, "POST", head.path, connection.transport), head)
        finally:
            lease.release()
            open_requests.leave(connection)
        return _HEAD % (len(text), self._now(), head.allowed_origin, text)

    def _now(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            lines = f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\nVary: {VARY}\r\n"
            self._lines = lines.encode()
        return self._lines

    def _written(self, response: web.Response, head: KnownHead) -> bytes:
        """An answer that is told otherwise, as bytes."""
        body = response.body or b""
        assert isinstance(body, bytes)
        lines = [f"HTTP/1.1 {response.status} {response.reason}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        lines += [f"Content-Length: {len(body)}", ""]
        return b"%b%b%b\r\n%b" % ("\r\n".join(lines).encode(), self._now(), head.allowed_origin, body)


STRAIGHT_WAY: Final = web.AppKey("straight_way", StraightWay)
