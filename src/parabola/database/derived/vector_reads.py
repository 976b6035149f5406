"""What a vector search depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from parabola.database.derived.entries import VectorEntry
from parabola.database.derived.ranks import Rank, may_reach
from parabola.database.derived.vector_query import VectorQuery

__all__ = ["VectorRead", "VectorWatchers"]

Holder = TypeVar("Holder")


@dataclass(frozen=True, slots=True, eq=False)
class VectorRead:
    """One vector search that was read, and the rank of the last row it showed.

    `floor` is None if it showed all that there was.
    """

    index_id: int
    query: VectorQuery
    floor: Rank | None

    def touched_by(self, id: str, entry: VectorEntry) -> bool:
        """Whether this version of a document, before or after a write, has or had a place among the rows."""
        worth = self.query.worth(entry)
        if worth is None:
            return False
        return self.floor is None or may_reach(Rank(worth, 0.0, id), self.floor)

    def watchers(self) -> VectorWatchers[Any]:
        """An empty collection for reads of this kind."""
        return VectorWatchers()


class VectorWatchers(Generic[Holder]):
    """The live reads of one index, each with who holds it."""

    def __init__(self) -> None:
        self._reads: dict[tuple[int, int], tuple[VectorRead, Holder]] = {}

    def __len__(self) -> int:
        return len(self._reads)

    def add(self, read: VectorRead, holder: Holder) -> None:
        self._reads[id(read), id(holder)] = read, holder

    def discard(self, read: VectorRead, holder: Holder) -> None:
        self._reads.pop((id(read), id(holder)), None)

    def touched(self, id: str, entry: VectorEntry) -> set[Holder]:
        """Who holds a read that this version of a document touches."""
        return {holder for read, holder in self._reads.values() if read.touched_by(id, entry)}
