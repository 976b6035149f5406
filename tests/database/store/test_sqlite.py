"""The embedded store by itself: reads at any timestamp, durability, full disks, crashes, retention."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from database.stored_model import INDEX, TABLET, Model, chunked
from database.stores import crash_copy
from parabola.database.model.errors import (
    DataDirectoryLocked,
    StorageDamaged,
    StorageFailed,
    StorageFull,
    UnusableData,
)
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.store import sqlite, sqlite_reads
from parabola.database.store.private_file import keep_private
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.store.write_ahead_log import PAGE_BYTES, WriteAheadLog
from parabola.values.limits import KIB


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlitePersistence]:
    store = SqlitePersistence.open(tmp_path / "data")
    yield store
    with contextlib.suppress(StorageFailed):
        await store.close()


def readable_by_others(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir() if file.stat().st_mode & 0o007)


@pytest.mark.parametrize("was_there", [False, True])
async def test_nobody_else_reads_the_database_or_what_lies_beside_it(tmp_path: Path, was_there: bool) -> None:
    others_may = os.umask(0o022)
    try:
        if was_there:  # made by a version that left it to the umask, and killed
            (tmp_path / "data").mkdir()
            for name in ("parabola.sqlite3", "parabola.sqlite3-wal", "parabola.sqlite3-shm"):
                (tmp_path / "data" / name).touch(0o644)
        store = SqlitePersistence.open(tmp_path / "data")
        commit = Model().commit({"a": (b"\x01", "a")})
        assert commit
        store.append(commit)
        await store.flush()
        assert (tmp_path / "data" / "parabola.sqlite3-wal").stat().st_size
        assert readable_by_others(tmp_path / "data") == []
        await store.close()
        assert readable_by_others(tmp_path / "data") == []
    finally:
        os.umask(others_may)


def test_a_group_that_was_let_in_stays(tmp_path: Path) -> None:
    file = tmp_path / "parabola.sqlite3"
    file.touch()
    file.chmod(0o664)
    keep_private(file)
    assert file.stat().st_mode & 0o777 == 0o660


async def test_vacuum_leaves_only_live_rows_when_everything_is_old(store: SqlitePersistence) -> None:
    model = Model()
    for n in range(20):
        commit = model.commit({"a": (b"\x01", f"a{n}"), "b": None if n % 2 else (b"\x02", f"b{n}")})
        assert commit
        store.append(commit)
    last = model.commit(
        {"c": (b"\x01", "newest")}
    )  # the newest revision is left alone: timestamps go on from it
    assert last
    store.append(last)
    while await store.vacuum(
        entries_before=model.ts,
        documents_before=model.ts,
        live_indexes=frozenset((TABLET, INDEX)),
        limit=7,
    ):
        pass
    count = {
        table: store._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("entry", "removed_entry", "superseded", "newest", "revision")
    }
    assert count == {"entry": 4, "removed_entry": 0, "superseded": 0, "newest": 1, "revision": 2}


async def test_vacuum_removes_indexes_and_tables_that_are_no_more(store: SqlitePersistence) -> None:
    model = Model()
    for n in range(5):
        commit = model.commit({"a": (b"\x01", f"a{n}"), "b": (b"\x02", f"b{n}")})
        assert commit
        store.append(commit)
    while await store.vacuum(entries_before=0, documents_before=0, live_indexes=frozenset(), limit=3):
        pass
    for table in ("entry", "newest", "superseded", "revision"):
        assert store._db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


# Chunks


async def test_large_documents_end_a_chunk_early(
    store: SqlitePersistence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reads, "CHUNK_BYTES", 10)
    model = Model()
    commit = model.commit(dict.fromkeys("abcd", (b"\x01", "x" * 6)))
    assert commit
    store.append(commit)
    chunk = await store.scan(INDEX, Interval.everything(), model.ts, "asc", 100)
    assert len(chunk) == 1
    assert not chunk.exhausted
    assert len(await chunked(store, INDEX, Interval.everything(), model.ts, "asc", 100)) == 4


# Durability


async def test_what_was_flushed_survives_a_crash_and_the_rest_does_not_leave_traces(
    store: SqlitePersistence, tmp_path: Path
) -> None:
    model = Model()
    for n in range(3):
        commit = model.commit({"a": (b"\x01", f"a{n}")})
        assert commit
        store.append(commit)
    await store.flush()
    lost = model.commit({"a": (b"\x02", "lost"), "b": (b"\x02", "lost")})
    assert lost
    store.append(lost)
    copy = SqlitePersistence.open(crash_copy(tmp_path / "data", tmp_path / "copy"))
    assert (await copy.load()).latest_ts == 30
    assert await chunked(copy, INDEX, Interval.everything(), 1000, "asc", 10) == [
        (b"\x01" + id_key("a"), "a2")
    ]
    assert copy.size(TABLET).documents == 1
    await copy.close()


async def test_flushes_that_overlap_each_cover_what_was_appended_before_them(
    store: SqlitePersistence, tmp_path: Path
) -> None:
    model = Model()

    async def commit_and_flush(n: int) -> None:
        commit = model.commit({f"id{n}": (b"\x01", "x")})
        assert commit
        store.append(commit)
        await store.flush()

    await asyncio.gather(*(commit_and_flush(n) for n in range(20)))
    copy = SqlitePersistence.open(crash_copy(tmp_path / "data", tmp_path / "copy"))
    assert copy.size(TABLET).documents == 20
    await copy.close()


async def test_the_log_file_is_synced_before_a_flush_returns(
    store: SqlitePersistence, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        real(descriptor)
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    commit = Model().commit({"a": (b"\x01", "x")})
    assert commit
    store.append(commit)
    assert synced == []
    await store.flush()
    assert [Path(path).name for path in synced] == ["parabola.sqlite3-wal"]


async def test_what_a_killed_process_left_is_synced_before_it_is_shown(
    store: SqlitePersistence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Model().commit({"a": (b"\x01", "x")})
    assert commit
    store.append(commit)
    await store.flush()
    directory = crash_copy(tmp_path / "data", tmp_path / "copy")
    real, synced = os.fdatasync, 0

    def fdatasync(descriptor: int) -> None:
        nonlocal synced
        real(descriptor)
        synced += 1

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    copy = SqlitePersistence.open(directory)
    assert synced == 1
    await copy.close()


async def test_a_checkpoint_moves_the_log_and_loses_nothing(
    store: SqlitePersistence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parabola.database.store.write_ahead_log.CHECKPOINT_BYTES", 40 * KIB)
    monkeypatch.setattr("parabola.database.store.write_ahead_log.RESTART_BYTES", 40 * KIB)
    model = Model()
    for n in range(60):
        commit = model.commit({f"id{n}": (b"\x01", "x" * 2000)})
        assert commit
        await store.ready()
        store.append(commit)
        await store.flush()
    assert (tmp_path / "data" / "parabola.sqlite3").stat().st_size > 100_000
    assert (tmp_path / "data" / "parabola.sqlite3-wal").stat().st_size < 60 * 4 * PAGE_BYTES
    copy = SqlitePersistence.open(crash_copy(tmp_path / "data", tmp_path / "copy"))
    assert copy.size(TABLET).documents == 60
    await copy.close()


# A full or failing disk


async def test_a_full_disk_fails_the_write_and_only_that(store: SqlitePersistence) -> None:
    model = Model()
    first = model.commit({"a": (b"\x01", "kept")})
    assert first
    store.append(first)
    await store.flush()
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    small, large = Model(), Model()
    small.ts, large.ts = 20, 30
    small_commit = small.commit({"b": (b"\x01", "with the large one")})
    large_commit = large.commit({"c": (b"\x01", "x" * 100_000)})
    assert small_commit
    assert large_commit
    store.append(small_commit)
    with pytest.raises(StorageFull, match="the disk is full"):
        store.append(large_commit)
    assert store.newest_ts == 10
    assert store.rollbacks == 1
    assert [raw for _, raw in await chunked(store, INDEX, Interval.everything(), 99, "asc", 9)] == ["kept"]
    assert store.size(TABLET).documents == 1
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.append(large_commit)
    await store.flush()
    assert store.newest_ts == large_commit.ts
    assert store.size(TABLET).documents == 2


async def test_after_a_failed_sync_writes_are_refused_and_reads_go_on(
    store: SqlitePersistence, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model()
    first = model.commit({"a": (b"\x01", "kept")})
    assert first
    store.append(first)
    await store.flush()

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    second = model.commit({"a": (b"\x01", "unknown")})
    assert second
    store.append(second)
    with pytest.raises(StorageFailed, match="start the server again"):
        await store.flush()
    monkeypatch.undo()
    assert store.newest_ts == first.ts
    third = Model()
    third.ts = 50
    unrelated = third.commit({"z": (b"\x01", "new")})
    assert unrelated
    with pytest.raises(StorageFailed, match="No more writes are taken"):
        store.append(unrelated)
    with pytest.raises(StorageFailed, match="No more writes are taken"):
        await store.flush()
    revision = await store.get(TABLET, "a", first.ts)
    assert revision is not None
    assert revision.raw == b"kept"


async def test_a_start_without_room_writes_nothing_and_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqlitePersistence.open(tmp_path / "data")
    model = Model()
    first = model.commit({"a": (b"\x01", "kept")})
    assert first
    store.append(first)
    await store.flush()
    left = crash_copy(tmp_path / "data", tmp_path / "left")
    await store.close()
    before = {file.name: file.read_bytes() for file in left.iterdir()}

    def full(log: WriteAheadLog, mode: str) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(WriteAheadLog, "checkpoint", full)
    store = SqlitePersistence.open(left)
    assert {name: (left / name).read_bytes() for name in before} == before
    assert await store.get(TABLET, "a", first.ts)
    store._db.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON main.property BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    await store.close()


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (sqlite3.SQLITE_IOERR_READ, StorageDamaged, "restore the last backup"),
        (sqlite3.SQLITE_CORRUPT, StorageDamaged, "restore the last backup"),
        (sqlite3.SQLITE_IOERR_WRITE, StorageFailed, "The write failed"),  # over quota, for one
        (sqlite3.SQLITE_FULL, StorageFull, "the disk is full"),
    ],
)
def test_a_failed_write_is_not_called_damage(
    store: SqlitePersistence, code: int, kind: type[Exception], said: str
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    refused = store._rolled_back(error)
    assert type(refused) is kind
    assert re.search(said, str(refused))


async def test_an_upgrade_that_is_interrupted_is_made_by_the_next_start(tmp_path: Path) -> None:
    await SqlitePersistence.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "parabola.sqlite3")) as db, db:
        db.execute("ALTER TABLE revision DROP COLUMN checksum")
        db.execute("UPDATE property SET value = CAST('1' AS BLOB) WHERE name = 'layout'")
        db.execute(
            "CREATE TRIGGER cut BEFORE INSERT ON property WHEN NEW.name = 'layout'"
            " BEGIN SELECT RAISE(ABORT, 'cut'); END"
        )
    with pytest.raises(UnusableData, match="cut"):
        SqlitePersistence.open(tmp_path)
    with closing(sqlite3.connect(tmp_path / "parabola.sqlite3")) as db, db:
        db.execute("DROP TRIGGER cut")
    await SqlitePersistence.open(tmp_path).close()


# Opening


async def test_a_second_server_is_refused_with_the_directory_and_the_process(
    store: SqlitePersistence, tmp_path: Path
) -> None:
    with pytest.raises(DataDirectoryLocked) as refused:
        SqlitePersistence.open(tmp_path / "data")
    assert str(tmp_path / "data") in str(refused.value)
    assert f"process {os.getpid()}" in str(refused.value)


async def test_the_directory_is_free_again_after_close(tmp_path: Path) -> None:
    store = SqlitePersistence.open(tmp_path)
    await store.close()
    await SqlitePersistence.open(tmp_path).close()


async def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    await SqlitePersistence.open(tmp_path).close()
    with sqlite3.connect(tmp_path / "parabola.sqlite3") as db:
        db.execute("UPDATE property SET value = '99' WHERE name = 'layout'")
    db.close()
    with pytest.raises(UnusableData, match="newer version of Parabola"):
        SqlitePersistence.open(tmp_path)


async def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "parabola.sqlite3"
    path.write_bytes(b"certainly not a database, but long enough to be looked at" * 100)
    before = path.read_bytes()
    with pytest.raises(UnusableData, match="file is not a database"):
        SqlitePersistence.open(tmp_path)
    assert path.read_bytes() == before


async def test_documents_that_are_not_read_any_more_are_forgotten_and_read_again(
    store: SqlitePersistence,
) -> None:
    model = Model()
    for number in range(1200):
        commit = model.commit({f"d{number}": (number.to_bytes(2), f"d{number}")})
        assert commit
        store.append(commit)
    await store.flush()
    assert len(store._cache) == 1200
    for _ in range(2):
        await store.forget_unused()
    assert len(store._cache) == 0
    found = await store.scan(INDEX, Interval.everything(), store.newest_ts, "asc", 2000)
    assert len(found) == len(store._cache) == 1200


async def test_a_file_keeps_the_pages_it_was_made_with(tmp_path: Path) -> None:
    directory = tmp_path / "old"
    directory.mkdir()
    old = sqlite3.connect(directory / "parabola.sqlite3")
    old.execute("PRAGMA page_size = 4096")
    old.execute("CREATE TABLE made_by_an_older_version (n INTEGER)")
    old.close()
    for folder, size in ((directory, 4096), (tmp_path / "new", PAGE_BYTES)):
        store = SqlitePersistence.open(folder)
        assert store._db.execute("PRAGMA page_size").fetchone() == (size,)
        assert store._log._page_bytes == size
        await store.close()


async def test_an_inspection_that_is_given_up_lets_go_of_the_file_when_its_step_has_ended(
    store: SqlitePersistence, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    has_begun, may_end = threading.Event(), threading.Event()

    class Inspected:
        def __init__(self, *_: object) -> None: ...

        def step(self) -> bool:
            has_begun.set()
            may_end.wait(60)
            said.append("stepped")
            return True

        def close(self) -> None:
            said.append("closed")

    monkeypatch.setattr(sqlite, "Inspection", Inspected)
    inspecting = asyncio.create_task(store.inspect(lambda tablet, index, raw: None))
    await asyncio.to_thread(has_begun.wait, 60)
    inspecting.cancel()
    await asyncio.wait([inspecting])
    may_end.set()
    await store.close()
    assert said == ["stepped", "closed"]


async def test_an_inspection_tells_of_damage_that_others_have_met(store: SqlitePersistence) -> None:
    store.damaged("a row that somebody has read")
    with pytest.raises(StorageDamaged):
        await store.inspect(lambda tablet, index, raw: None)
