"""One client's connection below HTTP: how long it may take, what is said when it makes no sense, and which of
its requests go the straight way.

aiohttp waits for ever for half a header, and for a client that does not take its answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from parabola.server.http.known_heads import END_OF_HEAD, KnownHead
from parabola.server.http.rules import ServerRules
from parabola.server.http.straight_way import STRAIGHT_WAY, StraightWay

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

__all__ = ["Connection", "ConnectionRunner"]

TAKEN_WINDOWS: Final = 2
"""Windows of `body_seconds` after which a client that takes too little of its answer is let go."""

_MAX_BEGUN: Final = 16 * 1024

_NEEDED: Final = frozenset(
    {
        "_close",
        "_drain_helper",
        "_force_close",
        "_handler_waiter",
        "_keepalive",
        "_keepalive_handle",
        "_keepalive_timeout",
        "_manager",
        "_messages",
        "_next_keepalive_close_time",
        "_parser",
        "_paused",
        "_process_keepalive",
        "_request_count",
        "_request_in_progress",
        "_waiter",
    }
)
"""What the straight way uses of aiohttp's connection. With a version that has other names, there is none."""

_log: Final = logging.getLogger(__name__)


class Connection(RequestHandler):
    """A connection with deadlines: for headers, and for what is sent to be taken.

    A call goes the straight way when all of it comes at once, to a connection that rests. While it is
    answered the loop of aiohttp, which takes the other requests, is not told of any: whatever comes meanwhile
    waits, and goes the general way.
    """

    __slots__ = (
        "_awaiting",
        "_begun",
        "_is_between",
        "_left",
        "_missing",
        "_payload",
        "_resting",
        "_rules",
        "_straight",
        "_taking",
        "answering",
        "remote",
    )

    def __init__(
        self, manager: web.Server, rules: ServerRules, straight: StraightWay | None, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._rules = rules
        self._straight = straight
        self.remote: str | None = None
        """The address of the client."""
        self._is_between = straight is not None
        """Whether what aiohttp has read so far ends with a request, for certain."""
        self._begun = b""
        """The beginning of a request whose head has not come to its end, where it is known that it is one."""
        self._missing = 0
        """Bytes of the last request's body that have not come yet, where that is known."""
        self._payload: StreamReader | None = None
        self.answering: asyncio.Task[None] | None = None
        """The request that goes the straight way."""
        self._resting: asyncio.Future[None] | None = None
        """What the loop of aiohttp waits for meanwhile."""
        self._awaiting: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = self.peername
        self.remote = None if peer is None else str(peer[0] if isinstance(peer, list | tuple) else peer)
        self._expect_headers()

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in (self._awaiting, self._taking):
            if timer is not None:
                timer.cancel()
        self._awaiting = self._taking = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_between:
            end = -1 if self._begun else data.find(END_OF_HEAD)
            if end > 0:
                self._receive(data, end)
            else:
                self._receive_piece(data)
            return
        self._receive_generally(data, self._waiter)
        if data:
            self._look_for_end(data)

    def _receive(self, data: bytes, end: int) -> None:
        """Take data that begins with a request, whose head ends at `end`."""
        straight, waiter = self._straight, self._waiter
        assert straight is not None
        if self._messages or self._close or self._force_close or (waiter is not None and waiter.done()):
            waiter = None
        text = data[:end]
        head = straight.heads.known.get(text)
        if (
            waiter is not None
            and head is not None
            and len(data) == end + len(END_OF_HEAD) + head.content_length
        ):
            self._request_count += 1
            self._begin_straight(straight, head, data[-head.content_length :], waiter)
            return
        before, self._waiter = self._request_count, None  # aiohttp's loop is told below, if it is to be
        try:
            self._receive_generally(data, waiter)
        finally:
            self._waiter = waiter
        self._is_between = False
        if self._request_count == before + 1 and self._messages:
            message = self._plain_end(data, end, text)
            if message is not None and waiter is not None:
                head = straight.heads.read(text, message)
                if head is not None:
                    self._take_back_message()
                    self._begin_straight(straight, head, data[-head.content_length :], waiter)
                    return
        if waiter is not None and self._messages and not waiter.done():
            waiter.set_result(None)

    def _receive_piece(self, data: bytes) -> None:
        """Take a piece of a request whose head comes in several: it goes the general way, and where it ends
        is known as of others.
        """
        before = self._request_count
        self._receive_generally(data, self._waiter)
        text, self._begun = self._begun + data, b""
        end = text.find(END_OF_HEAD)
        if self._request_count == before and end < 0 and len(text) <= _MAX_BEGUN:
            self._begun = text
            return
        self._is_between = False
        if self._request_count == before + 1 and self._messages and end > 0:
            self._plain_end(text, end, text[:end])

    def _plain_end(self, data: bytes, end: int, text: bytes) -> RawRequestMessage | None:
        """The request that has just been read, if it is certain that data end with it. Otherwise what is
        known of its end is noted.
        """
        read, payload = self._messages[-1]
        if not hasattr(read, "headers"):  # it was no request
            return None
        message = cast("RawRequestMessage", read)
        # Where lines end otherwise, aiohttp may see the end of the head elsewhere.
        if text.count(b"\n") != text.count(b"\r\n") or text.count(b"\r") != text.count(b"\n"):
            return None
        length = message.headers.get("Content-Length", "0")
        if not length.isdecimal() or message.chunked or message.upgrade:
            return None
        self._missing = int(length) - (len(data) - end - len(END_OF_HEAD))
        self._payload = payload if self._missing > 0 else None  # a whole body is not to stay in memory
        self._is_between = not self._missing and payload.is_eof()
        return message if self._is_between else None

    def _take_back_message(self) -> None:
        """A request that aiohttp has read is not for its loop."""
        self._messages.pop()
        consumed = getattr(self._parser, "message_consumed", None)  # which older versions do not count
        if consumed is not None:
            consumed()

    def _receive_generally(self, data: bytes, waiter: asyncio.Future[None] | None) -> None:
        """As aiohttp does. With a `waiter` the connection rests."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            if self._awaiting is not None:
                self._awaiting.cancel()
                self._awaiting = None
        elif self._awaiting is None and waiter is not None:  # the beginning of a further request
            self._expect_headers()

    def _look_for_end(self, data: bytes) -> None:
        """Whether a body that came in pieces ends with these data."""
        self._is_between = False
        if self._missing > 0:
            self._missing -= len(data)
            if self._missing <= 0:
                payload, self._payload = self._payload, None
                self._is_between = not self._missing and payload is not None and payload.is_eof()

    # The straight way

    def _begin_straight(
        self, straight: StraightWay, head: KnownHead, body: bytes, waiter: asyncio.Future[None]
    ) -> None:
        if self._awaiting is not None:
            self._awaiting.cancel()
            self._awaiting = None
        assert self._manager is not None
        self._manager.requests_count += 1
        self._resting, self._waiter = waiter, None
        self._request_in_progress = True
        self.answering = self._loop.create_task(self._answer_straight(straight, head, body))

    async def _answer_straight(self, straight: StraightWay, head: KnownHead, body: bytes) -> None:
        try:
            answer = await straight.answer(self, head, body)
            transport = self.transport
            if transport is not None and not transport.is_closing():
                transport.write(answer)
                if self._paused:
                    await self._drain_helper()
        except ConnectionError:
            pass  # nobody hears it
        except BaseException:
            self.force_close()  # who gets no answer must not wait for one
            raise
        finally:
            self._end_straight()

    def _end_straight(self) -> None:
        """Rest again, or end: as aiohttp does after a request."""
        self.answering = None
        self._request_in_progress = False
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        resting, self._resting = self._resting, None
        if resting is None or resting.done():
            return
        if self._close or self._force_close:
            resting.cancel()
            if self.transport is not None:
                self.transport.close()
            return
        self._keepalive = True
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )
        self._waiter = resting
        if self._messages:
            resting.set_result(None)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109
        await super().shutdown(timeout)
        if self.answering is not None:
            self.answering.cancel()

    # Deadlines

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taking is None and self.transport is not None:
            self._left = self._unsent()
            self._taking = self._loop.call_later(TAKEN_WINDOWS * self._rules.body_seconds, self._look_at_rest)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """One line for what is no HTTP. What it was is not told: there may be a token in it."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        _log.warning("A malformed request from %s: %s", request.remote, type(exc).__name__)
        response = web.json_response(
            {"code": "MalformedRequest", "message": "The request is not HTTP, or its headers are too long."},
            status=status,
        )
        response.force_close()
        return response

    def _expect_headers(self) -> None:
        self._awaiting = self._loop.call_later(self._rules.header_seconds, self._end_waiting)

    def _end_waiting(self) -> None:
        self._awaiting = None
        if self._waiter is not None:
            self.force_close()

    def _look_at_rest(self) -> None:
        """It takes an answer slowly: go on as long as it takes some of it."""
        self._taking = None
        if self.transport is None:
            return
        seconds = TAKEN_WINDOWS * self._rules.body_seconds
        left = self._unsent()
        if self._left - left < self._rules.body_rate * seconds:
            self.transport.abort()
            return
        self._left = left
        self._taking = self._loop.call_later(seconds, self._look_at_rest)

    def _unsent(self) -> int:
        transport = self.transport
        return 0 if transport is None else transport.get_write_buffer_size()


class _Connections(web.Server):
    """Makes a `Connection` for each client."""

    def __init__(
        self, made: web.Server, rules: ServerRules, straight: StraightWay | None, options: dict[str, Any]
    ) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._rules = rules
        self._straight = straight
        self._options = options

    def __call__(self) -> RequestHandler:
        return Connection(self, self._rules, self._straight, loop=self._loop, **self._options)


class ConnectionRunner(web.AppRunner):
    """An `AppRunner` whose connections keep the rules."""

    def __init__(self, app: web.Application, rules: ServerRules, **options: Any) -> None:
        super().__init__(app, **options)
        self._rules = rules

    async def _make_server(self) -> web.Server:
        options = {name: value for name, value in self._kwargs.items() if name != "handler_cancellation"}
        straight = self.app.get(STRAIGHT_WAY) if _is_understood() else None
        return _Connections(await super()._make_server(), self._rules, straight, options)


def _is_understood() -> bool:
    """Whether aiohttp's connection has all that the straight way uses of it."""
    return all(hasattr(RequestHandler, name) for name in _NEEDED)
