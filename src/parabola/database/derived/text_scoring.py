"""Scoring: a search over the segments of a text index as they were at one moment (search 1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.found import Found, best
from parabola.database.derived.ranks import Rank
from parabola.database.derived.slots import SlotIds
from parabola.database.derived.text_query import TextQuery, TextResult
from parabola.database.derived.text_segment import Postings
from parabola.database.derived.weights import Weights

__all__ = ["SearchedSegment", "rank"]

_SPARSE: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class SearchedSegment:
    """What one search needs of one segment; nothing of it changes while it runs, perhaps in a thread.

    `postings` of the words looked up. `visible` are the slots of the search's timestamp and `allowed` those
    of them that its filters let through, None for all of them. `documents` and `length`, their number and
    words, are those of what is visible.
    """

    postings: dict[str, Postings]
    visible: NDArray[np.bool_] | None
    allowed: NDArray[np.bool_] | None
    lengths: NDArray[np.uint16]
    creation_times: NDArray[np.float64]
    ids: SlotIds
    documents: int
    length: int

    def frequency(self, term: str) -> int:
        """How many visible documents have a word."""
        postings = self.postings.get(term)
        if postings is None:
            return 0
        if self.visible is None:
            return len(postings.slots)
        return int(np.count_nonzero(self.visible[postings.slots]))

    def found(self, factors: dict[str, float], weights: Weights) -> Found:
        """The documents that have one of the words, with their scores: see `text_query.score`."""
        chosen: list[tuple[float, Postings]] = []
        for term in sorted(self.postings.keys() & factors.keys()):
            postings = self.postings[term]
            if self.allowed is not None:
                is_allowed = self.allowed[postings.slots]
                postings = Postings(postings.slots[is_allowed], postings.counts[is_allowed])
            if len(postings.slots):
                chosen.append((factors[term], postings))
        if not chosen:
            slots, scores = np.empty(0, np.int64), np.empty(0, np.float64)
        elif len(chosen) == 1:
            slots, scores = chosen[0][1].slots.astype(np.int64), self._parts(*chosen[0], weights)
        elif sum(len(postings.slots) for _, postings in chosen) * _SPARSE < len(self.lengths):
            slots, scores = self._few(chosen, weights)
        else:
            slots, scores = self._many(chosen, weights)
        return Found(scores, self.creation_times[slots], slots, self.ids.__getitem__)

    def _parts(self, factor: float, postings: Postings, weights: Weights) -> NDArray[np.float64]:
        """Each document's part for one word: the same operations as `Weights.part`, for the same bits."""
        counts = postings.counts.astype(np.float64)
        scale = self.lengths[postings.slots].astype(np.float64)
        scale *= weights.slope
        scale += weights.base
        scale += counts
        counts *= factor
        counts /= scale
        return counts

    def _few(
        self, chosen: Sequence[tuple[float, Postings]], weights: Weights
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        slots, places = np.unique(
            np.concatenate([postings.slots for _, postings in chosen]), return_inverse=True
        )
        parts = np.concatenate([self._parts(factor, postings, weights) for factor, postings in chosen])
        scores = np.bincount(places.reshape(-1), parts, len(slots)).astype(np.float64)
        return slots.astype(np.int64), scores

    def _many(
        self, chosen: Sequence[tuple[float, Postings]], weights: Weights
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        totals = np.zeros(len(self.lengths), np.float64)
        for factor, postings in chosen:
            totals[postings.slots] += self._parts(factor, postings, weights)
        slots = np.flatnonzero(totals)
        return slots, totals[slots]


def rank(
    query: TextQuery,
    segments: Sequence[SearchedSegment],
    looked_up: Iterable[str],
    limit: int,
    weights: Weights | None,
    is_full: bool,
    after: Rank | None,
    through: Rank | None,
) -> TextResult:
    """The best documents of all segments that have one of the words looked up.

    Without `weights` it is ranked by those of what is visible; `is_full` if not all words were looked up.
    """
    terms = list(looked_up)
    if weights is None:
        weights = Weights(
            sum(segment.documents for segment in segments),
            sum(segment.length for segment in segments),
            {term: sum(segment.frequency(term) for segment in segments) for term in terms},
            is_full,
        )
    exact = set(query.words)
    factors = {term: weights.factor(term, is_exact=term in exact) for term in terms}
    found = (segment.found(factors, weights) for segment in segments)
    hits, exhausted = best(found, limit, after, through)
    return TextResult(hits, weights, exhausted)
