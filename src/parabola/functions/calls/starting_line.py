"""Where mutations wait until a host can begin with them.

Executors (docs/explanation/executors.md) run one function after the other, so that what waits in a host has
begun its transaction for nothing: the older a snapshot, the more commits it has to be checked against, and
the more often it is lost. So a mutation that is to be executed begins when its turn at a host is near.
"""

from __future__ import annotations

import asyncio
from typing import Final

from parabola.functions.processes.waiting_line import WaitingLine, nobody_free

__all__ = [
    "CHAIN_PLACES",
    "CHAIN_WAIT_SECONDS",
    "PLACES_OF_A_HOST",
    "SLOW_CHAIN_PLACES",
    "StartingLine",
]

PLACES_OF_A_HOST: Final = 16
"""Transactions under way in an executor: one runs, others are about to, end, or go on in the engine.

With so many the engine and its hosts work at the same time, each on what the other has sent. With 4 they
wait for each other: 0.84 of the transfers a second, each for 1.14 of the engine's time (10 pairs of runs).
Where many want the same documents it makes no difference, as who has lost takes turns.
"""


FEW_PLACES: Final = 4
"""Mutations run before their turn while fewer than this are under way: so many wait for each other now and
then, but whoever comes finds only a few before him."""

CHAIN_PLACES: Final = 32
"""The same of those that are built upon one another (`database.commits.chain`), all in one host: half of them
are run there while the engine has the other half."""
SLOW_CHAIN_PLACES: Final = 16
"""The same behind a relay, where each takes longer, so that fewer keep everybody busy: all of them are run
again that have begun before a commit which was not expected."""

CHAIN_WAIT_SECONDS: Final = 24 * 3600.0
"""Who is run in a chain has a turn already: to compete makes nobody fail."""


class StartingLine:
    """The line before the hosts of one runtime."""

    def __init__(self, places: int, wait_seconds: float) -> None:
        self._places = self._free = places
        self._wait_seconds = wait_seconds
        self._line = WaitingLine()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    @property
    def is_empty(self) -> bool:
        """Whether nobody has a place, and nobody wants one."""
        return self._free == self._places and not self._is_wanted

    @property
    def has_room(self) -> bool:
        """Whether few have a place, and nobody waits."""
        return self._places - self._free < FEW_PLACES and not self._is_wanted

    @property
    def _is_wanted(self) -> bool:
        return len(self._line) > 0 or self._line.woken > 0

    def enter(self, *, first: bool) -> bool:
        """Take a place at once, if there is one: a function may run until `leave`. `first`: others wait for
        this one; who is not does not go before those who wait.
        """
        if not self._free or (not first and self._is_wanted):
            return False
        self._free -= 1
        return True

    async def wait(self, *, first: bool) -> None:
        """Wait for a place, and take it. Raises `Overloaded`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_seconds
        while True:
            try:
                await self._line.wait(until - loop.time(), first=first)
            except TimeoutError:
                raise nobody_free(self._wait_seconds) from None
            first = True  # who has had a turn in vain keeps his place
            if self._free:
                self._free -= 1
                return

    def leave(self) -> None:
        """Give a place back."""
        self._free += 1
        self._line.wake()
