"""Transactions that are run on what others have written and not committed yet.

Those that want the same document would have to wait for each other: the next one begins when the last one is
validated. In a *chain* it begins when the last one has run, in the same process, on a snapshot overlaid by
what those before it have written. Which of these it has read is said when it is to be committed. Then they
must have been committed, in their order, and nobody else may have written what it read: so it has read the
state that it is put upon, as if it had begun after them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Mapping, Set
from typing import Final, NamedTuple

__all__ = ["NO_LINKS", "Joined", "Link", "Links"]


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
        self.ended()

    def ended(self) -> None:
        """Its attempt is over. Without a commit it has written nothing."""
        if not self._is_settled:
            self._is_settled = True
            if self._waiting is not None:
                self._waiting.set_result(None)

    async def settled(self) -> None:
        """Returns once it is settled."""
        if not self._is_settled:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
            # Several may wait, and each may be cancelled by itself.
            await asyncio.shield(self._waiting)


NO_LINKS: Final[Mapping[int, Link]] = {}


class Joined(NamedTuple):
    """How a run has come into the chain of its host: those that it waits for (`after`), those of which it is
    known by now that they are in its snapshot (`settled`) or `lost`, and all whose writes it may see before
    they are committed.
    """

    after: Collection[int]
    settled: Collection[int]
    lost: Collection[int]
    links: Mapping[int, Link]


class Links:
    """The runs of one host that are, or will be, written and not known to those who begin now."""

    __slots__ = ("_links",)

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}

    def join(self, run: int, link: Link, snapshot_ts: int) -> Joined:
        """A run comes that has this snapshot. Who comes later waits for it, and may see what it writes."""
        links = self._links
        settled: list[int] = []
        lost: list[int] = []
        for id in [id for id, each in links.items() if each.is_known_at(snapshot_ts)]:
            (lost if links.pop(id).ts is None else settled).append(id)
        places = link.places
        after = [id for id, each in links.items() if not places.isdisjoint(each.places)]
        joined = Joined(after, settled, lost, links.copy())
        links[run] = link
        return joined
