"""A text index: documents by the words in them, at every timestamp that is still read."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from parabola.database.derived.entries import EntryChange, TextDefinition, TextEntry
from parabola.database.derived.ranks import Rank
from parabola.database.derived.segment_files import SegmentFiles
from parabola.database.derived.text_query import TextQuery, TextResult, score
from parabola.database.derived.weights import MAX_TERMS, Weights

__all__ = ["TextIndex"]


class TextIndex:
    def __init__(self, definition: TextDefinition, files: SegmentFiles | None = None) -> None:
        self.definition = definition
        self.last_ts = 0
        self._revisions: dict[str, list[tuple[int, TextEntry | None]]] = {}

    @property
    def slots(self) -> int:
        return sum(map(len, self._revisions.values()))

    @property
    def bytes(self) -> int:
        return 0

    def apply(self, ts: int, changes: Iterable[EntryChange[TextEntry]]) -> None:
        for id, entry in changes:
            self._revisions.setdefault(id, []).append((ts, entry))
        self.last_ts = ts

    def fill(self, entries: Iterable[tuple[str, int, TextEntry]]) -> None:
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
        query: TextQuery,
        ts: int,
        limit: int,
        *,
        pending: Mapping[str, TextEntry | None] = {},
        weights: Weights | None = None,
        after: Rank | None = None,
        through: Rank | None = None,
    ) -> TextResult:
        entries = dict(self._at(ts, pending))
        if weights is None:
            frequencies = Counter(term for entry in entries.values() for term in entry.terms)
            looked_up = [word for word in query.words if frequencies[word]]
            others = sorted(
                term
                for term in frequencies
                if query.prefix and term.startswith(query.prefix) and term not in looked_up
            )
            room = MAX_TERMS - len(query.filters) - len(looked_up)
            looked_up += others[:room]
            weights = Weights(
                len(entries),
                sum(entry.length for entry in entries.values()),
                {term: frequencies[term] for term in looked_up},
                len(others) > room,
            )
        ranks = [
            Rank(worth, entry.creation_time, id)
            for id, entry in entries.items()
            if query.lets_through(entry.filters) and (worth := score(query, weights, entry)) is not None
        ]
        below = [rank for rank in ranks if after is None or rank < after]
        hits = heapq.nlargest(limit, (rank for rank in below if through is None or rank >= through))
        return TextResult(hits, weights, len(hits) == len(below))

    def _at(self, ts: int, pending: Mapping[str, TextEntry | None]) -> Iterator[tuple[str, TextEntry]]:
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
        cls, definition: TextDefinition, files: SegmentFiles | None, live: Mapping[str, int], ts: int
    ) -> tuple[TextIndex, list[str]]:
        index = cls(definition, files)
        index.last_ts = ts
        return index, list(live)
