"""The bodies of HTTP actions on their way between client and host (host-protocol.md, *HTTP actions*).

Neither side runs ahead of the other: of each body at most `MAX_BODY_AHEAD` bytes are under way that nobody
has taken yet, so a slow client holds up its action, and a slow action its client, at the cost of that memory.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from parabola.functions.processes.host_messages import ResponseChunk, ResponseHead
from parabola.functions.processes.host_replies import BodyMessage, RequestChunk, RequestEnd
from parabola.values.limits import MAX_BODY_AHEAD, MAX_RESPONSE_SIZE

__all__ = ["RequestFeed", "ResponseRelay", "ResponseSink", "Send"]

Send = Callable[[BodyMessage], None]


class ResponseSink(Protocol):
    """Where the response goes. Each call returns once there is room for more; `ConnectionError` says that
    nobody reads it any more.
    """

    async def head(self, status: int, headers: list[tuple[str, str]]) -> None: ...

    async def chunk(self, data: bytes) -> None: ...


class RequestFeed:
    """Passes a request's body on to a host as it arrives. `on_cut` hears that it does not arrive whole."""

    def __init__(self, body: AsyncIterator[bytes], send: Send, on_cut: Callable[[], None]) -> None:
        self._body = body
        self._send = send
        self._on_cut = on_cut
        self._ahead = 0
        self._room = asyncio.Event()
        self._task = asyncio.create_task(self._feed())

    def taken(self, count: int) -> None:
        """The action has read so many bytes."""
        self._ahead -= count
        if self._ahead < MAX_BODY_AHEAD:
            self._room.set()

    def close(self) -> None:
        """Nobody wants the rest."""
        self._task.cancel()

    async def _feed(self) -> None:
        try:
            async for chunk in self._body:
                self._ahead += len(chunk)
                self._send(RequestChunk(base64.b64encode(chunk).decode()))
                if self._ahead >= MAX_BODY_AHEAD:
                    self._room.clear()
                    await self._room.wait()
        except Exception:  # whatever its carrier calls it: the rest of the body will never come
            self._on_cut()
        else:
            self._send(RequestEnd())


class ResponseRelay:
    """Gives a response to its sink, beside the other messages of the run. `report_taken` hears what has left,
    `on_gone` that the client has; what comes afterwards is dropped. `on_too_large` hears of the chunk that is
    one too many; it and all later ones are dropped too.
    """

    def __init__(
        self,
        sink: ResponseSink,
        report_taken: Callable[[int], None],
        on_gone: Callable[[], None],
        on_too_large: Callable[[], None],
    ) -> None:
        self._sink = sink
        self._report_taken = report_taken
        self._on_gone = on_gone
        self._on_too_large = on_too_large
        self._messages: deque[ResponseHead | ResponseChunk] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._written = 0
        self._is_open = True
        self._error: Exception | None = None
        self.status: int | None = None
        """Of the response, once its head has come."""

    def put(self, message: ResponseHead | ResponseChunk) -> None:
        """A `responseHead` or `responseChunk`."""
        if type(message) is ResponseHead:
            self.status = message.status
        self._messages.append(message)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    def drop_the_rest(self) -> None:
        """Nobody reads it any more."""
        self._is_open = False

    async def finish(self) -> None:
        """Wait until everything has been written. Raises what the sink raised besides `ConnectionError`."""
        if self._writing is not None:
            await self._writing
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Write nothing more."""
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self) -> None:
        while self._messages:
            message = self._messages.popleft()
            try:
                if type(message) is ResponseHead:
                    await self._write_head(message.headers)
                elif type(message) is ResponseChunk:
                    await self._write_chunk(base64.b64decode(message.data))
            except ConnectionError:
                self._is_open = False
                self._on_gone()
            except Exception as error:
                self._is_open = False
                self._error = error

    async def _write_head(self, headers: list[tuple[str, str]]) -> None:
        if self._is_open:
            assert self.status is not None
            await self._sink.head(self.status, headers)

    async def _write_chunk(self, data: bytes) -> None:
        try:
            if self._written + len(data) > MAX_RESPONSE_SIZE >= self._written:
                self._on_too_large()
            self._written += len(data)
            if self._is_open and self._written <= MAX_RESPONSE_SIZE:
                await self._sink.chunk(data)
        finally:
            self._report_taken(len(data))
