"""Transactions that are run on what others have written and not committed yet.

Those that want the same document would have to wait for each other: the next one begins when the last one is
validated. In a *chain* it begins when the last one has run, in the same process, on a snapshot overlaid by
what those before it have written. Which of these it has read is said when it is to be committed. Then they
must have been committed, in their order, and nobody else may have written what it read: so it has read the
state that it is put upon, as if it had begun after them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Set

__all__ = ["Link"]


class Link:
    """One transaction of a chain, as those know it that were built upon it.

    It is settled once it is validated, or it is known that it will not be. `places` are what it competes for:
    others are built upon it where they want one of these too.
    """

    __slots__ = ("_is_settled", "_waiting", "places", "ts")

    def __init__(self, places: Set[Hashable]) -> None:
        self.places = places
        self.ts: int | None = None
        """That of its commit; None as long as there is none."""
        self._is_settled = False
        self._waiting: asyncio.Future[None] | None = None

    def is_known_at(self, ts: int) -> bool:
        """Whether who begins at a timestamp need not be told of it: it is read there, or is no more."""
        return self._is_settled and (self.ts is None or self.ts <= ts)

    def validated(self, ts: int) -> None:
        """It has its place in the order."""
        self.ts = ts
        self._settle()

    def ended(self) -> None:
        """Its attempt is over. Without a commit it has written nothing."""
        if not self._is_settled:
            self._settle()

    def _settle(self) -> None:
        self._is_settled = True
        if self._waiting is not None:
            self._waiting.set_result(None)
            self._waiting = None

    async def settled(self) -> None:
        """Returns once it is settled."""
        if not self._is_settled:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
            # Several may wait, and each may be cancelled by itself.
            await asyncio.shield(self._waiting)
