"""Calls that wait for a place, one behind the other."""

from __future__ import annotations

import asyncio
from collections import deque

from parabola.values.errors import Overloaded

__all__ = ["WaitingLine", "nobody_free"]


def nobody_free(seconds: float) -> Overloaded:
    """The error of who has waited for a host for so long."""
    return Overloaded(
        f"No host became free within {seconds:g} seconds: there is too much to do, or "
        "hosts cannot be started. The server's log tells more."
    )


class WaitingLine:
    """Who waits; each `wake` lets the next one look."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, seconds: float, *, first: bool = False) -> None:
        """Wait for one's turn, at the head of the line if `first`. Raises `TimeoutError`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except (asyncio.CancelledError, TimeoutError):
            if waiter.done() and not waiter.cancelled():
                self.wake()  # the turn is somebody else's
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def wake(self, count: int = 1) -> None:
        """Let the first ones look whether there is a place."""
        while self._waiting and count > 0:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                count -= 1
