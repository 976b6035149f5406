"""Turns for mutations that lost a conflict: those that lost on the same table try again one after the other.

Without this, everyone who wants a hot row would run at once and one of them would win each round. A mutation
that keeps losing even so is given the commit lane (`Database.commit_lane`), in which it cannot lose:
contention never makes a mutation fail, it only makes it wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TURNS_BEFORE_LANE = 3
"""Conflicts after which a mutation takes the commit lane."""


class Turns:
    """One queue for each contended table; uncontended ones cost nothing."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, table: str | None) -> AsyncIterator[None]:
        """Wait until everyone who came before for this table has tried."""
        key = table or ""
        lock, users = self._locks.get(key) or (asyncio.Lock(), 0)
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)
