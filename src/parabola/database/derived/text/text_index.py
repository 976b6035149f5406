"""A text index: documents by the words in them, at every timestamp that is still read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar, Final
from unicodedata import unidata_version

from parabola.database.derived.entries import TextDefinition, TextEntry
from parabola.database.derived.ranks import Rank
from parabola.database.derived.segments.background import Breaks, Pauses
from parabola.database.derived.segments.segment_files import SegmentFiles, SegmentParts
from parabola.database.derived.segments.segmented_index import SegmentedIndex, Sources
from parabola.database.derived.segments.slots import Slots
from parabola.database.derived.segments.tiers import Tiers
from parabola.database.derived.text.text_query import TextQuery, TextResult
from parabola.database.derived.text.text_scoring import rank
from parabola.database.derived.text.text_segment import (
    MAX_OPEN_SLOTS,
    OpenTextSegment,
    SealedTextSegment,
    TextSegment,
    merged_parts,
)
from parabola.database.derived.text.text_sight import TextSight
from parabola.database.derived.text.tokens import TOKENIZER_VERSION
from parabola.database.derived.text.weights import Weights

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
        written = await _written(query, pending)
        # From here on nothing is waited for until all that is needed has been taken.
        sight = TextSight(query, ts, weights)
        for segment in self._segments():
            sight.add(segment, segment.slots.slots_at(pending.keys(), ts) if pending else ())
        sight.add(written, ())
        looked_up, is_full = sight.look_up()
        segments = sight.searched()
        arguments = (query, segments, looked_up, limit, weights, is_full, after, through)
        postings = sum(len(found.slots) for segment in segments for found in segment.postings.values())
        if postings > _MANY_POSTINGS:
            return await asyncio.to_thread(rank, *arguments)
        return rank(*arguments)


async def _written(query: TextQuery, pending: Mapping[str, TextEntry | None]) -> OpenTextSegment:
    """A segment of what a transaction has written, with those words alone that the query looks up."""
    segment, breaks = OpenTextSegment(), Breaks()
    for id, entry in pending.items():
        if entry is not None:
            terms = query.concerned(entry.terms)
            segment.add(id, 0, 0, TextEntry(terms, entry.length, entry.filters, entry.creation_time))
            await breaks.step()
    return segment
