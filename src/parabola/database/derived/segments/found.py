"""What a search found in each segment, and the best of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.ranks import Rank
from parabola.database.derived.segments.nth_greatest import nth_greatest
from parabola.database.derived.segments.slot_ids import SlotIds

__all__ = ["Found", "best"]


class Found(NamedTuple):
    """Documents of one segment that a search found, in any order."""

    scores: NDArray[np.float64]
    creation_times: NDArray[np.float64]
    slots: NDArray[np.int64]
    ids: SlotIds

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Found:
        """Some of them."""
        return Found(self.scores[chosen], self.creation_times[chosen], self.slots[chosen], self.ids)

    def ranks(self) -> Iterable[Rank]:
        """The rank of each."""
        columns = self.scores.tolist(), self.creation_times.tolist(), self.ids.at(self.slots)
        return map(Rank._make, zip(*columns, strict=True))

    def below(self, rank: Rank) -> Found:
        """Those that rank below another one."""
        chosen = self.scores < rank.score
        tied = np.flatnonzero(self.scores == rank.score)
        for place, other in zip(tied.tolist(), self.only(tied).ranks(), strict=True):
            chosen[place] = other < rank
        return self.only(chosen)


def best(
    found: Iterable[Found], limit: int, after: Rank | None = None, through: Rank | None = None
) -> tuple[list[Rank], bool]:
    """The best of what was found in each segment, and whether that is all of it.

    Those that rank below `after` and not below `through`, best first.
    """
    total = 0
    parts: list[Found] = []
    for part in found:
        rest = part if after is None else part.below(after)
        total += len(rest.scores)
        if through is not None:
            rest = rest.only(rest.scores >= through.score)
        if len(rest.scores):
            parts.append(rest)
    ranks: list[Rank] = []
    for part in _contenders(parts, limit):
        ranks += part.ranks()
    if through is not None:
        ranks = [rank for rank in ranks if rank >= through]
    ranks.sort(reverse=True)
    hits = ranks[:limit]
    return hits, len(hits) == total


def _contenders(parts: list[Found], limit: int) -> list[Found]:
    """The best `limit` of all parts, and more where only ids decide."""
    if sum(len(part.scores) for part in parts) <= limit or not parts:
        return parts
    if limit <= 0:
        return []
    least = -np.inf
    scores: NDArray[np.float64] = np.empty(0)
    for part in parts:  # less and less of each is worth a look
        scores = np.concatenate((scores, part.scores[part.scores >= least]))
        if len(scores) > limit:
            least = nth_greatest(scores, limit)
            scores = scores[scores >= least]
    parts = [part.only(part.scores >= least) for part in parts]
    room = limit - sum(int(np.count_nonzero(part.scores > least)) for part in parts)
    times = np.concatenate([part.creation_times[part.scores == least] for part in parts])
    if len(times) > room:
        oldest = nth_greatest(times, room)
        parts = [part.only((part.scores > least) | (part.creation_times >= oldest)) for part in parts]
    return parts
