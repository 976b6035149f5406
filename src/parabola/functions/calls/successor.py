"""Transactions that must seem to begin after others: the mutations of one client, in the order of its asking.

One may run before those it succeeds have their places in the order of commits. Its turn has come once each of
them has, or has failed for good. Then it may be committed, if it has read nothing that was written meanwhile
and what it has made is not older than what they have; otherwise it is run again.
"""

from __future__ import annotations

import asyncio
from copy import copy

__all__ = ["Successor"]


class Successor:
    """One of them, as those know it who run it, and those who keep the order (`its_turn`, `never`)."""

    __slots__ = ("_failure", "_waiting", "after", "earliest", "is_next", "latest", "ran_in_vain")

    def __init__(self) -> None:
        self.is_next = False
        """Whether its turn has come."""
        self.after = 0
        """From then on: the newest commit that it succeeds and that may still be lost, and it with it; 0 if
        there is none."""
        self.earliest = 0.0
        """From then on: the earliest creation time that it may have given (milliseconds since 1970)."""
        self.latest = 0.0
        """The earliest that those may have which succeed it. Known once it has a place, or has failed."""
        self.ran_in_vain = False
        """Whether it was run before its turn and that did not hold."""
        self._waiting: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    def its_turn(self, after: int, earliest: float) -> None:
        """All before it have their places, or have failed for good."""
        self.is_next, self.after, self.earliest = True, after, earliest
        if self._waiting is not None:
            self._waiting.set_result(None)

    def never(self, failure: BaseException) -> None:
        """One before it could not be run: its client has to ask for both again."""
        self._failure = failure
        if self._waiting is not None:
            self._waiting.set_result(None)

    async def turn(self) -> None:
        """Returns when its turn has come. Raises the failure of one before it."""
        if not self.is_next and self._failure is None:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
            # Who waits may be cancelled by himself.
            await asyncio.shield(self._waiting)
        if self._failure is not None:
            raise copy(self._failure)
