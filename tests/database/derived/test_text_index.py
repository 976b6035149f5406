"""A text index answers like one that looks at every version of every document (search 1)."""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, settings

from database.derived.index_machine import IDS, IndexMachine
from database.derived.text_model import TextModel
from parabola.database.derived import text_index, text_segment
from parabola.database.derived.entries import TextDefinition, TextEntry
from parabola.database.derived.segment_files import SegmentFiles
from parabola.database.derived.text_index import TextIndex
from parabola.database.derived.text_query import TextQuery
from parabola.database.derived.tiers import Tiers
from parabola.database.derived.weights import Weights
from parabola.values.ordering import encode_key
from parabola.values.placeholders import UNDEFINED

DEFINITION = TextDefinition("body", ("channel", "author.name"))
WORDS = ["a", "ab", "abc", "abd", "b", "ba", "c", "東京", "हिन्दी", "İx", *(f"z{n:02}" for n in range(80))]
CHANNELS: list[Any] = [1.0, "general", None, "long" * 40]


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few documents fill a segment, and a few postings are many."""
    monkeypatch.setattr(text_segment, "MAX_OPEN_SLOTS", 4)
    monkeypatch.setattr(TextIndex, "TIERS", Tiers(4, 24, 1 << 30))
    monkeypatch.setattr(text_index, "_MANY_POSTINGS", 12)


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


class TextIndexMachine(IndexMachine):
    def new_model(self) -> TextModel:
        return TextModel()

    def new_index(self, files: SegmentFiles | None) -> TextIndex:
        return TextIndex(DEFINITION, files)

    def open_index(
        self, files: SegmentFiles, live: dict[str, int], ts: int
    ) -> Coroutine[Any, Any, tuple[TextIndex, list[str]]]:
        return TextIndex.open(DEFINITION, files, live, ts)

    def entry(self, random: Random) -> TextEntry:
        return DEFINITION.entry(document(random))

    def compare(self, ts: int, random: Random) -> None:
        asked = query(random)
        pending: dict[str, TextEntry | None] = {}
        if random.random() < 0.3:
            for id in random.sample([*IDS, "new1", "new2"], random.randint(1, 4)):
                pending[id] = None if random.random() < 0.3 else self.entry(random)
        limit = random.choice((0, 1, 2, 3, 5, 100))
        expected = self.model.search(asked, ts, limit, pending=pending)
        assert self.run(self.index.search(asked, ts, limit, pending=pending)) == expected

        # The page after it, by the same weights, which have travelled, and perhaps at another time.
        weights = Weights.from_bytes(expected.weights.to_bytes())
        assert weights == expected.weights
        later = random.randint(ts, self.ts)
        everything = self.model.search(asked, later, 100, weights=weights).hits
        after = random.choice([None, *expected.hits])
        through = random.choice([None, *everything, *expected.hits])
        page = {"weights": weights, "after": after, "through": through}
        expected = self.model.search(asked, later, limit, **page)
        assert self.run(self.index.search(asked, later, limit, **page)) == expected


TestTextIndex = TextIndexMachine.TestCase
TestTextIndex.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, phases=[Phase.generate]
)
