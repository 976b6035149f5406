"""The bodies of an HTTP action: what the host's thread receives and the action's thread waits for.

Neither body runs ahead by more than a window (docs/explanation/host-protocol.md, *HTTP actions*).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

__all__ = ["CLIENT_GONE", "Exchange", "IncomingBody", "OutgoingBody"]

CLIENT_GONE: Final = "The client disconnected before the body of its request was complete."


class Exchange:
    """State that one thread changes while the other waits for it.

    `new_reply` makes something the action's thread can await, `settle` completes it from any thread.
    """

    def __init__(self, new_reply: Callable[[], Awaitable[Any]], settle: Callable[[Any], None]) -> None:
        self._new_reply = new_reply
        self._settle = settle
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._is_closed = False

    def close(self) -> None:
        """The action is cancelled: whoever waits is told so."""
        self._is_closed = True
        self.change(lambda: None)

    def change(self, change: Callable[[], None]) -> None:
        """Change the state; whoever waits looks again."""
        with self._lock:
            change()
            waiting, self._waiting = self._waiting, []
        for reply in waiting:
            self._settle(reply)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait, in the action's thread, until the state is like this."""
        while True:
            with self._lock:
                if self._is_closed:
                    raise asyncio.CancelledError("The action was cancelled.")
                if holds():
                    return
                reply = self._new_reply()
                self._waiting.append(reply)
            await reply


class IncomingBody:
    """The body of a request, in the pieces in which it arrives. `report_taken` hears of each one read."""

    def __init__(self, exchange: Exchange, report_taken: Callable[[int], None]) -> None:
        self._exchange = exchange
        self._report_taken = report_taken
        self._pieces: deque[bytes] = deque()
        self._is_over = False
        self.client_gone = False

    def feed(self, piece: bytes) -> None:
        """A piece has arrived."""
        self._exchange.change(lambda: self._pieces.append(piece))

    def end(self) -> None:
        """It is complete."""
        self._exchange.change(lambda: setattr(self, "_is_over", True))

    def lose_client(self) -> None:
        """Nothing more will come."""
        self._exchange.change(lambda: setattr(self, "client_gone", True))

    def __aiter__(self) -> IncomingBody:
        return self

    async def __anext__(self) -> bytes:
        await self._exchange.until(lambda: bool(self._pieces) or self._is_over or self.client_gone)
        if self._pieces:
            piece = self._pieces.popleft()
            self._report_taken(len(piece))
            return piece
        if self._is_over:
            raise StopAsyncIteration
        raise ConnectionResetError(CLIENT_GONE)


class OutgoingBody:
    """Counts what of a response is under way: at most `most` bytes before the action waits."""

    def __init__(self, exchange: Exchange, most: int) -> None:
        self._exchange = exchange
        self._most = most
        self._ahead = 0

    async def sent(self, count: int) -> None:
        """So much has been sent; returns when more may be."""
        self._exchange.change(lambda: self._add(count))
        await self._exchange.until(lambda: self._ahead < self._most)

    def taken(self, count: int) -> None:
        """The client has got so much of it."""
        self._exchange.change(lambda: self._add(-count))

    def _add(self, count: int) -> None:
        self._ahead += count
