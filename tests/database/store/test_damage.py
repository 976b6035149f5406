"""A database that is not what was written never passes for one that is."""

from __future__ import annotations

import asyncio
import itertools
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.stores import collect, crash_copy, create_index, delete, insert, opened, patch, range_of
from parabola.database.model.errors import StorageDamaged, StorageFailed, UnusableData
from parabola.database.model.indexes import Index, id_key
from parabola.database.model.system_tables import INDEX_BY_TABLET, INDEX_TABLET, TABLES_BY_NAME, TABLES_TABLET
from parabola.database.store import sqlite, sqlite_inspection
from parabola.database.store.checksums import Damage, check_revision, revision_checksum
from parabola.database.store.sqlite import SqlitePersistence

PAGE = 4096
DATABASE, LOG, MARK = "parabola.sqlite3", "parabola.sqlite3-wal", "parabola.high-mark"


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "INSPECTION_PAUSE", 0.0)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a killed server has left: the half of its documents in the file, the other half in the log."""
    directory = tmp_path_factory.mktemp("killed")

    async def fill() -> None:
        async with opened(directory / "data") as database:
            for part in range(2):
                ids = await insert(
                    database, "t", *({"n": float(n + 1000 * part), "text": "x" * 300} for n in range(60))
                )
                if not part:
                    await create_index(database, "t", "by_n", "n")
                await patch(database, ids[3], {"n": 2000.0 + part})
                await delete(database, ids[4])
                if not part:
                    store = database.persistence
                    assert isinstance(store, SqlitePersistence)
                    store._log.checkpoint("TRUNCATE")
            crash_copy(directory / "data", directory / "left")

    asyncio.run(fill())
    return directory / "left"


EXPECTED = {float(n + 1000 * part) for part in range(2) for n in range(60) if n not in (3, 4)} | {
    2000.0,
    2001.0,
}


async def check(directory: Path) -> None:
    """Opens and reads everything. Raises what the damage is reported as; else all must be there."""
    async with opened(directory) as database:
        found = [document.value["n"] for document in await collect(database.begin(), "t")]
        ordered = [document.value["n"] for document in await collect(database.begin(), range_of("t.by_n"))]
        assert database._inspection is not None
        await database._inspection.run_once()
        assert len(found) == len(EXPECTED)
        assert set(found) == EXPECTED
        assert ordered == sorted(EXPECTED)


def copy_of(left: Path, to: Path) -> Path:
    return Path(shutil.copytree(left, to))


async def test_what_a_killed_server_left_is_whole(left: Path, tmp_path: Path) -> None:
    await check(copy_of(left, tmp_path / "data"))


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_damage_of_any_kind_is_either_harmless_or_said(
    left: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = copy_of(left, tmp_path_factory.mktemp("damaged") / "data")
    file = directory / data.draw(st.sampled_from([DATABASE, LOG]), label="file")
    content = bytearray(file.read_bytes())
    match data.draw(
        st.sampled_from(["cut", "zeroed page", "flipped bit", "removed", "emptied"]), label="how"
    ):
        case "cut":
            del content[data.draw(st.integers(0, len(content) - 1), label="at") :]
        case "zeroed page":
            page = data.draw(st.integers(0, len(content) // PAGE - 1), label="page")
            content[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
        case "flipped bit":
            at = data.draw(st.integers(0, len(content) - 1), label="at")
            content[at] ^= 1 << data.draw(st.integers(0, 7), label="bit")
        case "removed":
            file.unlink()
        case "emptied":
            content.clear()
    if file.exists():
        file.write_bytes(content)
    try:
        await check(directory)
    except (UnusableData, StorageDamaged):
        pass  # said, in the words that the examples below look at
    finally:
        shutil.rmtree(directory)


@pytest.mark.parametrize("cut", [0.0, 0.5, 0.9])
async def test_a_log_without_its_end_is_not_taken_for_an_older_state(
    left: Path, tmp_path: Path, cut: float
) -> None:
    directory = copy_of(left, tmp_path / "data")
    log = (directory / LOG).read_bytes()
    (directory / LOG).write_bytes(log[: int(len(log) * cut)])
    with pytest.raises(UnusableData, match="Its end is missing: most often the write-ahead log"):
        SqlitePersistence.open(directory)
    (directory / MARK).unlink()  # as the sentence says, for those who want to go on without
    async with opened(directory) as database:
        found = {document.value["n"] for document in await collect(database.begin(), "t")}
        assert len(found) >= 58
        assert found != EXPECTED


@pytest.mark.parametrize("how", ["removed", "emptied"])
async def test_a_database_that_is_gone_is_not_taken_for_a_new_one(
    left: Path, tmp_path: Path, how: str
) -> None:
    directory = copy_of(left, tmp_path / "data")
    (directory / LOG).unlink()
    (directory / DATABASE).unlink()
    if how == "emptied":
        (directory / DATABASE).touch()
    with pytest.raises(UnusableData, match="acknowledged in this directory"):
        SqlitePersistence.open(directory)
    assert not (directory / LOG).exists()


async def test_a_file_that_was_cut_off_says_so(left: Path, tmp_path: Path) -> None:
    directory = copy_of(left, tmp_path / "data")
    await SqlitePersistence.open(directory).close()  # moves the log into it
    content = (directory / DATABASE).read_bytes()
    (directory / DATABASE).write_bytes(content[: len(content) // 2])
    with pytest.raises(UnusableData, match=r"is damaged|cannot be opened"):
        SqlitePersistence.open(directory)


async def test_a_damaged_document_is_not_read_and_nothing_is_built_on_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as database:
        [bad, good] = await insert(database, "t", {"text": "secret 1"}, {"text": "good"})
    content = (tmp_path / DATABASE).read_bytes()
    assert content.count(b"secret 1") == 1
    (tmp_path / DATABASE).write_bytes(content.replace(b"secret 1", b"secret 2"))
    async with opened(tmp_path) as database:
        assert await insert(database, "t", {"text": "before anyone looks"})
        with pytest.raises(StorageDamaged, match=f'document "{bad}" is not what was committed') as told:
            await database.begin().get(bad)
        with pytest.raises(StorageDamaged, match="restore the last backup"):
            await insert(database, "t", {"text": "after"})
        found = await database.begin().get(good)
        assert found is not None
        assert found.value["text"] == "good"
    said = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(said) == 1
    assert "secret" not in caplog.text
    assert told.value.message.endswith("The server's log says what is wrong and what to do.")
    assert str(tmp_path) not in told.value.message
    assert bad not in told.value.message
    assert str(tmp_path) in said[0].getMessage()
    assert bad in said[0].getMessage()


async def test_the_inspection_finds_what_nobody_reads(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        ids = await insert(database, "t", *({"text": f"document {n:04}"} for n in range(300)))
    content = (tmp_path / DATABASE).read_bytes()
    (tmp_path / DATABASE).write_bytes(content.replace(b"document 0250", b"document 9250"))
    async with opened(tmp_path) as database:
        assert database._inspection is not None
        with pytest.raises(StorageDamaged, match=ids[250]):
            await database._inspection.run_once()
        with pytest.raises(StorageFailed):
            await insert(database, "t", {})


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE entry SET revision = 100000 WHERE index_id = {index}", "which is not there"),
        (
            "UPDATE entry SET ts = ts - 1 WHERE index_id = {index}",
            "in index {index} is not what was committed",
        ),
        (
            "UPDATE entry SET key = CAST(X'10' || substr(key, 2) AS BLOB) WHERE index_id = {index}",
            "in index {index} is not what was committed",
        ),
        (
            "UPDATE revision SET ts = ts + 1 WHERE CAST(json AS TEXT) LIKE '%one%'",
            "is not what was committed",
        ),
        (
            "UPDATE revision SET id = 'x' || id WHERE CAST(json AS TEXT) LIKE '%one%'",
            "is not what was committed",
        ),
    ],
)
async def test_the_inspection_compares_every_row_with_its_document(
    tmp_path: Path, statement: str, found: str
) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0, "text": "one"})
        await create_index(database, "t", "by_n", "n")
        store = database.persistence
        assert isinstance(store, SqlitePersistence)
        registry = database.registry
        table = registry.table("t")
        assert table is not None
        index = registry.index(table, "by_n")
        assert index is not None
        [document] = await collect(database.begin(), "t")
        number = document.revision.number
        store._db.execute(statement.format(index=index.index_id, number=number))
        assert database._inspection is not None
        with pytest.raises(StorageDamaged, match=found.format(index=index.index_id)):
            await database._inspection.run_once()


async def test_an_inspection_while_everything_changes_finds_nothing_wrong_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "INSPECTION_PAUSE", 2.0)
    monkeypatch.setattr(sqlite_inspection, "NEW_ENTRIES", 50)
    async with opened(tmp_path) as database:
        ids = await insert(database, "t", *({"n": float(n)} for n in range(200)))
        await create_index(database, "t", "by_n", "n")
        done = asyncio.Event()

        async def write() -> None:
            n = 0
            while not done.is_set():
                await patch(database, ids[n % 200], {"n": float(n * 7 % 1000)})
                if n % 50 == 0:
                    await database.vacuum()
                await insert(database, "t", {"n": 5000.0 + n})
                n += 1

        writing = asyncio.create_task(write())
        assert database._inspection is not None
        for _ in range(3):
            await database._inspection.run_once()
        done.set()
        await writing


@given(
    st.tuples(*[st.integers(0, 2**62)] * 3, st.binary(max_size=40), st.none() | st.integers(1, 2**62)),
    st.none() | st.binary(max_size=20),
    st.data(),
)
def test_a_checksum_tells_any_changed_bit_of_a_revision(
    row: tuple[Any, ...], raw: bytes | None, data: st.DataObject
) -> None:
    number, tablet, ts, id, previous = row
    size = data.draw(st.integers(0, 2**40))
    whole: list[Any] = [number, tablet, id, ts, previous, size, raw]
    whole.append(revision_checksum(*whole))
    check_revision(tuple(whole))
    at = data.draw(st.integers(0, 7), label="column")
    match whole[at]:
        case None:
            whole[at] = b"{}" if at == 6 else 1
        case int() as there:
            whole[at] = there ^ 1 << data.draw(st.integers(0, 62 if at != 7 else 31), label="bit")
        case bytes() as there:
            whole[at] = there[:-1] + bytes([there[-1] ^ 1]) if there else b"0"
    with pytest.raises(Damage):
        check_revision(tuple(whole))


@pytest.mark.parametrize("column", ["ts = ts + (1 << 61)", "ts = ts - (1 << 40)", "tablet = tablet + 1"])
async def test_the_newest_revision_is_looked_at_before_time_goes_on_from_it(
    tmp_path: Path, column: str
) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
    mark = (tmp_path / MARK).read_bytes()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute(f"UPDATE revision SET {column} WHERE number = (SELECT max(number) FROM revision)")
    with pytest.raises(UnusableData, match="is not what was committed"):
        SqlitePersistence.open(tmp_path)
    assert (tmp_path / MARK).read_bytes() == mark


async def test_an_entry_that_names_another_document_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        [first, second] = await insert(database, "t", {"n": 1.0}, {"n": 2.0})
        await create_index(database, "t", "by_n", "n")
    numbers = "SELECT number FROM revision WHERE id = ?"
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        changed = db.execute(
            f"UPDATE entry SET revision = ({numbers}) WHERE revision = ({numbers})", (second, first)
        )
        assert changed.rowcount == 3
    for read in (
        lambda database: database.begin().get(first),
        lambda database: collect(database.begin(), "t"),
        lambda database: collect(database.begin(), range_of("t.by_n")),
    ):
        async with opened(tmp_path) as database:
            with pytest.raises(StorageDamaged, match=r"which is not the one|name the same revision"):
                await read(database)


@pytest.mark.parametrize("index", [INDEX_TABLET, INDEX_BY_TABLET, TABLES_TABLET, TABLES_BY_NAME])
async def test_a_table_or_index_that_is_not_found_is_not_made_anew(tmp_path: Path, index: int) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        await create_index(database, "t", "by_n", "n", enable=False)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        last = "SELECT max(key) FROM entry WHERE index_id = ?"
        assert db.execute(f"DELETE FROM entry WHERE index_id = ? AND key = ({last})", (index, index)).rowcount
    with pytest.raises(StorageDamaged, match=r"not have what its table has|is not there as"):
        async with opened(tmp_path):
            pass


async def test_filling_an_index_whose_row_is_lost_ends(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        table = database.registry.table("t")
        assert table is not None
        store = database.persistence
        assert isinstance(store, SqlitePersistence)
        tx = database.begin(writable=True)
        index = tx.create_index(Index(database.new_id(), table.tablet_id, "by_n", ("n",), "backfilling"))
        await database.commit(tx)
        lost = (INDEX_TABLET, id_key(index.document_id))
        assert store._db.execute("DELETE FROM entry WHERE index_id = ? AND key = ?", lost).rowcount
        await database.wait_backfilled()
        with pytest.raises(StorageDamaged, match="is not there"):
            await insert(database, "t", {"n": 2.0})


@pytest.mark.parametrize("at_start", [True, False])
async def test_pages_that_took_each_others_place_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_start: bool
) -> None:
    """Each is whole, and what is between the two is skipped by every search."""
    async with opened(tmp_path) as database:
        await insert(database, "t", *({"text": f"document {n:04}"} for n in range(3000)))
    content = bytearray((tmp_path / DATABASE).read_bytes())
    leaves = [
        at
        for at in range(PAGE, len(content), PAGE)
        if content[at] == 10 and b"document" not in content[at : at + PAGE] and content[at + 4] > 20
    ]
    if not at_start:
        monkeypatch.setattr(sqlite_inspection, "CHECKED_BYTES", 0)
    said: tuple[type[Exception], ...] = (UnusableData,) if at_start else (UnusableData, StorageDamaged)
    missed = []
    for first, second in zip(leaves[::7], leaves[4::7], strict=False):
        swapped = bytearray(content)
        swapped[first : first + PAGE], swapped[second : second + PAGE] = (
            content[second : second + PAGE],
            content[first : first + PAGE],
        )
        (tmp_path / DATABASE).write_bytes(swapped)
        try:
            async with opened(tmp_path) as database:
                assert database._inspection is not None
                await database._inspection.run_once()
        except said:
            continue
        missed.append((first, second))
    assert not missed


async def test_a_page_in_the_place_of_another_one_gives_no_table_the_documents_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a large file is inspected: SQLite itself takes what a misplaced page leads to."""
    monkeypatch.setattr(sqlite_inspection, "CHECKED_BYTES", 0)
    owners: dict[str, str] = {}
    async with opened(tmp_path) as database:
        for table in ("a", "b"):
            ids = await insert(database, table, *({"n": float(n), "text": table * 300} for n in range(300)))
            owners.update(dict.fromkeys(ids, table))
            await create_index(database, table, "by_n", "n")
    content = (tmp_path / DATABASE).read_bytes()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        written = [id for (id,) in db.execute("SELECT id FROM revision")]
    leaves: dict[str, list[int]] = {}
    for at in range(PAGE, len(content), PAGE):
        page = content[at : at + PAGE]
        found = {owners.get(id, "") for id in written if id.encode() in page}
        if page[0] == 10 and b"text" not in page and len(found) == 1:
            leaves.setdefault(found.pop(), []).append(at)
    reads = [
        (table, range_of(f"{table}.{index}", order=order))
        for table in ("a", "b")
        for index in ("by_id", "by_creation_time", "by_n")
        for order in ("asc", "desc")
    ]
    noticed = 0
    for first, second in itertools.product(leaves["a"][::3], leaves["b"][::3]):
        swapped = bytearray(content)
        swapped[first : first + PAGE] = content[second : second + PAGE]
        swapped[second : second + PAGE] = content[first : first + PAGE]
        (tmp_path / DATABASE).write_bytes(swapped)
        try:
            async with opened(tmp_path) as database:
                for table, query in reads:
                    try:
                        documents = await collect(database.begin(), query)
                    except StorageDamaged:
                        noticed += 1
                    else:
                        assert {owners[document.id] for document in documents} <= {table}
        except UnusableData:
            noticed += 1
    assert noticed
