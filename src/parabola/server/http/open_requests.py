"""The requests that are being answered: a server that ends waits for them, and answers those it cuts.

No request is left without an answer: a client, or what stands between, that gets nothing at all on a
connection may take it for one that was never read, and send the request again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from parabola.values.errors import ServerShutdown

__all__ = ["OPEN_REQUESTS", "REQUEST_CUT", "OpenRequests"]

REQUEST_CUT: Final = (
    "The server was shut down before this was answered. What the request asked for may have taken effect."
)


class OpenRequests:
    """Those of one server, on all of its ports; each connection has one at a time."""

    def __init__(self) -> None:
        self.stopping: Final = asyncio.Event()
        """Set when the server begins to end: what waits for news has none."""
        self._tasks: dict[RequestHandler, asyncio.Task[object]] = {}
        self._begun: set[RequestHandler] = set()
        self._cut: set[asyncio.Task[object]] = set()

    def enter(self, connection: RequestHandler, task: asyncio.Task[Any] | None = None) -> None:
        """A request has come, in the current task, if no other is named."""
        task = task or asyncio.current_task()
        if task is not None:
            self._tasks[connection] = task

    def leave(self, connection: RequestHandler) -> None:
        """Its answer is ready; or it waits for nothing that ends, as the request of a socket."""
        self._tasks.pop(connection, None)
        self._begun.discard(connection)

    async def begun(self, request: web.Request, response: web.StreamResponse) -> None:
        """The head of an answer is about to be sent: it cannot become another one (`on_response_prepare`)."""
        if request.protocol in self._tasks:
            self._begun.add(request.protocol)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._tasks)

    def cut(self) -> None:
        """Interrupt them all. `answer_of_cut` says what they are answered."""
        for connection, task in list(self._tasks.items()):
            if connection not in self._begun:
                self._cut.add(task)
                task.cancel()
            elif connection.transport is not None:
                connection.transport.abort()  # an end that nobody takes for the whole

    def answer_of_cut(self) -> ServerShutdown | None:
        """The error with which the request in the current task ends; None if it was interrupted otherwise."""
        task = asyncio.current_task()
        if task is None or task not in self._cut:
            return None
        self._cut.discard(task)
        task.uncancel()
        return ServerShutdown(REQUEST_CUT, can_be_repeated=False)


OPEN_REQUESTS: Final = web.AppKey("open_requests", OpenRequests)
