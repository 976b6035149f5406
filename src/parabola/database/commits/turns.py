"""Turns for transactions that compete: those that want the same table run one after the other.

Without this, everyone who wants a hot row would run at once and one of them would win each round. A mutation
that lost tries again in its turn; and a function that keeps losing takes its turn from the start. A turn ends
with the commit's validation, long before the disk has confirmed it, since the next one may read it then. A
mutation that loses even so is given the commit lane (`Database.commit_lane`), in which it cannot lose:
contention never makes a mutation fail, it only makes it wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

__all__ = ["CONTENDED", "TURNS_BEFORE_LANE", "Turn", "Turns"]

TURNS_BEFORE_LANE: Final = 3
"""Conflicts after which a mutation takes the commit lane."""
CONTENDED: Final = 0.3
"""The share of calls that compete from which a function takes turns at once."""
_WEIGHT: Final = 0.1
_MAX_FUNCTIONS: Final = 4096


class _Queue:
    """Those who want one table: one of them has the turn."""

    __slots__ = ("taken", "waiting")

    def __init__(self) -> None:
        self.taken = False
        self.waiting: deque[asyncio.Future[None]] = deque()


class Turn:
    """Permission to try. Give it back with `end`, once or more often."""

    __slots__ = ("_ended", "_table", "_turns", "waited")

    def __init__(self, turns: Turns, table: str, waited: bool) -> None:
        self._turns = turns
        self._table = table
        self._ended = False
        self.waited = waited
        """True when others were before."""

    def end(self) -> None:
        """Let the next one try."""
        if not self._ended:
            self._ended = True
            self._turns._next(self._table)


class Turns:
    """A queue for each contended table, and which functions compete. What is not contended costs nothing."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._functions: dict[str, tuple[float, str]] = {}

    def contended_table(self, function: str) -> str | None:
        """The table this function should take a turn for from the start, if it is one of those."""
        known = self._functions.get(function)
        return known[1] if known is not None and known[0] >= CONTENDED else None

    def observe(self, function: str, table: str | None) -> None:
        """A call has competed for a table, or (`None`) has not."""
        known = self._functions.get(function)
        if table is None:
            if known is None:
                return
            share = known[0] * (1 - _WEIGHT)
            if share < 0.01:
                del self._functions[function]
            else:
                self._functions[function] = (share, known[1])
            return
        share = 0.0 if known is None else known[0]
        if known is None and len(self._functions) >= _MAX_FUNCTIONS:
            self._functions.pop(next(iter(self._functions)))
        self._functions[function] = (share + (1 - share) * _WEIGHT, table)

    async def take(self, table: str) -> Turn:
        """Wait until everyone who came before for this table has had a turn."""
        queue = self._queues.get(table)
        if queue is None:
            queue = self._queues[table] = _Queue()
        if not queue.taken:
            queue.taken = True
            return Turn(self, table, waited=False)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._next(table)  # the turn had just been given to the one who does not want it any more
            raise
        return Turn(self, table, waited=True)

    def _next(self, table: str) -> None:
        queue = self._queues[table]
        while queue.waiting:
            waiter = queue.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        del self._queues[table]
