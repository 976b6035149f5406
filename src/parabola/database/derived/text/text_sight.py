"""What a search sees of a text index: its segments at one moment, and the words in them that count."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, repeat

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.filters import And, Eq
from parabola.database.derived.segments.filter_masks import let_through
from parabola.database.derived.text.text_query import TextQuery
from parabola.database.derived.text.text_scoring import SearchedSegment
from parabola.database.derived.text.text_segment import Postings, TextSegment
from parabola.database.derived.text.weights import Weights
from parabola.values.limits import MAX_SEARCH_TERMS

__all__ = ["TextSight"]


class TextSight:
    """What a search sees of an index, taken from it at one moment."""

    def __init__(self, query: TextQuery, ts: int, weights: Weights | None) -> None:
        self._query = query
        self._ts = ts
        self._weights = weights
        self._segments: list[tuple[TextSegment, NDArray[np.bool_] | None, dict[str, Postings]]] = []

    def add(self, segment: TextSegment, hidden: Sequence[int]) -> None:
        """A segment, of which some slots are not seen."""
        visible = segment.slots.visible(self._ts)
        if hidden:
            visible = np.ones(len(segment), np.bool_) if visible is None else visible
            visible[np.array(hidden)] = False
        self._segments.append((segment, visible, {}))

    def look_up(self) -> tuple[list[str], bool]:
        """The words that count, and whether there are more that begin like the last one.

        Up to 64, exact ones first and then by the alphabet, of those that a visible document has. By the
        weights of another run only, so that pages fit together, those it has looked up; and any if there was
        room for all.
        """
        query, weights = self._query, self._weights
        words = [word for word in query.words if self._take(word, self._places(word))]
        if query.prefix is None:
            return words, False
        others: Iterable[tuple[str, list[tuple[int, int]]]]
        if weights is not None and weights.is_full:
            known = sorted(term for term in weights.frequencies if query.concerns(term))
            others = ((term, self._places(term)) for term in known)
        else:
            others = self._starting_with(query.prefix)
        for term, places in others:
            if term in query.words or not self._take(term, places):
                continue
            if weights is None and len(words) == MAX_SEARCH_TERMS - len(query.filters):
                return words, True
            words.append(term)
        return words, False

    def _places(self, term: str) -> list[tuple[int, int]]:
        """Every segment, as any of them may have the word."""
        return [(number, -1) for number in range(len(self._segments))]

    def _starting_with(self, prefix: str) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """The words that begin so, in order, and by number the segments that have them and where."""
        found = [
            zip(segment.starting_with(prefix), repeat(number))
            for number, (segment, _, _) in enumerate(self._segments)
        ]
        merged = heapq.merge(*found, key=lambda item: item[0][0])
        for term, group in groupby(merged, key=lambda item: item[0][0]):
            yield term, [(number, place) for (_, place), number in group]

    def _take(self, term: str, places: Iterable[tuple[int, int]]) -> bool:
        """Takes a word's postings from these segments; whether any of them is visible."""
        found = False
        for number, place in places:
            segment, visible, taken = self._segments[number]
            postings = segment.postings(term, place)
            if postings is not None:
                taken[term] = postings
                found = found or visible is None or _any(visible, postings)
        return found

    def searched(self) -> list[SearchedSegment]:
        """The segments as they are to be scored."""
        return [self._searched(*parts) for parts in self._segments]

    def _searched(
        self, segment: TextSegment, visible: NDArray[np.bool_] | None, postings: dict[str, Postings]
    ) -> SearchedSegment:
        allowed = visible
        if self._query.filters:
            allowed = let_through(And(tuple(Eq(field, key) for field, key in self._query.filters)), segment)
            if visible is not None:
                allowed &= visible
        if visible is None:
            documents, length = segment.slots.alive_count, segment.alive_length()
        else:
            documents = int(np.count_nonzero(visible))
            length = int(segment.lengths[visible].sum(dtype=np.int64))
        return SearchedSegment(
            postings,
            visible,
            allowed,
            segment.lengths,
            segment.creation_times,
            segment.slots.ids,
            documents,
            length,
        )


def _any(visible: NDArray[np.bool_], postings: Postings) -> bool:
    """Whether one of these slots is visible: mostly one of the first is."""
    return bool(visible[postings.slots[:64]].any()) or bool(visible[postings.slots].any())
