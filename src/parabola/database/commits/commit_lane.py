"""The commit lane: while someone is in it, nobody else commits.

A mutation that keeps losing against others is run inside it, so that contention makes it wait and never fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

__all__ = ["CommitLane"]


class CommitLane:
    """One exclusive lane. Those who want it get it in the order they asked."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._free = asyncio.Event()
        self._free.set()
        # Whoever runs inside `exclusive`, tasks started there included, finds the lane's occupant here.
        self._mine: ContextVar[object | None] = ContextVar("commit_lane", default=None)
        self._occupant: object | None = None

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Inside, only this task (and tasks it starts) may commit. Not to be entered twice by one task."""
        async with self._turn:
            self._occupant = occupant = object()
            self._free.clear()
            token = self._mine.set(occupant)
            try:
                yield
            finally:
                self._mine.reset(token)
                self._occupant = None
                self._free.set()

    @property
    def is_open(self) -> bool:
        """Whether the caller may commit now."""
        return self._occupant is None or self._mine.get() is self._occupant

    async def wait_open(self) -> None:
        """Returns when the caller may commit; until its next wait that stays so."""
        while not self.is_open:
            await self._free.wait()
