"""One client's connection below HTTP: how long it may take, and what is said when it makes no sense.

aiohttp waits for ever for half a header, and for a client that does not take its answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from parabola.server.http.rules import ServerRules

__all__ = ["ConnectionRunner"]

TAKEN_WINDOWS: Final = 2
"""Windows of `body_seconds` after which a client that takes too little of its answer is let go."""

_log: Final = logging.getLogger(__name__)


class Connection(RequestHandler):
    """A connection with deadlines: for headers, and for what is sent to be taken."""

    __slots__ = ("_awaiting", "_left", "_rules", "_taking")

    def __init__(self, manager: web.Server, rules: ServerRules, **options: Any) -> None:
        super().__init__(manager, **options)
        self._rules = rules
        self._awaiting: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in (self._awaiting, self._taking):
            if timer is not None:
                timer.cancel()
        self._awaiting = self._taking = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            if self._awaiting is not None:
                self._awaiting.cancel()
                self._awaiting = None
        elif self._awaiting is None and self._waiter is not None:  # the beginning of a further request
            self._expect_headers()

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

    def __init__(self, made: web.Server, rules: ServerRules, options: dict[str, Any]) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._rules = rules
        self._options = options

    def __call__(self) -> RequestHandler:
        return Connection(self, self._rules, loop=self._loop, **self._options)


class ConnectionRunner(web.AppRunner):
    """An `AppRunner` whose connections keep the rules."""

    def __init__(self, app: web.Application, rules: ServerRules, **options: Any) -> None:
        super().__init__(app, **options)
        self._rules = rules

    async def _make_server(self) -> web.Server:
        options = {name: value for name, value in self._kwargs.items() if name != "handler_cancellation"}
        return _Connections(await super()._make_server(), self._rules, options)
