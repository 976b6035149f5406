"""Long work in the event loop and beside it: how others get their turn."""

from __future__ import annotations

import asyncio
import time
from typing import Final

__all__ = ["LARGE", "Breaks", "Pauses"]

LARGE: Final = 48 * 1024
"""Bytes of a document from which on its words are taken in a worker thread. The way there and back costs
about as much as a vector of 1,536 dimensions (30 kB).
"""

_TURN: Final = 0.001
_PAUSE: Final = 0.0002
_BREAK_AFTER: Final = 0.004


class Pauses:
    """Called between the steps of a loop in a worker thread; sleeps a moment every millisecond.

    A thread that runs Python code gives way after 5 ms only, each time that the event loop has something to
    do. NumPy's own work needs no pauses: it leaves the interpreter to others.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()

    def step(self) -> None:
        """Sleeps if the last pause is long enough ago."""
        if time.monotonic() - self._since > _TURN:
            time.sleep(_PAUSE)
            self._since = time.monotonic()


class Breaks:
    """Called between the steps of a loop in the event loop: everything else has its turn every 4 ms."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def step(self) -> None:
        """Lets others run if the last break is long enough ago."""
        if time.perf_counter() - self._since > _BREAK_AFTER:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
