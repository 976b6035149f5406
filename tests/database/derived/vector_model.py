"""A vector index as simply as it can be said, and random documents and searches for it."""

from __future__ import annotations

import heapq
from random import Random
from typing import Any

from database.derived.versions import Versions
from parabola.database.derived.entries import VectorDefinition, VectorEntry
from parabola.database.derived.filters import And, Eq, FilterExpression, Or
from parabola.database.derived.ranks import Rank
from parabola.database.derived.vectors.vector_query import VectorQuery, VectorResult
from parabola.values.ordering import encode_key
from parabola.values.placeholders import UNDEFINED

DEFINITION = VectorDefinition("embedding", 3, ("channel", "author.name"))
CHANNELS: list[Any] = [1.0, "general", None, "long" * 40, UNDEFINED]


def numbers(random: Random) -> list[float]:
    """A vector; many have the same direction, or one that is hardly another."""
    scale = random.choice((1.0, 1.0, 1e-200, 1e200))
    return [scale * (random.randint(-1, 1) + random.choice((0.0, 1e-7))) for _ in range(3)]


def document(random: Random) -> dict[str, Any]:
    value: dict[str, Any] = {"_creationTime": 1.0}
    others = [
        None,
        [],
        [1.0, 2.0],
        [1.0, 2.0, float("nan")],
        [1.0, True, 2.0],
        "no",
        [float("inf"), 1.0, 1.0],
    ]
    value["embedding"] = numbers(random) if random.random() < 0.8 else random.choice(others)
    if (channel := random.choice(CHANNELS)) is not UNDEFINED:
        value["channel"] = channel
    value["author"] = random.choice([{"name": "ann"}, {"name": 1.0}, {}, "nobody"])
    return value


def filter_of(random: Random, depth: int = 0) -> FilterExpression:
    if depth < 2 and random.random() < 0.5:
        parts = tuple(filter_of(random, depth + 1) for _ in range(random.randint(0, 3)))
        return random.choice((And, Or))(parts)
    if random.random() < 0.5:
        return Eq(0, encode_key([random.choice(CHANNELS)]))
    return Eq(1, encode_key([random.choice(["ann", 1.0, UNDEFINED])]))


def query(random: Random) -> VectorQuery:
    return VectorQuery.of(
        numbers(random),
        filter_of(random) if random.random() < 0.5 else None,
        random.choice([None, None, -1.0, 0.0, 0.5, 1.0]),
    )


class VectorModel(Versions[VectorEntry]):
    def search(
        self, query: VectorQuery, ts: int, limit: int, *, pending: dict[str, VectorEntry | None]
    ) -> VectorResult:
        ranks = [
            Rank(worth, 0.0, id)
            for id, entry in self.at(ts, pending)
            if (worth := query.worth(entry)) is not None
        ]
        hits = heapq.nlargest(limit, ranks)
        return VectorResult(hits, len(hits) == len(ranks))
