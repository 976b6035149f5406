"""HTTP actions: actions that get a request and give a response (host-protocol.md, *HTTP actions*).

Both bodies come and go in pieces, no faster than the other side takes them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Generator
from contextlib import aclosing
from typing import Any, Final

from parabola.authoring.functions import Function
from parabola.authoring.http import Route
from parabola.authoring.http_messages import (
    Headers,
    Request,
    Response,
    SyncRequest,
    check_headers,
    check_status,
)
from parabola.hosts.python.executions.action import Action, block_on
from parabola.hosts.python.executions.http_bodies import Exchange, IncomingBody, OutgoingBody
from parabola.hosts.python.reports.frames import type_name
from parabola.values.sizes import humanize

__all__ = ["PIECE", "TOO_LARGE", "HttpActionRun", "Json", "handler_found", "no_route"]

Json = dict[str, Any]

PIECE: Final = 1024 * 1024
TOO_LARGE: Final = "HttpResponseTooLarge: HTTP actions support responses up to {limit}"


class HttpActionRun(Action):
    """One request."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._request: Json = self.request.args["request"]
        self._exchange = Exchange(self._new_reply, lambda reply: self._set(reply, "set_result", None))
        self._incoming = IncomingBody(self._exchange, self._report_taken)
        self._outgoing = OutgoingBody(self._exchange, self._outlet.limits.body_ahead)
        body = self._request.get("body")
        if isinstance(body, str):
            self._incoming.feed(b64decode(body))
        if body is not True:
            self._incoming.end()

    # On the host's thread

    def receive_part(self, message: Json) -> None:
        """A message about one of the bodies."""
        kind = message["type"]
        if kind == "requestChunk":
            self._incoming.feed(b64decode(message["data"]))
        elif kind == "requestEnd":
            self._incoming.end()
        elif kind == "clientGone":
            self._incoming.lose_client()
        else:
            self._outgoing.taken(int(message["bytes"]))

    def cancel(self) -> None:
        super().cancel()
        self._exchange.close()

    # In the action's thread

    def arguments(self) -> tuple[list[Any], Json]:
        headers = Headers([(name, value) for name, value in self._request.get("headerPairs", ())])
        request = Request(
            self._request["method"],
            self._request["url"],
            headers,
            self._incoming,
            is_disconnected=lambda: self._incoming.client_gone,
        )
        return [request if self.function.is_async else SyncRequest(request, block_on)], {}

    def _report_taken(self, count: int) -> None:
        if self._request.get("body") is True:
            self._send({"type": "requestTaken", "id": self.id, "bytes": count})

    async def conclude(self, result: Any) -> Any:
        if not isinstance(result, Response):
            raise TypeError(f"HTTP actions must return a Response. Received {type(result).__name__}.")
        if self._request.get("streamResponse"):
            await self._stream(result)
            return None
        async with aclosing(self._limited(result)) as pieces:
            body = b"".join([piece async for piece in pieces])
        return {
            "status": check_status(result.status),
            "headerPairs": self._header_pairs(result),
            "body": b64encode(body).decode() if body else None,
        }

    async def _stream(self, response: Response) -> None:
        head = {
            "status": check_status(response.status),
            "headers": self._header_pairs(response),
        }
        self._send({"type": "responseHead", "id": self.id, **head})
        async with aclosing(self._limited(response)) as pieces:
            async for piece in pieces:
                self._send({"type": "responseChunk", "id": self.id, "data": b64encode(piece).decode()})
                await self._outgoing.sent(len(piece))
        self._send({"type": "responseEnd", "id": self.id})

    async def _limited(self, response: Response) -> AsyncGenerator[bytes, None]:
        """The body in pieces, cut off at the limit."""
        total, most = 0, self._outlet.limits.response_bytes
        async with aclosing(_pieces(response)) as pieces:
            async for piece in pieces:
                total += len(piece)
                if total > most:
                    self.console.write("ERROR", TOO_LARGE.format(limit=humanize(most)))
                    return
                yield piece

    def _header_pairs(self, response: Response) -> list[list[str]]:
        """The headers, with the length of a body that is known from the beginning, and not too large."""
        check_headers(response.headers)  # again: they can be changed
        pairs = [[str.__str__(name), str.__str__(value)] for name, value in response.headers.pairs]
        most = self._outlet.limits.response_bytes
        if response.chunks is None and response.has_body and len(response.body) <= most:
            pairs = [pair for pair in pairs if pair[0].lower() != "content-length"]
            pairs.append(["content-length", str(len(response.body))])
        return pairs


async def _pieces(response: Response) -> AsyncGenerator[bytes, None]:
    """The body as it comes; a generator of the author's is closed while the action still runs."""
    chunks = response.chunks
    if isinstance(chunks, AsyncIterable):
        try:
            async for chunk in chunks:
                yield _piece(chunk)
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
    elif chunks is not None:
        try:
            for chunk in chunks:
                yield _piece(chunk)
        finally:
            if isinstance(chunks, Generator):
                chunks.close()
    else:
        for start in range(0, len(response.body), PIECE):
            yield response.body[start : start + PIECE]


def _piece(chunk: Any) -> bytes:
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise TypeError(f"The pieces of a response are bytes. Received {type(chunk).__name__}.")
    return bytes(chunk)


def handler_found(found: Any) -> Function[..., Any] | None:
    """The handler in what a router's own lookup has found. Raises LookupError where that is no route."""
    if found is None:
        return None
    if not isinstance(found, Route):
        if isinstance(found, Coroutine):
            found.close()
        raise LookupError(
            "The router's lookup must return a Route, or None where there is none, at once. "
            f"It returned {type_name(found)}."
        )
    handler: object = found.handler
    if not isinstance(handler, Function) or handler.kind != "httpAction":
        raise LookupError("The router's lookup found a route whose handler is no HTTP action.")
    return handler


def no_route(request: Json, id: int) -> list[Json]:
    """The messages that answer a request for which the router has no route (js-runtime 2.4)."""
    body = b64encode(b"No matching routes found").decode()
    done = {"type": "done", "id": id, "result": None, "logs": [], "usage": {}}
    if not request.get("streamResponse"):
        return [{**done, "result": {"status": 404, "headerPairs": [], "body": body}}]
    return [
        {"type": "responseHead", "id": id, "status": 404, "headers": []},
        {"type": "responseChunk", "id": id, "data": body},
        {"type": "responseEnd", "id": id},
        done,
    ]
