"""A text index as simply as it can be said: every version of every document, and a look at all of them."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from math import log

from database.derived.versions import Versions
from parabola.database.derived.entries import TextEntry
from parabola.database.derived.ranks import Rank
from parabola.database.derived.text_query import TextQuery, TextResult, score
from parabola.database.derived.weights import Weights

K1, B = 1.2, 0.75


class TextModel(Versions[TextEntry]):
    """`TextIndex` without segments, files and forgetting."""

    def search(
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
        entries = dict(self.at(ts, pending))
        weights = weights or self.weights(query, list(entries.values()))
        ranks = [
            Rank(worth, entry.creation_time, id)
            for id, entry in entries.items()
            if all(entry.filters[field] == key for field, key in query.filters)
            and (worth := score(query, weights, entry)) is not None
        ]
        below = [rank for rank in ranks if after is None or rank < after]
        hits = heapq.nlargest(limit, (rank for rank in below if through is None or rank >= through))
        return TextResult(hits, weights, len(hits) == len(below))

    @staticmethod
    def weights(query: TextQuery, entries: list[TextEntry]) -> Weights:
        def frequency(term: str) -> int:
            return sum(term in entry.terms for entry in entries)

        exact = [word for word in query.words if frequency(word)]
        begun = {
            term
            for entry in entries
            for term in entry.terms
            if query.prefix is not None and term.startswith(query.prefix) and term not in query.words
        }
        room = 64 - len(query.filters) - len(exact)
        looked_up = exact + sorted(begun)[:room]
        length = sum(entry.length for entry in entries)
        return Weights(len(entries), length, {term: frequency(term) for term in looked_up}, len(begun) > room)


def worth_of(query: TextQuery, weights: Weights, entry: TextEntry) -> float | None:
    """BM25 as search 1.4 writes it, summed in the order of the words."""
    average = weights.total_length / weights.documents if weights.documents and weights.total_length else 1.0
    total, has_any = 0.0, False
    for term, tf in sorted(entry.terms.items()):
        if term in query.words:
            factor = 1.0
        elif (
            query.prefix is not None
            and term.startswith(query.prefix)
            and (term in weights.frequencies or not weights.is_full)
        ):
            factor = 0.5
        else:
            continue
        df = weights.frequencies.get(term, 1)
        n = max(weights.documents, df)
        idf = log(1 + (n - df + 0.5) / (df + 0.5))
        total += factor * idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * entry.length / average))
        has_any = True
    return total if has_any else None
