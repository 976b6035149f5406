"""Indexes that are fed by commits: whatever happens, they hold what one built from the documents would."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.searching import NEAR, WORDS, create_indexes, near, rebuilt, words
from database.stores import (
    Clock,
    collect,
    crash_copy,
    delete,
    fill,
    insert,
    make_room,
    opened,
    patch,
    take,
)
from parabola.database.database import Database
from parabola.database.derived.derived_index import DerivedIndex
from parabola.database.derived.entries import TextDefinition
from parabola.database.derived.segments.tiers import Tiers
from parabola.database.derived.text import text_segment
from parabola.database.derived.text.text_index import TextIndex
from parabola.database.derived.text.text_query import TextQuery
from parabola.database.derived.vectors import vector_segment
from parabola.database.derived.vectors.vector_index import VectorIndex
from parabola.database.derived.vectors.vector_query import VectorQuery
from parabola.database.model.errors import ConflictError, StorageFailed, StorageFull
from parabola.database.store.memory import MemoryPersistence
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.transaction import Transaction
from parabola.values.errors import OutOfRetention

TEXTS = ("a b c", "b", "bc b", "abc c a", "", "d d d")
QUERIES = ("a", "b c", "ab", "d b")
VECTORS = ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.5], [0.0, 0.0], [1.0])


def document(random: Random) -> dict[str, Any]:
    made: dict[str, Any] = {"c": random.choice(["x", "y", 1.0])}
    if random.random() < 0.9:
        made["text"] = random.choice(TEXTS)
    if random.random() < 0.8:
        made["vector"] = random.choice(VECTORS)
    return made


async def change(tx: Transaction, random: Random) -> None:
    present = await collect(tx, "t")
    action = random.randrange(4)
    if not present or action < 2:
        await tx.insert("t", document(random))
    elif action == 2:
        await tx.patch(random.choice(present).id, document(random))
    else:
        await tx.delete(random.choice(present).id)


async def agrees(tx: Transaction) -> None:
    """What a transaction finds is what indexes find that are built from what it sees."""
    text, vectors = await rebuilt(tx, WORDS), await rebuilt(tx, NEAR)
    for query in QUERIES:
        expected = await text.search(TextQuery.of(query), 1, 1000)
        assert [found.id for found in await collect(tx, words(query))] == [hit.id for hit in expected.hits]
    for vector in VECTORS[:4]:
        wanted = await vectors.search(VectorQuery.of(vector), 1, 1000)
        hits = await tx.vector_search(near(*vector, limit=1000), in_transaction=True)
        assert [(hit.id, hit.score) for hit in hits] == [(hit.id, hit.score) for hit in wanted.hits]


@given(st.integers(0, 2**32))
@settings(max_examples=40)
async def test_every_transaction_finds_what_an_index_of_its_own_documents_would(seed: int) -> None:
    """At the newest timestamp, at older ones, with own writes, and after those of a savepoint are undone."""
    random = Random(seed)
    database = await Database.open(MemoryPersistence())
    await create_indexes(database)
    snapshots = [database.begin()]
    for _ in range(random.randrange(1, 12)):
        tx = database.begin(writable=True)
        for _ in range(random.randrange(1, 4)):
            await change(tx, random)
        savepoint = tx.savepoint()
        await change(tx, random)
        await agrees(tx)
        if random.random() < 0.5:
            tx.rollback_to(savepoint)
            await agrees(tx)
        await database.commit(tx)
        if random.random() < 0.4:
            snapshots.append(database.begin())
        await agrees(random.choice(snapshots))  # type: ignore[arg-type]
    for snapshot in snapshots:
        await agrees(snapshot)  # type: ignore[arg-type]
    await database.close()


@given(st.integers(0, 2**32))
@settings(max_examples=25)
async def test_an_index_that_is_added_under_writes_holds_every_document(seed: int) -> None:
    random = Random(seed)
    database = await Database.open(MemoryPersistence())
    await insert(database, "t", *(document(random) for _ in range(random.randrange(1, 30))))

    async def write() -> None:
        for _ in range(10):
            tx = database.begin(writable=True)
            await change(tx, random)
            try:
                await database.commit(tx)
            except ConflictError:
                pass
            await asyncio.sleep(0)

    _, indexes, _ = await asyncio.gather(write(), create_indexes(database, state="backfilling"), write())
    await database.wait_backfilled()
    tx = database.begin(writable=True)
    for index in indexes:
        row = await tx.get_system(index.document_id)
        assert row is not None
        assert row.value["state"] == "backfilled"
        await tx.patch_system(row.id, {"state": "enabled"})
    await database.commit(tx)
    await agrees(database.begin(writable=True))
    await database.close()


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are full after three documents, so that they are saved and merged all the time."""
    monkeypatch.setattr(text_segment, "MAX_OPEN_SLOTS", 3)
    monkeypatch.setattr(TextIndex, "TIERS", Tiers(3, 24, 1 << 30))
    monkeypatch.setattr(vector_segment, "MAX_OPEN_SLOTS", 3)
    monkeypatch.setattr(VectorIndex, "TIERS", Tiers(3, 24, 1 << 30))


@given(st.integers(0, 2**32), st.sampled_from(["closed", "killed", "damaged"]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_after_a_crash_at_any_moment_an_index_is_that_of_the_documents(
    small_segments: None, seed: int, how: str
) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        directory = Path(folder) / "data"
        for round in range(3):
            async with opened(directory) as database:
                if not round:
                    await create_indexes(database)
                else:
                    await agrees(database.begin(writable=True))
                for _ in range(random.randrange(15)):
                    tx = database.begin(writable=True)
                    await change(tx, random)
                    await database.commit(tx)
                    if random.random() < 0.3:
                        await database.derived.settle()
                        await agrees(database.begin(writable=True))
                if how == "killed":
                    # While segments are being written and merged, or old ones removed.
                    tidying = asyncio.create_task(database.derived.settle())
                    await asyncio.sleep(random.choice((0, 0, 0.001, 0.003, 0.01)))
                    copy = crash_copy(directory, Path(folder) / f"copy{round}")
                    await tidying
            if how == "killed":
                directory = copy
            if how == "damaged":
                damage(directory / "derived", random)
        async with opened(directory) as database:
            await agrees(database.begin(writable=True))


def damage(directory: Path, random: Random) -> None:
    """Some files are cut off, some have another byte somewhere, some are gone."""
    for path in sorted(directory.rglob("*")):
        if not path.is_file():
            continue
        what = random.randrange(4)
        if what == 0:
            path.unlink()
        elif what == 1:
            os.truncate(path, random.randrange(path.stat().st_size + 1))
        elif what == 2 and path.stat().st_size:
            content = bytearray(path.read_bytes())
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            path.write_bytes(content)


async def test_commits_that_could_not_be_stored_leave_nothing_in_an_index(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await create_indexes(database)
        await insert(database, "t", {"text": "kept", "vector": [1.0, 0.0]})
        fill(database)

        async def big() -> None:
            tx = database.begin(writable=True)
            await tx.insert("t", {"text": "lost " + "x " * 30_000, "vector": [0.0, 1.0]})
            await database.commit(tx)

        async def search() -> None:
            tx = database.begin(writable=True)
            await collect(tx, words("lost"))
            await database.commit(tx)

        outcomes = await asyncio.gather(*(big() for _ in range(4)), search(), return_exceptions=True)
        assert StorageFull in {type(outcome) for outcome in outcomes}
        make_room(database)
        tx = database.begin(writable=True)
        assert await collect(tx, words("lost")) == []
        assert len(await collect(tx, words("kept"))) == 1
        await insert(database, "t", {"text": "lost and found"})
        await agrees(database.begin(writable=True))


async def test_an_index_whose_commit_was_lost_is_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"text": "here"})
        fill(database)
        tx = database.begin(writable=True)
        await tx.insert("t", {"text": "x" * 100_000})
        results = await asyncio.gather(create_indexes(database), database.commit(tx), return_exceptions=True)
        assert StorageFull in {type(result) for result in results}
        make_room(database)
        if isinstance(results[0], StorageFull):
            await create_indexes(database)
        await agrees(database.begin(writable=True))


async def test_an_index_that_an_older_version_stored_enabled_and_empty_is_filled(tmp_path: Path) -> None:
    """It stored the row of the index, and nothing else."""
    async with opened(tmp_path) as database:
        await insert(database, "t", {"text": "from before"})
        await create_indexes(database)
    for path in sorted((tmp_path / "derived").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    async with opened(tmp_path) as database:
        assert len(await collect(database.begin(), words("before"))) == 1


async def test_files_of_indexes_that_are_no_more_are_removed(tmp_path: Path) -> None:
    stale = tmp_path / "derived" / "12345"
    async with opened(tmp_path) as database:
        await insert(database, "t", {})
    stale.mkdir(parents=True)
    (stale / "segment").write_bytes(b"old")
    async with opened(tmp_path):
        assert not stale.exists()


async def test_a_deleted_index_serves_older_snapshots_until_they_are_too_old(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        indexes = await create_indexes(database)
        await insert(database, "t", {"text": "hello"})
        before = database.begin()
        tx = database.begin(writable=True)
        for index in indexes:
            await tx.delete_system(index.document_id)
        await database.commit(tx)
        await insert(database, "t", {"text": "hello again"})
        assert len(await collect(before, words("hello"))) == 1
        clock.advance(3600)
        await insert(database, "t", {})
        await database.vacuum()
        with pytest.raises(OutOfRetention):
            await collect(before, words("hello"))
        assert list((tmp_path / "derived").glob("*")) == []


async def test_old_versions_go_and_newer_snapshots_still_find_theirs(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        await create_indexes(database)
        [id] = await insert(database, "t", {"text": "one"})
        for number in range(20):
            clock.advance(60)
            await patch(database, id, {"text": f"one {number}"})
            await database.vacuum()
            snapshot = database.begin()
            await patch(database, id, {"text": "one and more"})
            await agrees(snapshot)  # type: ignore[arg-type]
            await agrees(database.begin(writable=True))
        await delete(database, id)
        assert await collect(database.begin(), words("one")) == []


async def test_a_store_that_cannot_be_read_fails_the_search_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as database:
        await create_indexes(database)
        await insert(database, "t", {"text": "hello"})
    times = SqlitePersistence.revision_times

    async def broken(self: SqlitePersistence, *args: Any) -> Any:
        raise StorageFailed("the disk is gone")

    monkeypatch.setattr(SqlitePersistence, "revision_times", broken)
    async with opened(tmp_path) as database:
        with pytest.raises(StorageFailed):
            await collect(database.begin(), words("hello"))
        await database.wait_backfilled()
    monkeypatch.setattr(SqlitePersistence, "revision_times", times)
    async with opened(tmp_path) as database:
        assert len(await collect(database.begin(), words("hello"))) == 1


@pytest.mark.parametrize("is_noticed_by", ["the committer", "the building"])
async def test_a_search_that_waits_for_an_index_whose_commit_is_lost_is_to_be_run_again(
    monkeypatch: pytest.MonkeyPatch, is_noticed_by: str
) -> None:
    lost = asyncio.Event()

    async def build(self: DerivedIndex) -> None:
        await lost.wait()
        raise ConflictError("the commit was lost")

    database = await Database.open(MemoryPersistence())
    monkeypatch.setattr(DerivedIndex, "_build", build)
    await create_indexes(database)
    tx = database.begin(writable=True)
    searches = (collect(tx, words("here")), tx.vector_search(near(1.0, 0.0), in_transaction=True))
    waiting = asyncio.gather(*searches, return_exceptions=True)
    await asyncio.sleep(0)
    if is_noticed_by == "the committer":
        database.derived.take_back(0)
    else:
        lost.set()
    assert [type(outcome) for outcome in await waiting] == [ConflictError, ConflictError]
    await database.close()


async def test_everybody_else_has_turns_while_one_large_commit_is_taken_in() -> None:
    """And the searches that wait for it see all of it, those before it nothing."""
    database = await Database.open(MemoryPersistence())
    await create_indexes(database)
    before = database.begin()
    tx = database.begin(writable=True)
    for number in range(2000):
        await tx.insert("t", {"text": f"many n{number} " + "word " * 40, "vector": [1.0, float(number)]})
    await database.commit(tx)
    after = database.begin()
    [index] = [index for index in database.derived._indexes.values() if index.index.name == WORDS]
    left: list[int] = []

    async def look() -> None:
        while index.is_behind:
            left.append(len(index._queue))
            assert await collect(before, words("many")) == []
            await asyncio.sleep(0)

    found, _ = await asyncio.gather(collect(after, take(words("many"), 1024)), look())
    assert len(found) == 1024
    assert len({*left} - {0, 2000}) > 1
    await database.close()


async def test_words_of_large_texts_are_taken_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """When they are filled in, written, searched by their own transaction, and told to live searches."""
    taken: list[str] = []
    entry = TextDefinition.entry

    def noted(self: TextDefinition, value: Any) -> Any:
        taken.append(threading.current_thread().name)
        return entry(self, value)

    monkeypatch.setattr(TextDefinition, "entry", noted)
    here = threading.current_thread().name
    large = {"text": "long " * 10_000}
    database = await Database.open(MemoryPersistence())
    await insert(database, "t", large)
    await create_indexes(database)
    await database.wait_backfilled()
    tx = database.begin()
    assert len(await collect(tx, words("long"))) == 1
    live = database.subscriptions.subscribe(tx.read_set, tx.begin_ts, lambda ts: None)
    tx = database.begin(writable=True)
    await tx.insert("t", large)
    assert len(await collect(tx, words("long"))) == 2
    assert len(await collect(tx, words("long"))) == 2
    await database.commit(tx)
    assert not live.active
    await database.derived.settle()
    # Filled in; twice searched with own writes; published and taken in.
    assert len(taken) == 3
    assert here not in taken
    await database.close()


async def test_an_index_that_is_filled_keeps_what_it_has_in_files_and_goes_on_from_them(
    small_segments: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", *({"text": f"a b n{number}"} for number in range(500)))
    filled: list[int] = []
    structure_fill = TextIndex.fill

    def counted(self: TextIndex, entries: Any) -> None:
        entries = list(entries)
        structure_fill(self, entries)
        filled.append(len(entries))
        open_segments.append(len(self._frozen))
        if len(filled) == 300:
            enough.set()

    open_segments: list[int] = []
    enough = asyncio.Event()
    monkeypatch.setattr(TextIndex, "fill", counted)
    async with opened(tmp_path) as database:
        creating = asyncio.create_task(create_indexes(database))
        await enough.wait()
        copy = crash_copy(tmp_path, tmp_path / "copy")
        await creating
        await database.wait_backfilled()
    assert max(open_segments) < 80  # three documents each, two hundred at once
    filled.clear()
    async with opened(copy) as database:
        await agrees(database.begin(writable=True))
    assert 0 < filled.count(1) < 450  # and all at once by the one that it is compared with
