"""What a search depends on: the writes that could change what it showed (search 1.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from parabola.database.derived.entries import TextEntry
from parabola.database.derived.ranks import Rank, may_reach
from parabola.database.derived.text_query import TextQuery, score
from parabola.database.derived.weights import Weights

__all__ = ["TextRead", "TextWatchers"]

Holder = TypeVar("Holder")


@dataclass(frozen=True, slots=True)
class TextRead:
    """One search that was read: by what it ranked, and the ranks of the rows it showed.

    `floor` is that of the last one, None if it showed all that there was: then everything that matches could
    change it. A later page showed nothing that ranks at or above `ceiling`, where the one before it ended.
    """

    index_id: int
    query: TextQuery
    weights: Weights
    floor: Rank | None
    ceiling: Rank | None = None

    def touched_by(self, id: str, entry: TextEntry) -> bool:
        """Whether this version of a document, before or after a write, has or had a place among the rows."""
        if not self.query.lets_through(entry.filters):
            return False
        worth = score(self.query, self.weights, entry)
        if worth is None:
            return False
        rank = Rank(worth, entry.creation_time, id)
        if self.floor is not None and not may_reach(rank, self.floor):
            return False
        return self.ceiling is None or (rank != self.ceiling and may_reach(self.ceiling, rank))

    def watchers(self) -> TextWatchers[Any]:
        """An empty collection for reads of this kind."""
        return TextWatchers()


class TextWatchers(Generic[Holder]):
    """The live reads of one index, each with who holds it."""

    def __init__(self) -> None:
        self._reads: dict[tuple[int, int], tuple[TextRead, Holder]] = {}

    def __len__(self) -> int:
        return len(self._reads)

    def add(self, read: TextRead, holder: Holder) -> None:
        self._reads[id(read), id(holder)] = read, holder

    def discard(self, read: TextRead, holder: Holder) -> None:
        self._reads.pop((id(read), id(holder)), None)

    def touched(self, id: str, entry: TextEntry) -> set[Holder]:
        """Who holds a read that this version of a document touches."""
        return {holder for read, holder in self._reads.values() if read.touched_by(id, entry)}
