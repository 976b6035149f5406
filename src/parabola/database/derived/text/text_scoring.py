"""Scoring: a search over the segments of a text index as they were at one moment (search 1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.ranks import Rank
from parabola.database.derived.segments.found import Found, best
from parabola.database.derived.segments.slot_ids import SlotIds
from parabola.database.derived.text.text_query import TextQuery, TextResult
from parabola.database.derived.text.text_segment import Postings
from parabola.database.derived.text.weights import Weights

__all__ = ["SearchedSegment", "rank"]

_SPARSE: Final = 16
_NO_SLOTS: Final[NDArray[np.int64]] = np.empty(0, np.int64)
_NO_NUMBERS: Final[NDArray[np.float64]] = np.empty(0, np.float64)


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
        terms = sorted(self.postings.keys() & factors.keys())
        if not terms:
            return Found(_NO_NUMBERS, _NO_NUMBERS, _NO_SLOTS, self.ids)
        postings = [self.postings[term] for term in terms]
        slots = np.concatenate([each.slots for each in postings])
        counts = np.concatenate([each.counts for each in postings])
        factor: NDArray[np.float64] | float = factors[terms[0]]
        if len(terms) > 1:
            sizes = np.array([len(each.slots) for each in postings], np.int64)
            factor = np.repeat(np.array([factors[term] for term in terms], np.float64), sizes)
        # What most documents pass is asked of those that were found, what few pass of every posting.
        allowed = self.allowed
        is_asked_first = allowed is not None and 2 * np.count_nonzero(allowed) < len(allowed)
        if allowed is not None and is_asked_first:
            chosen = allowed[slots]
            slots, counts = slots[chosen], counts[chosen]
            factor = factor if isinstance(factor, float) else factor[chosen]
        slots = slots.astype(np.int64)
        parts = self._parts(slots, counts.astype(np.float64), factor, weights)
        # The parts of a document are added one after another, those of the first word first.
        if len(terms) == 1:
            scores: NDArray[np.float64] = parts
        elif len(slots) * _SPARSE < len(self.lengths):
            slots, places = np.unique(slots, return_inverse=True)
            scores = np.bincount(places.reshape(-1), parts, len(slots)).astype(np.float64, copy=False)
        else:
            totals = np.bincount(slots, parts, len(self.lengths)).astype(np.float64, copy=False)
            slots = np.flatnonzero(totals)
            scores = totals[slots]
        if allowed is not None and not is_asked_first:
            chosen = allowed[slots]
            slots, scores = slots[chosen], scores[chosen]
        return Found(scores, self.creation_times[slots], slots, self.ids)

    def _parts(
        self,
        slots: NDArray[np.int64],
        counts: NDArray[np.float64],
        factor: NDArray[np.float64] | float,
        weights: Weights,
    ) -> NDArray[np.float64]:
        """Each document's part for each word: the same operations as `Weights.part`, for the same bits."""
        scale = self.lengths[slots].astype(np.float64)
        scale *= weights.slope
        scale += weights.base
        scale += counts
        counts *= factor
        counts /= scale
        return counts


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
