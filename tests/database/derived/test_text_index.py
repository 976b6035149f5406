"""A text index answers like one that looks at every version of every document (search 1)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest

from database.derived.index_machine import IDS, LIVES, IndexMachine
from database.derived.text_model import DEFINITION, TextModel, document, query
from parabola.database.derived.entries import EntryChange, TextDefinition, TextEntry
from parabola.database.derived.segments.segment_files import SegmentFiles
from parabola.database.derived.segments.tiers import Tiers
from parabola.database.derived.text import text_index, text_segment
from parabola.database.derived.text.text_index import TextIndex
from parabola.database.derived.text.text_query import TextQuery
from parabola.database.derived.text.weights import Weights
from parabola.values.ordering import encode_key
from parabola.values.placeholders import UNDEFINED


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few documents fill a segment, and a few postings are many."""
    monkeypatch.setattr(text_segment, "MAX_OPEN_SLOTS", 4)
    monkeypatch.setattr(TextIndex, "TIERS", Tiers(4, 24, 1 << 30))
    monkeypatch.setattr(text_index, "_MANY_POSTINGS", 12)


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
TestTextIndex.settings = LIVES


# Single cases


def entry_of(body: str, creation_time: float = 1.0, **fields: Any) -> TextEntry:
    return DEFINITION.entry({"_creationTime": creation_time, "body": body, **fields})


def index_of(*bodies: str, files: SegmentFiles | None = None) -> TextIndex:
    """An index of these documents: `id0` and so on, one commit each from 1 on."""
    index = TextIndex(DEFINITION, files)
    index.filled()
    for number, body in enumerate(bodies):
        index.apply(number + 1, [EntryChange(f"id{number}", entry_of(body, float(number)))])
    return index


async def ids(index: TextIndex, text: str, ts: int | None = None, **rest: Any) -> list[str]:
    query = TextQuery.of(text, rest.pop("filters", ()))
    found = await index.search(query, index.last_ts if ts is None else ts, rest.pop("limit", 100), **rest)
    return [rank.id for rank in found.hits]


async def test_a_search_looks_up_sixty_four_words() -> None:
    index = index_of(*(f"word{n:03}" for n in range(70)), "other")
    found = await index.search(TextQuery.of("other word"), index.last_ts, 100)
    assert len(found.hits) == 64
    assert found.weights.is_full
    assert {rank.id for rank in found.hits} == {*(f"id{n}" for n in range(63)), "id70"}
    # Filters are counted among them.
    missing = [(0, encode_key([UNDEFINED])), (1, encode_key([UNDEFINED]))]
    assert len(await ids(index, "other word", filters=missing)) == 62
    # What has been deleted makes room, and a later run by the same weights does not take it.
    index.apply(index.last_ts + 1, [EntryChange("id0", None)])
    assert "id63" in await ids(index, "other word")
    assert "id63" not in await ids(index, "other word", weights=found.weights)


async def test_equal_scores_are_ranked_by_creation_time_and_then_by_id() -> None:
    index = TextIndex(DEFINITION)
    times = {"a": 1.0, "b": 2.0, "c": 2.0, "d": 1.0, "e": 3.0}
    index.apply(1, [EntryChange(id, entry_of("word", time)) for id, time in times.items()])
    assert await ids(index, "word") == ["e", "c", "b", "d", "a"]
    for limit in range(6):
        assert await ids(index, "word", limit=limit) == ["e", "c", "b", "d", "a"][:limit]


async def test_long_texts_are_counted_as_far_as_there_is_room() -> None:
    entry = entry_of("word " * 300 + "rest " * 70_000)
    assert (entry.terms["word"], entry.terms["rest"], entry.length) == (255, 255, 65_535)
    index = TextIndex(DEFINITION)
    index.apply(1, [EntryChange("id", entry)])
    assert await ids(index, "word") == ["id"]


async def test_a_document_is_deleted_and_inserted_at_one_timestamp() -> None:
    index = index_of("old words")
    index.apply(5, [EntryChange("id0", None)])
    index.apply(5, [EntryChange("id0", entry_of("new words"))])
    assert await ids(index, "old", 4) == ["id0"]
    assert await ids(index, "old", 5) == []
    assert await ids(index, "new", 5) == ["id0"]


async def test_what_nobody_can_see_any_more_goes() -> None:
    index = index_of()
    for ts in range(1, 101):
        index.apply(ts, [EntryChange("id", entry_of(f"version {ts}"))])
        await index.tidy(ts)
    assert index.slots == 100
    assert await ids(index, "40", 40) == ["id"]
    index.forget_before(100)
    await index.tidy(100)
    assert index.slots <= 8
    assert await ids(index, "100") == ["id"]


async def test_a_disk_that_takes_no_file_leaves_segments_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_space(self: SegmentFiles, owner: str, parts: Any) -> Path:
        raise OSError("no space left on device")

    index = index_of(*(f"word{n}" for n in range(20)), files=SegmentFiles(tmp_path))
    monkeypatch.setattr(SegmentFiles, "write", no_space)
    await index.tidy(index.last_ts)
    assert "no space left on device" in caplog.text
    assert await ids(index, "word7") == ["id7"]
    monkeypatch.undo()
    await index.close(index.last_ts)
    live = {f"id{n}": n + 1 for n in range(20)}
    again, missing = await TextIndex.open(DEFINITION, SegmentFiles(tmp_path), live, 20)
    again.fill((id, live[id], entry_of(f"word{id[2:]}")) for id in missing)
    assert await ids(again, "word7") == ["id7"]


async def test_after_a_crash_little_is_indexed_anew(tmp_path: Path) -> None:
    index = index_of(files=SegmentFiles(tmp_path))
    for ts in range(1, 201):
        index.apply(ts, [EntryChange(f"id{ts}", entry_of(f"word{ts}"))])
        await index.tidy(ts)
        live = {f"id{n}": n for n in range(1, ts + 1)}
        if ts % 20 == 0:
            _, missing = await TextIndex.open(DEFINITION, SegmentFiles(tmp_path), live, ts)
            assert len(missing) <= 2 * 4
    assert len(SegmentFiles(tmp_path).paths()) < 20


async def test_what_a_crash_left_in_two_files_is_found_once(tmp_path: Path) -> None:
    index = index_of(*(f"some word{n}" for n in range(10)), files=SegmentFiles(tmp_path))
    await index.close(index.last_ts)
    for number, path in enumerate(SegmentFiles(tmp_path).paths(), 90):
        shutil.copy(path, tmp_path / f"{number:08d}.segment")
    live = {f"id{n}": n + 1 for n in range(10)}
    again, missing = await TextIndex.open(DEFINITION, SegmentFiles(tmp_path), live, 10)
    assert missing == []
    assert sorted(await ids(again, "some")) == sorted(live)
    again.apply(11, [EntryChange("id3", None)])
    assert sorted(await ids(again, "some")) == sorted(live.keys() - {"id3"})


@pytest.mark.parametrize("other", [TextDefinition("title", ()), TextDefinition("body", ("channel",))])
async def test_files_of_another_definition_are_not_taken(tmp_path: Path, other: TextDefinition) -> None:
    index = index_of("word", files=SegmentFiles(tmp_path))
    await index.close(1)
    _, missing = await TextIndex.open(other, SegmentFiles(tmp_path), {"id0": 1}, 1)
    assert missing == ["id0"]
    assert SegmentFiles(tmp_path).paths() == []


async def test_searches_are_exact_while_segments_are_made(tmp_path: Path) -> None:
    index = index_of(*(f"some word{n % 7}" for n in range(60)), files=SegmentFiles(tmp_path))
    expected = {ts: await ids(index, "some word3", ts) for ts in range(1, 61)}
    tidying = asyncio.ensure_future(index.tidy(index.last_ts))
    while not tidying.done():
        for ts in (10, 33, 60):
            assert await ids(index, "some word3", ts) == expected[ts]
        await asyncio.sleep(0)
    await tidying
    assert {ts: await ids(index, "some word3", ts) for ts in range(1, 61)} == expected


async def test_many_own_writes_are_seen() -> None:
    index = index_of(*(f"some word{n}" for n in range(300)))
    await index.tidy(index.last_ts)
    pending = {f"id{n}": None if n % 2 else entry_of(f"other word{n}") for n in range(250)}
    assert len(await ids(index, "some", pending=pending, limit=1000)) == 50
    assert len(await ids(index, "other", pending=pending, limit=1000)) == 125


async def test_upkeep_that_is_cancelled_loses_nothing(tmp_path: Path) -> None:
    index = index_of(*(f"some word{n}" for n in range(40)), files=SegmentFiles(tmp_path))
    for turns in range(6):
        tidying = asyncio.ensure_future(index.tidy(index.last_ts))
        for _ in range(turns):
            await asyncio.sleep(0)
        tidying.cancel()
        await asyncio.wait([tidying])
        assert len(await ids(index, "some")) == 40
    await index.close(index.last_ts)
    live = {f"id{n}": n + 1 for n in range(40)}
    again, missing = await TextIndex.open(DEFINITION, SegmentFiles(tmp_path), live, 40)
    assert missing == []
    assert sorted(await ids(again, "some")) == sorted(live)


async def test_documents_that_were_filled_in_are_saved_by_the_next_upkeep(tmp_path: Path) -> None:
    index = TextIndex(DEFINITION, SegmentFiles(tmp_path))
    index.fill([("id0", 1, entry_of("some word")), ("id1", 1, entry_of("other word"))])
    index.filled()
    await index.tidy(1)
    again, missing = await TextIndex.open(DEFINITION, SegmentFiles(tmp_path), {"id0": 1, "id1": 1}, 1)
    assert missing == []
    assert await ids(again, "other") == ["id1"]


@pytest.mark.parametrize("written", [None, "new words"])
@pytest.mark.parametrize("is_forgotten", [False, True])
async def test_a_document_that_is_filled_in_again_stays_what_it_has_become(
    written: str | None, is_forgotten: bool
) -> None:
    """Found by chance: documents that damage has made missing were written at different times."""
    index = TextIndex(DEFINITION)
    old = [(f"id{n}", 11, entry_of("old words")) for n in range(5)]  # one more than a segment takes
    index.fill(old)
    before = (await index.search(TextQuery.of("words"), 16, 10)).weights
    index.apply(17, [EntryChange("id0", None if written is None else entry_of(written))])
    if is_forgotten:
        index.forget_before(17)
        await index.tidy(17)
        assert index.slots == (4 if written is None else 5)
    index.fill(old)
    found = await index.search(TextQuery.of("words"), 17, 10)
    documents = 4 if written is None else 5
    assert (len(found.hits), found.weights.documents) == (documents, documents)
    assert await ids(index, "old") == ["id4", "id3", "id2", "id1"]
    if not is_forgotten:
        assert (await index.search(TextQuery.of("words"), 16, 10)).weights == before
        index.take_back(16)
        index.fill(old)
        assert (await index.search(TextQuery.of("words"), 16, 10)).weights == before


async def test_segments_of_their_real_size_answer_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    random = Random(5)
    index, model = index_of(files=SegmentFiles(tmp_path)), TextModel()
    words = [f"{first}{second}" for first in "abcdefgh" for second in range(60)]
    for ts in range(1, 12):
        ids = random.sample(range(9000), 1500)
        changes = [
            EntryChange(
                f"id{id}",
                entry_of(" ".join(random.choices(words, k=6)) + " common" * random.choice((0, 1, 1)), 1.0),
            )
            for id in ids
        ]
        for each in (index, model):
            each.apply(ts, changes)
        await index.tidy(ts)
    assert index.slots == 11 * 1500
    for ts in (3, 11):
        for text in ("common", "a1", "common a1 b", "c"):
            for limit in (10, 1024):
                asked = TextQuery.of(text)
                assert await index.search(asked, ts, limit) == model.search(asked, ts, limit)
