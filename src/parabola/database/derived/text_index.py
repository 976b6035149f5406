"""A text index: documents by the words in them, at every timestamp that is still read."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final
from unicodedata import unidata_version

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.background import Pauses
from parabola.database.derived.entries import TextDefinition, TextEntry
from parabola.database.derived.filter_masks import let_through
from parabola.database.derived.filters import And, Eq
from parabola.database.derived.ranks import Rank
from parabola.database.derived.segment_files import SegmentFiles, SegmentParts
from parabola.database.derived.segmented_index import SegmentedIndex, Sources
from parabola.database.derived.slots import Slots
from parabola.database.derived.text_query import TextQuery, TextResult
from parabola.database.derived.text_scoring import SearchedSegment, rank
from parabola.database.derived.text_segment import (
    MAX_OPEN_SLOTS,
    OpenTextSegment,
    Postings,
    SealedTextSegment,
    TextSegment,
    merged_parts,
)
from parabola.database.derived.tiers import Tiers
from parabola.database.derived.tokens import TOKENIZER_VERSION
from parabola.database.derived.weights import MAX_TERMS, Weights

__all__ = ["TextIndex"]

_MANY_POSTINGS: Final = 20_000
"""A search that has more of them is scored in a worker thread: from here on it takes about a millisecond."""


class TextIndex(SegmentedIndex[TextDefinition, TextEntry, OpenTextSegment, SealedTextSegment]):
    """The documents of one table by their words."""

    TIERS: ClassVar = Tiers(MAX_OPEN_SLOTS, 65_536, 128 << 20)

    def __init__(self, definition: TextDefinition, files: SegmentFiles | None = None) -> None:
        super().__init__(definition, files)

    def _new_segment(self) -> OpenTextSegment:
        return OpenTextSegment()

    def _seal(self, parts: SegmentParts, slots: Slots) -> SealedTextSegment:
        return SealedTextSegment.of(parts, slots)

    @staticmethod
    def _merge(sources: Sources[TextSegment], pauses: Pauses) -> SegmentParts:
        return merged_parts(sources, pauses)

    @staticmethod
    def _owner(definition: TextDefinition) -> str:
        # Another version of Unicode may have other letters.
        return f"text {TOKENIZER_VERSION} {unidata_version} {definition!r}"

    async def search(
        self,
        query: TextQuery,
        ts: int,
        limit: int,
        *,
        pending: Mapping[str, TextEntry | None] = {},
        weights: Weights | None = None,
        after: Rank | None = None,
        through: Rank | None = None,
    ) -> TextResult:
        """The best documents visible at `ts`, at most `limit`.

        `pending` are a transaction's own writes, None for deletions, which it sees in their place. Ranks are
        those by `weights`, if given; only those below `after`, and not those below `through`, are wanted. The
        same documents have the same ranks however they are spread over segments.
        """
        sight = _Sight(query, ts, weights)
        for segment in self._segments():
            sight.add(segment, segment.slots.slots_at(pending.keys(), ts) if pending else ())
        if pending:
            sight.add(_pending_segment(query, pending), ())
        looked_up, is_full = sight.look_up()
        segments = sight.searched()
        arguments = (query, segments, looked_up, limit, weights, is_full, after, through)
        postings = sum(len(found.slots) for segment in segments for found in segment.postings.values())
        if postings > _MANY_POSTINGS:
            return await asyncio.to_thread(rank, *arguments)
        return rank(*arguments)


def _pending_segment(query: TextQuery, pending: Mapping[str, TextEntry | None]) -> OpenTextSegment:
    """A segment of what a transaction has written, with those words alone that the query looks up."""
    segment = OpenTextSegment()
    for id, entry in pending.items():
        if entry is not None:
            terms = {term: count for term, count in entry.terms.items() if query.concerns(term)}
            segment.add(id, 0, 0, TextEntry(terms, entry.length, entry.filters, entry.creation_time))
    return segment


class _Sight:
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
        words = [word for word in query.words if self._find(word)]
        if query.prefix is None:
            return words, False
        others = (term for term in self._terms_from(query.prefix) if term not in query.words)
        if weights is not None:
            if weights.is_full:
                others = (
                    term for term in weights.frequencies if query.concerns(term) and term not in query.words
                )
            return words + [term for term in others if self._find(term)], weights.is_full
        room = MAX_TERMS - len(query.filters) - len(words)
        for term in others:
            if self._find(term):
                if room == 0:
                    self._forget(term)
                    return words, True
                room -= 1
                words.append(term)
        return words, False

    def _terms_from(self, prefix: str) -> Iterator[str]:
        before = None
        for term in heapq.merge(*(segment.terms_from(prefix) for segment, _, _ in self._segments)):
            if term != before:
                yield term
            before = term

    def _find(self, term: str) -> bool:
        """Takes a word's postings from every segment; whether any of them is visible."""
        found = False
        for segment, visible, taken in self._segments:
            postings = segment.postings(term)
            if postings is not None:
                taken[term] = postings
                found = found or visible is None or bool(visible[postings.slots].any())
        if not found:
            self._forget(term)
        return found

    def _forget(self, term: str) -> None:
        for _, _, taken in self._segments:
            taken.pop(term, None)

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
