"""A vector index: documents by the direction of a vector, at every timestamp that is still read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from parabola.database.derived.entries import VectorDefinition, VectorEntry
from parabola.database.derived.segments.background import Breaks, Pauses
from parabola.database.derived.segments.filter_masks import let_through
from parabola.database.derived.segments.segment_files import SegmentFiles, SegmentParts
from parabola.database.derived.segments.segmented_index import SegmentedIndex, Sources
from parabola.database.derived.segments.slots import Slots
from parabola.database.derived.segments.tiers import Tiers
from parabola.database.derived.vectors.vector_query import VectorQuery, VectorResult
from parabola.database.derived.vectors.vector_scan import ScannedSegment, nearest
from parabola.database.derived.vectors.vector_segment import (
    MAX_OPEN_SLOTS,
    OpenVectorSegment,
    SealedVectorSegment,
    VectorSegment,
    merged_parts,
)

__all__ = ["VectorIndex"]


class VectorIndex(SegmentedIndex[VectorDefinition, VectorEntry, OpenVectorSegment, SealedVectorSegment]):
    """The documents of one table by a vector each."""

    TIERS: ClassVar = Tiers(MAX_OPEN_SLOTS, 65_536, 128 << 20)

    def __init__(self, definition: VectorDefinition, files: SegmentFiles | None = None) -> None:
        super().__init__(definition, files)

    def _new_segment(self) -> OpenVectorSegment:
        return OpenVectorSegment(self.definition.dimensions)

    def _seal(self, parts: SegmentParts, slots: Slots) -> SealedVectorSegment:
        return SealedVectorSegment(parts, slots)

    @staticmethod
    def _merge(sources: Sources[VectorSegment], pauses: Pauses) -> SegmentParts:
        return merged_parts(sources, pauses)

    @staticmethod
    def _owner(definition: VectorDefinition) -> str:
        return f"vector 1 {definition!r}"

    async def search(
        self,
        query: VectorQuery,
        ts: int,
        limit: int,
        *,
        pending: Mapping[str, VectorEntry | None] = {},
    ) -> VectorResult:
        """The nearest documents visible at `ts`, at most `limit`; computed in a worker thread.

        `pending` are a transaction's own writes, None for deletions, which it sees in their place. The same
        documents have the same ranks however they are spread over segments.
        """
        written, breaks = self._new_segment(), Breaks()
        for id, entry in pending.items():
            if entry is not None:
                written.add(id, 0, 0, entry)
                await breaks.step()
        # From here on nothing is waited for until all that is needed has been taken.
        segments = [
            self._scanned(segment, query, ts, segment.slots.slots_at(pending.keys(), ts) if pending else ())
            for segment in self._segments()
        ]
        segments.append(self._scanned(written, query, ts, ()))
        return await asyncio.to_thread(nearest, segments, query, limit)

    def _scanned(
        self, segment: VectorSegment, query: VectorQuery, ts: int, hidden: Sequence[int]
    ) -> ScannedSegment:
        mask = segment.slots.visible(ts)
        if hidden:
            mask = np.ones(len(segment), np.bool_) if mask is None else mask
            mask[np.array(hidden)] = False
        if query.filter is not None:
            filtered = let_through(query.filter, segment)
            mask = filtered if mask is None else mask & filtered
        row_slots = segment.row_slots
        allowed = np.arange(len(row_slots)) if mask is None else np.flatnonzero(mask[row_slots])
        return ScannedSegment(segment.rows, segment.coarse, row_slots, allowed, segment.slots.ids)
