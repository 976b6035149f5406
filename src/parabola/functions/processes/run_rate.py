"""How fast runs come, so that there is as much process for them as that is worth."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["FAST_RUNS", "FAST_SECONDS", "RunRate"]

FAST_RUNS: Final = 200
FAST_SECONDS: Final = 2.0
"""So many runs in so short a time are much to do."""


class RunRate:
    """Counts runs."""

    __slots__ = ("_runs", "_since")

    def __init__(self) -> None:
        self._runs = 0
        self._since = 0.0

    def count(self) -> bool:
        """A run begins; True if there have been many lately, once for so many."""
        self._runs += 1
        if self._runs < FAST_RUNS:
            return False
        now = time.monotonic()
        is_fast = now - self._since <= FAST_SECONDS
        self._runs, self._since = 0, now
        return is_fast
