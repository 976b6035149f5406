"""A text index as simply as it can be said, and random documents and searches for it."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from math import log
from random import Random
from typing import Any

from database.derived.versions import Versions
from parabola.database.derived.entries import TextDefinition, TextEntry
from parabola.database.derived.ranks import Rank
from parabola.database.derived.text.text_query import TextQuery, TextResult, score
from parabola.database.derived.text.weights import Weights
from parabola.values.ordering import encode_key
from parabola.values.placeholders import UNDEFINED

K1, B = 1.2, 0.75

DEFINITION = TextDefinition("body", ("channel", "author.name"))
WORDS = ["a", "ab", "abc", "abd", "b", "ba", "c", "東京", "हिन्दी", "İx", *(f"z{n:02}" for n in range(80))]
CHANNELS: list[Any] = [1.0, "general", None, "long" * 40]


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


def document(random: Random) -> dict[str, Any]:
    value: dict[str, Any] = {"_creationTime": float(random.randint(1, 3))}
    if random.random() < 0.9:
        several = random.choices(WORDS, k=random.choice((0, 1, 2, 3, 5, 40)))
        value["body"] = " ".join(word for word in several for _ in range(random.choice((1, 1, 2))))
    if random.random() < 0.8:
        value["channel"] = random.choice(CHANNELS)
    if random.random() < 0.8:
        value["author"] = random.choice([{"name": "ann"}, {"name": 1.0}, {}, "nobody"])
    return value


def query(random: Random) -> TextQuery:
    text = " ".join(random.choices([*WORDS, "z", "nowhere"], k=random.choice((1, 1, 2, 3))))
    filters = []
    if random.random() < 0.4:
        filters.append((0, encode_key([random.choice([*CHANNELS, UNDEFINED])])))
    if random.random() < 0.2:
        filters.append((1, encode_key([random.choice(["ann", UNDEFINED])])))
    return TextQuery.of(text, filters, prefix=random.random() < 0.8)
