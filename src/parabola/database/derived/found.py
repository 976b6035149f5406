"""What a search found in each segment, and the best of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nlargest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.ranks import Rank

__all__ = ["Found", "best"]


class Found(NamedTuple):
    """Documents of one segment that a search found, in any order."""

    scores: NDArray[np.float64]
    creation_times: NDArray[np.float64]
    slots: NDArray[np.int64]
    id_of: Callable[[int], str]

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Found:
        """Some of them."""
        return Found(self.scores[chosen], self.creation_times[chosen], self.slots[chosen], self.id_of)

    def ranks(self) -> Iterable[Rank]:
        """The rank of each."""
        columns = self.scores.tolist(), self.creation_times.tolist(), self.slots.tolist()
        return (Rank(score, time, self.id_of(slot)) for score, time, slot in zip(*columns, strict=True))

    def below(self, rank: Rank) -> Found:
        """Those that rank below another one."""
        chosen = self.scores < rank.score
        for place in np.flatnonzero(self.scores == rank.score).tolist():
            time = float(self.creation_times[place])
            chosen[place] = (time, self.id_of(int(self.slots[place]))) < (rank.creation_time, rank.id)
        return self.only(chosen)

    def best(self, limit: int) -> Found:
        """The best `limit` of them, and more where only ids decide."""
        count = len(self.scores)
        if count <= limit:
            return self
        if limit <= 0:
            return self.only(np.empty(0, np.int64))
        least = np.partition(self.scores, count - limit)[count - limit]
        above = np.flatnonzero(self.scores > least)
        tied = np.flatnonzero(self.scores == least)
        room = limit - len(above)
        if len(tied) > room:
            times = self.creation_times[tied]
            tied = tied[times >= np.partition(times, len(tied) - room)[len(tied) - room]]
        return self.only(np.concatenate((above, tied)))


def best(
    found: Iterable[Found], limit: int, after: Rank | None, through: Rank | None
) -> tuple[list[Rank], bool]:
    """The best of what was found in each segment, and whether that is all of it.

    Those that rank below `after` and not below `through`, best first.
    """
    total = 0
    contenders: list[Rank] = []
    for part in found:
        rest = part if after is None else part.below(after)
        total += len(rest.scores)
        contenders += rest.best(limit).ranks()
    if through is not None:
        contenders = [rank for rank in contenders if rank >= through]
    hits = nlargest(limit, contenders)
    return hits, len(hits) == total
