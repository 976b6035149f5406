"""The clock of the log's server, told from this machine's and from what the server said now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["ServerClock"]

KEPT_NS: Final = 10 * 10**9
"""The best reading counts for so long; after that a worse one takes its place, since clocks drift."""


class ServerClock:
    """`here` is this machine's clock. All times are ns since 1970."""

    def __init__(self, here: Callable[[], int]) -> None:
        self.here = here
        self._ahead = 0
        self._error: int | None = None
        self._read_at = 0

    def observe(self, asked: int, server: int) -> None:
        """The server's clock showed `server` at some moment between `asked` and now."""
        now = self.here()
        error = now - asked
        is_stale = not 0 <= now - self._read_at <= KEPT_NS
        if error >= 0 and (self._error is None or error <= self._error or is_stale):
            self._ahead = server - (asked + now) // 2
            self._error, self._read_at = error, now

    def now(self) -> int:
        """What the server's clock shows."""
        return self.here() + self._ahead
