"""Mutations that must seem to begin after others: those of one client, in the order of its asking.

One may run before its turn, which comes once each of those before it has a timestamp or has failed. It may be
committed then if it has read nothing that was written meanwhile, and what it has made is not older than what
they have. Otherwise it is run again.
"""

from __future__ import annotations

import asyncio
from copy import copy

__all__ = ["Successor"]


class Successor:
    """What is agreed about one of them. Who keeps the order says when its turn comes (`its_turn`, `never`);
    who runs it says how it has gone (`has_run`, `in_vain`).
    """

    __slots__ = (
        "_failure",
        "_is_told",
        "after",
        "in_vain",
        "is_next",
        "milliseconds",
        "next_creation_time",
        "not_before",
        "was_early",
    )

    def __init__(self) -> None:
        self.is_next = False
        """Whether its turn has come."""
        self.after = 0
        """The newest commit before it that may still be lost, and it with it; 0 if there is none. Known from
        its turn on, as is `not_before`."""
        self.not_before = 0.0
        """The earliest creation time that it may give, in milliseconds since 1970."""
        self.next_creation_time = 0.0
        """The earliest that those after it may give."""
        self.milliseconds = 0.0
        """Of processor time that it has taken."""
        self.was_early = False
        """Whether it was run before its turn."""
        self.in_vain = False
        """Whether it had to be run again because of that."""
        self._is_told = asyncio.Event()
        self._failure: BaseException | None = None

    def its_turn(self, after: int, not_before: float) -> None:
        """Each of those before it has a timestamp, or has failed."""
        self.is_next, self.after, self.not_before = True, after, not_before
        self._is_told.set()

    def never(self, failure: BaseException) -> None:
        """Its turn does not come: one before it is not done, or its client has gone and asks again."""
        self._failure = failure
        self._is_told.set()

    async def turn(self) -> None:
        """Returns when its turn has come. Raises what `never` was told."""
        await self._is_told.wait()
        if self._failure is not None:
            raise copy(self._failure)

    def has_run(self, milliseconds: float, next_creation_time: float) -> None:
        """It has been run, perhaps not for the last time."""
        self.milliseconds, self.next_creation_time = milliseconds, next_creation_time
