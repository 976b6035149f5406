"""A vector index: documents by the direction of a vector, at every timestamp that is still read."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from parabola.database.derived.entries import EntryChange, VectorDefinition, VectorEntry
from parabola.database.derived.ranks import Rank
from parabola.database.derived.segment_files import SegmentFiles
from parabola.database.derived.vector_query import VectorQuery, VectorResult

__all__ = ["VectorIndex"]


class VectorIndex:
    def __init__(self, definition: VectorDefinition, files: SegmentFiles | None = None) -> None:
        self.definition = definition
        self.last_ts = 0
        self._revisions: dict[str, list[tuple[int, VectorEntry | None]]] = {}

    @property
    def slots(self) -> int:
        return sum(map(len, self._revisions.values()))

    @property
    def bytes(self) -> int:
        return 0

    def apply(self, ts: int, changes: Iterable[EntryChange[VectorEntry]]) -> None:
        for id, entry in changes:
            self._revisions.setdefault(id, []).append((ts, entry))
        self.last_ts = ts

    def fill(self, entries: Iterable[tuple[str, int, VectorEntry]]) -> None:
        for id, _, entry in entries:
            self._revisions.setdefault(id, []).insert(0, (0, entry))

    def filled(self) -> None:
        pass

    def take_back(self, kept_ts: int) -> None:
        for revisions in self._revisions.values():
            while revisions and revisions[-1][0] > kept_ts:
                revisions.pop()
        self.last_ts = min(self.last_ts, kept_ts)

    def forget_before(self, ts: int) -> None:
        pass

    async def search(
        self,
        query: VectorQuery,
        ts: int,
        limit: int,
        *,
        pending: Mapping[str, VectorEntry | None] = {},
        after: Rank | None = None,
        through: Rank | None = None,
    ) -> VectorResult:
        ranks = [
            Rank(worth, 0.0, id)
            for id, entry in self._at(ts, pending)
            if (worth := query.worth(entry)) is not None
        ]
        below = [rank for rank in ranks if after is None or rank < after]
        hits = heapq.nlargest(limit, (rank for rank in below if through is None or rank >= through))
        return VectorResult(hits, len(hits) == len(below))

    def _at(self, ts: int, pending: Mapping[str, VectorEntry | None]) -> Iterator[tuple[str, VectorEntry]]:
        for id, revisions in self._revisions.items():
            if id not in pending:
                entry = next((entry for since, entry in reversed(revisions) if since <= ts), None)
                if entry is not None:
                    yield id, entry
        for id, entry in pending.items():
            if entry is not None:
                yield id, entry

    async def tidy(self, durable_ts: int) -> None:
        pass

    async def close(self, durable_ts: int) -> None:
        pass

    @classmethod
    async def open(
        cls, definition: VectorDefinition, files: SegmentFiles | None, live: Mapping[str, int], ts: int
    ) -> tuple[VectorIndex, list[str]]:
        index = cls(definition, files)
        index.last_ts = ts
        return index, list(live)
