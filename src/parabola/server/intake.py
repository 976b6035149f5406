"""One budget for all that is being read from clients: what arrives, what waits, and what parsing it takes.

No single request is refused for its size here (each endpoint has a limit of its own); what is bounded is the
sum. Small requests keep a quarter for themselves, so that a few large ones cannot shut out everybody's calls.
"""

from __future__ import annotations

from typing import Final

from parabola.values.errors import Overloaded

__all__ = ["SMALL_BYTES", "Intake", "Lease"]

SMALL_BYTES: Final = 64 * 1024
"""What holds no more than this draws on the share that is kept for small requests."""


class Intake:
    """The memory (bytes) that reading from clients may take at any time, `limit` in all."""

    __slots__ = ("_large", "_large_limit", "_small", "_small_limit")

    def __init__(self, limit: int) -> None:
        self._small_limit = limit // 4
        self._large_limit = limit - self._small_limit
        self._small = 0
        self._large = 0

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._small + self._large

    def lease(self) -> Lease:
        """A holder that holds nothing yet."""
        return Lease(self)

    def _change(self, before: int, after: int) -> None:
        """A holder goes from `before` to `after` bytes. Raises `Overloaded`, and then nothing has changed."""
        small = self._small - (before if before <= SMALL_BYTES else 0)
        large = self._large - (before if before > SMALL_BYTES else 0)
        if after > before:
            if after <= SMALL_BYTES:
                refused = small + after > self._small_limit
            else:  # one large request at a time is always read: its endpoint has bounded it
                refused = large > 0 and large + after > self._large_limit
            if refused:
                raise Overloaded(
                    "The server is reading too much from its clients right now. Try again after a moment.",
                    code="TooManyConcurrentRequests",
                )
        if after <= SMALL_BYTES:
            small += after
        else:
            large += after
        self._small, self._large = small, large


class Lease:
    """What one request or socket holds of the budget."""

    __slots__ = ("_intake", "held")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.held = 0

    def take(self, count: int) -> None:
        """Hold `count` bytes more. Raises `Overloaded` when everybody together holds too much."""
        self._intake._change(self.held, self.held + count)
        self.held += count

    def give_back(self, count: int) -> None:
        """Hold `count` bytes less."""
        self._intake._change(self.held, self.held - count)
        self.held -= count

    def release(self) -> None:
        """Hold nothing any more."""
        if self.held:
            self.give_back(self.held)
