"""How much a pool of hosts has had to do lately, so that it has as many as that takes and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

__all__ = ["BUSY_RUNS", "CROWD", "PERIOD_SECONDS", "Demand"]

PERIOD_SECONDS: Final = 30.0
"""How long a pool is looked at."""
BUSY_RUNS: Final = 200
"""Runs in one period from which on a pool is busy: somebody uses it, who should not wait for a process."""
CROWD: Final = 4
"""Runs in flight on each host that are worth another one."""


class Demand:
    """Counts runs in periods. A pool is busy in a period with many runs, or with many at a time; `on_calm` is
    called after the first period without, once after each busy time. Nothing ticks while nothing runs.
    """

    def __init__(self, on_calm: Callable[[], None], busy_runs: int, seconds: float) -> None:
        self._on_calm = on_calm
        self._busy_runs = busy_runs
        self._seconds = seconds
        self._runs = 0
        self._is_crowded = False
        self._was_busy = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there has been much to do in this period."""
        return self._is_crowded or self._runs >= self._busy_runs

    def count(self) -> None:
        """A run has begun."""
        self._runs += 1
        if self._timer is None:
            self._begin_period()

    def note_crowd(self) -> None:
        """There are many runs at a time, or one that holds up the others."""
        self._is_crowded = True
        if self._timer is None:
            self._begin_period()

    def close(self) -> None:
        """Count no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._on_calm = lambda: None

    def _begin_period(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end_period)

    def _end_period(self) -> None:
        self._timer = None
        is_busy, self._is_crowded, self._runs = self.is_busy, False, 0
        if self._was_busy and not is_busy:
            self._on_calm()
        self._was_busy = is_busy
        if is_busy:
            self._begin_period()
