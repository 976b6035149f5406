"""A vector index answers like one that looks at every version of every document (search 2)."""

from __future__ import annotations

import heapq
from collections.abc import Coroutine
from random import Random
from typing import Any

import numpy as np
import pytest

from database.derived.index_machine import IDS, LIVES, IndexMachine
from database.derived.vector_model import DEFINITION, VectorModel, document, query
from parabola.database.derived.entries import EntryChange, VectorDefinition, VectorEntry
from parabola.database.derived.ranks import Rank
from parabola.database.derived.segments.segment_files import SegmentFiles
from parabola.database.derived.segments.tiers import Tiers
from parabola.database.derived.vectors import vector_scan, vector_segment
from parabola.database.derived.vectors.vector_index import VectorIndex
from parabola.database.derived.vectors.vector_query import VectorQuery
from parabola.values.errors import BadRequest


@pytest.fixture(autouse=True)
def small_segments(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few documents fill a segment, and a few rows are many."""
    monkeypatch.setattr(vector_segment, "MAX_OPEN_SLOTS", 4)
    monkeypatch.setattr(VectorIndex, "TIERS", Tiers(4, 24, 1 << 30))
    monkeypatch.setattr(vector_scan, "_MANY", 5)
    monkeypatch.setattr(vector_scan, "_NUMBERS_AT_ONCE", 9)


class VectorIndexMachine(IndexMachine):
    def new_model(self) -> VectorModel:
        return VectorModel()

    def new_index(self, files: SegmentFiles | None) -> VectorIndex:
        return VectorIndex(DEFINITION, files)

    def open_index(
        self, files: SegmentFiles, live: dict[str, int], ts: int
    ) -> Coroutine[Any, Any, tuple[VectorIndex, list[str]]]:
        return VectorIndex.open(DEFINITION, files, live, ts)

    def entry(self, random: Random) -> VectorEntry:
        return DEFINITION.entry(document(random))

    def compare(self, ts: int, random: Random) -> None:
        asked = query(random)
        pending: dict[str, VectorEntry | None] = {}
        if random.random() < 0.3:
            for id in random.sample([*IDS, "new1", "new2"], random.randint(1, 4)):
                pending[id] = None if random.random() < 0.3 else self.entry(random)
        limit = random.choice((0, 1, 2, 3, 5, 100))
        expected = self.model.search(asked, ts, limit, pending=pending)
        found = self.run(self.index.search(asked, ts, limit, pending=pending))
        assert found.hits == expected.hits
        # Where a minimum score cuts close to the limit, it may not be known that there is nothing left.
        assert expected.exhausted or not found.exhausted
        if len(found.hits) < limit or asked.minimum_score is None:
            assert found.exhausted == expected.exhausted


TestVectorIndex = VectorIndexMachine.TestCase
TestVectorIndex.settings = LIVES


@pytest.mark.parametrize("kind", ["loose", "clustered", "equal", "one-hot"])
async def test_the_coarse_copy_loses_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    random = np.random.default_rng(7)
    dimensions, count = 64, 3000
    vectors = random.normal(size=(count, dimensions))
    if kind == "clustered":
        vectors = random.normal(size=(20, dimensions))[random.integers(0, 20, count)] + 0.001 * vectors
    elif kind == "equal":
        vectors[:] = vectors[0]
    elif kind == "one-hot":
        vectors = 0.0039 + np.eye(dimensions)[random.integers(0, dimensions, count)]
    definition = VectorDefinition("v", dimensions)
    index = VectorIndex(definition)
    entries = [definition.entry({"v": vector.tolist()}) for vector in vectors]
    index.apply(1, [EntryChange(f"id{n}", entry) for n, entry in enumerate(entries)])
    await index.tidy(1)
    asked = VectorQuery.of((vectors[5] + 0.01).tolist())
    expected = heapq.nlargest(
        10, (Rank(asked.worth(entry) or 0.0, 0.0, f"id{n}") for n, entry in enumerate(entries))
    )
    assert (await index.search(asked, 1, 10)).hits == expected


def test_only_finite_vectors_can_be_searched_for() -> None:
    for number in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(BadRequest, match="finite"):
            VectorQuery.of([1.0, number])


async def test_a_zero_vector_is_as_far_from_everything() -> None:
    index = VectorIndex(DEFINITION)
    index.apply(
        1,
        [
            EntryChange("a", DEFINITION.entry({"embedding": [0.0, 0.0, 0.0]})),
            EntryChange("b", DEFINITION.entry({"embedding": [-1.0, 0.0, 0.0]})),
        ],
    )
    found = await index.search(VectorQuery.of([0.0, 0.0, 0.0]), 1, 10)
    assert found.hits == [Rank(0.0, 0.0, "b"), Rank(0.0, 0.0, "a")]
    found = await index.search(VectorQuery.of([1.0, 0.0, 0.0]), 1, 10)
    assert found.hits == [Rank(0.0, 0.0, "a"), Rank(-1.0, 0.0, "b")]
