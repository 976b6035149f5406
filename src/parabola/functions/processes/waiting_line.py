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
    """Who waits; each `wake` lets the next one look. One timer looks after all of them."""

    __slots__ = ("_looks_at", "_timer", "_until", "_waiting", "woken")

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._until: dict[asyncio.Future[None], float] = {}
        """When each of them has waited for long enough."""
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        self.woken = 0
        """How many may look whether there is a place and have not done so yet."""

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, seconds: float, *, first: bool = False) -> None:
        """Wait for one's turn, at the head of the line if `first`. Raises `TimeoutError`."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        if first:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        until = self._until[waiter] = loop.time() + seconds
        if self._timer is None:
            self._look_at(until, loop)
        elif until < self._looks_at:
            self._timer.cancel()
            self._look_at(until, loop)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.wake()  # the turn is somebody else's
            raise
        finally:
            if self._until.pop(waiter, None) is not None:  # it still waits
                self._waiting.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self.woken -= 1

    def _look_at(self, until: float, loop: asyncio.AbstractEventLoop) -> None:
        self._looks_at = until
        self._timer = loop.call_at(until, self._look)

    def _look(self) -> None:
        """End the waiting of those who have waited for long enough."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for waiter in [each for each, until in self._until.items() if until <= now]:
            if not waiter.done():
                del self._until[waiter]
                self._waiting.remove(waiter)
                waiter.set_exception(TimeoutError())
        if self._until:
            self._look_at(min(self._until.values()), loop)

    def wake(self, count: int = 1) -> None:
        """Let the first ones look whether there is a place."""
        while self._waiting and count > 0:
            waiter = self._waiting.popleft()
            del self._until[waiter]
            if not waiter.done():
                waiter.set_result(None)
                self.woken += 1
                count -= 1
