"""HTTP actions: actions that get a request and give a response (docs/host-protocol.md, *HTTP actions*).

The handler starts when the whole body of the request is here; the response may leave in pieces.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Final

from parabola.authoring.http import Headers, Request, Response
from parabola.hosts.python.action import Action

Json = dict[str, Any]

MAXIMUM_BODY: Final = 20 * 1024 * 1024
"""Bytes of a response (js-runtime 7.4)."""
PIECE: Final = 1024 * 1024
TOO_LARGE: Final = "HttpResponseTooLarge: HTTP actions support responses up to 20 MiB"


class HttpActionRun(Action):
    """One request."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._request: Json = self.request.args["request"]
        body = self._request.get("body")
        self._body = b64decode(body) if isinstance(body, str) else b""
        self._pieces: list[bytes] = []

    # The request: on the host's thread

    def start(self) -> None:
        if self._request.get("body") is not True:
            super().start()

    def receive_body(self, message: Json) -> None:
        """A ``requestChunk``, or the ``requestEnd`` after the last."""
        if message["type"] == "requestChunk":
            self._pieces.append(b64decode(message["data"]))
        else:
            self._body = b"".join(self._pieces)
            super().start()

    def arguments(self) -> tuple[list[Any], Json]:
        headers = Headers([(name, value) for name, value in self._request.get("headerPairs", ())])
        return [Request(self._request["method"], self._request["url"], headers, self._body)], {}

    # The response: in the action's thread

    async def conclude(self, result: Any) -> Any:
        if not isinstance(result, Response):
            raise TypeError(f"HTTP actions must return a Response. Received {type(result).__name__}.")
        if self._request.get("streamResponse"):
            await self._stream(result)
            return None
        body = b"".join([piece async for piece in self._limited(result)])
        return {
            "status": result.status,
            "headerPairs": _header_pairs(result),
            "body": b64encode(body).decode() if body else None,
        }

    async def _stream(self, response: Response) -> None:
        head = {"status": response.status, "headers": _header_pairs(response)}
        self._send({"type": "responseHead", "id": self.id, **head})
        async for piece in self._limited(response):
            self._send({"type": "responseChunk", "id": self.id, "data": b64encode(piece).decode()})
        self._send({"type": "responseEnd", "id": self.id})

    async def _limited(self, response: Response) -> AsyncIterator[bytes]:
        """The body in pieces, cut off at the limit."""
        total = 0
        async for piece in _pieces(response):
            total += len(piece)
            if total > MAXIMUM_BODY:
                self.console.write("ERROR", TOO_LARGE)
                return
            yield piece


async def _pieces(response: Response) -> AsyncIterator[bytes]:
    chunks = response.chunks
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield bytes(chunk)
    elif chunks is not None:
        for chunk in chunks:
            yield bytes(chunk)
    else:
        for start in range(0, len(response.body), PIECE):
            yield response.body[start : start + PIECE]


def _header_pairs(response: Response) -> list[list[str]]:
    return [list(pair) for pair in response.headers.pairs]


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
