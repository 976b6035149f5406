"""A clock that tests can move ahead."""

from __future__ import annotations

import time

__all__ = ["MovableClock"]


class MovableClock:
    """The machine's wall clock, in nanoseconds since 1970, and as far ahead of it as it has been moved."""

    def __init__(self) -> None:
        self._ahead = 0

    def __call__(self) -> int:
        return time.time_ns() + self._ahead

    def move_to(self, ns: int) -> None:
        """Let it be at least `ns` now. It is never set back."""
        self._ahead = max(self._ahead, ns - time.time_ns())
