"""Where mutations wait until a host can begin with them.

Executors (docs/explanation/executors.md) run one function after the other, so that what waits in a host has
begun its transaction for nothing: the older a snapshot, the more commits it has to be checked against, and
the more often it is lost. So a mutation that is to be executed begins when its turn at a host is near.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from parabola.functions.processes.waiting_line import WaitingLine, nobody_free

__all__ = ["PLACES_OF_A_HOST", "StartingLine"]

PLACES_OF_A_HOST: Final = 16
"""Transactions under way in an executor: one runs, others are about to, end, or go on in the engine.

With so many the engine and its hosts work at the same time, each on what the other has sent. With 4 they
wait for each other: 0.84 of the transfers a second, each for 1.14 of the engine's time (10 pairs of runs).
Where many want the same documents it makes no difference, as who has lost takes turns.
"""


class StartingLine:
    """The line before the hosts of one runtime."""

    def __init__(self, hosts: int, wait_seconds: float) -> None:
        self._free = PLACES_OF_A_HOST * hosts
        self._wait_seconds = wait_seconds
        self._line = WaitingLine()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    @asynccontextmanager
    async def place(self, *, first: bool) -> AsyncIterator[None]:
        """Inside, a function may run. `first`: others wait for this one. Raises `Overloaded`."""
        until = asyncio.get_running_loop().time() + self._wait_seconds
        # Who comes while others wait does not go before them, and who has had a turn in vain keeps his place.
        is_behind = bool(self._line) and not first
        while is_behind or not self._free:
            is_behind = False
            try:
                await self._line.wait(until - asyncio.get_running_loop().time(), first=first)
            except TimeoutError:
                raise nobody_free(self._wait_seconds) from None
            first = True
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
            self._line.wake()
