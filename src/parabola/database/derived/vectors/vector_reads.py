"""What a vector search depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.entries import VectorEntry
from parabola.database.derived.filters import And, Eq, FilterExpression
from parabola.database.derived.ranks import Rank, may_reach
from parabola.database.derived.vectors.vector_query import VectorQuery

__all__ = ["VectorRead", "VectorWatchers"]

Holder = TypeVar("Holder")
_SINGLE_PRECISION: Final = 1e-4
"""More than a sum of products of single precision is wrong by."""


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
    """The live reads of one index and who holds each: their vectors are one matrix, or one for each value of
    a filter field that they all ask for.
    """

    def __init__(self) -> None:
        self._groups: dict[Eq | None, _Group[Holder]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, read: VectorRead, holder: Holder) -> None:
        """Again does nothing: a read is that very object."""
        needed = _needed(read.query.filter)
        group = self._groups.get(needed)
        if group is None:
            group = self._groups[needed] = _Group(len(read.query.vector))
        self._count += group.add(read, holder)

    def discard(self, read: VectorRead, holder: Holder) -> None:
        """Does nothing for what is not there."""
        needed = _needed(read.query.filter)
        group = self._groups.get(needed)
        if group is not None:
            self._count -= group.discard(read, holder)
            if not group:
                del self._groups[needed]

    def touched(self, id: str, entry: VectorEntry) -> set[Holder]:
        """Who holds a read that this version of a document touches."""
        holders: set[Holder] = set()
        if entry.vector is not None and self._groups:
            for needed in (None, *(Eq(field, key) for field, key in enumerate(entry.filters))):
                group = self._groups.get(needed)
                if group is not None:
                    holders |= group.touched(id, entry, entry.vector)
        return holders


def _needed(filter: FilterExpression | None) -> Eq | None:
    """A value that a filter lets nothing through without."""
    if isinstance(filter, And):
        return next((found for part in filter.parts if (found := _needed(part)) is not None), None)
    return filter if isinstance(filter, Eq) else None


class _Group(Generic[Holder]):
    """Reads as rows of a matrix, with the least score that touches each."""

    def __init__(self, dimensions: int) -> None:
        self._rows: dict[int, int] = {}
        self._held: list[tuple[VectorRead, set[Holder]]] = []
        self._vectors = np.empty((0, dimensions), np.float32)
        self._least = np.empty(0, np.float64)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, read: VectorRead, holder: Holder) -> bool:
        """Whether it was not there yet."""
        row = self._rows.get(id(read))
        if row is None:
            row = self._rows[id(read)] = len(self._held)
            self._held.append((read, set()))
            if row == len(self._vectors):
                self._vectors = np.resize(self._vectors, (max(16, 2 * row), self._vectors.shape[1]))
                self._least = np.resize(self._least, len(self._vectors))
            self._vectors[row] = read.query.vector
            self._least[row] = -2.0 if read.floor is None else read.floor.score
        holders = self._held[row][1]
        is_new = holder not in holders
        holders.add(holder)
        return is_new

    def discard(self, read: VectorRead, holder: Holder) -> bool:
        """Whether it was there. The last row takes the place of one that goes."""
        row = self._rows.get(id(read))
        if row is None or holder not in self._held[row][1]:
            return False
        holders = self._held[row][1]
        holders.discard(holder)
        if not holders:
            del self._rows[id(read)]
            last = self._held.pop()
            if row < len(self._held):
                end = len(self._held)
                self._held[row] = last
                self._rows[id(last[0])] = row
                self._vectors[row] = self._vectors[end]
                self._least[row] = self._least[end]
        return True

    def touched(self, id: str, entry: VectorEntry, vector: NDArray[np.float32]) -> set[Holder]:
        count = len(self._held)
        # Not a product by BLAS, which may wait for threads of its own on a busy machine.
        scores = np.einsum("ij,j->i", self._vectors[:count], vector)
        holders: set[Holder] = set()
        for row in np.flatnonzero(scores >= self._least[:count] - _SINGLE_PRECISION).tolist():
            read, its_holders = self._held[row]
            if not its_holders <= holders and read.touched_by(id, entry):
                holders |= its_holders
        return holders
