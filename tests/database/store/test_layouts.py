"""A file of the version before is read as it was, and gone on with; so is one that was closed meanwhile."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.store.layout_2 import store_as_layout_2
from database.stored_model import INDEX, TABLET, Model, check_reads, commits
from parabola.database.model.errors import StorageDamaged
from parabola.database.model.indexes import id_key
from parabola.database.store.persistence import Commit
from parabola.database.store.revision_reader import RevisionReader
from parabola.database.store.sqlite import FILE_NAME, SqlitePersistence


def key_of(tablet: int, index: int, raw: bytes) -> bytes | None:
    return None


async def reopened(store: SqlitePersistence, directory: Path) -> SqlitePersistence:
    await store.inspect(key_of)
    await store.close()
    return SqlitePersistence.open(directory)


@given(commits, commits, st.integers(0, 170), st.integers(0, 170), st.data())
@settings(max_examples=15)
async def test_what_the_version_before_has_written_is_read_and_gone_on_with(
    earlier: list[dict[str, Any]],
    later: list[dict[str, Any]],
    entries_before: int,
    documents_before: int,
    data: st.DataObject,
) -> None:
    documents_before = min(documents_before, entries_before)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        await SqlitePersistence.open(directory).close()
        model = Model()
        old: list[Commit] = list(filter(None, map(model.commit, earlier)))
        store_as_layout_2(directory / FILE_NAME, old)
        reader = RevisionReader(directory / FILE_NAME)
        assert sorted(reader.rows(TABLET)) == sorted(raw.encode() for _, raw in model.at(model.ts).values())
        reader.close()
        store = SqlitePersistence.open(directory)
        await check_reads(store, model, 0, 0)
        closed_at = data.draw(st.integers(0, len(later)))
        for at, change in enumerate(later):
            commit = model.commit(change)
            if commit is not None:
                store.append(commit)
            if at == closed_at:
                store = await reopened(store, directory)
        await check_reads(store, model, 0, 0)
        store = await reopened(store, directory)
        reader = RevisionReader(directory / FILE_NAME)
        assert sorted(reader.rows(TABLET)) == sorted(raw.encode() for _, raw in model.at(model.ts).values())
        reader.close()
        while await store.vacuum(
            entries_before=entries_before,
            documents_before=documents_before,
            live_indexes=frozenset((TABLET, INDEX)),
            limit=3,
        ):
            pass
        await check_reads(store, model, entries_before, documents_before)
        store = await reopened(store, directory)
        await check_reads(store, model, entries_before, documents_before)
        await store.inspect(key_of)
        await store.close()


@given(commits, commits, st.integers(0, 8))
@settings(max_examples=30)
async def test_an_index_that_is_filled_while_documents_change_leads_to_them(
    earlier: list[dict[str, Any]], later: list[dict[str, Any]], filled_at: int
) -> None:
    """Whether they were there before, and changed before or after that."""
    with tempfile.TemporaryDirectory() as directory:
        store = SqlitePersistence.open(directory)
        model = Model()
        filled_ts = 0
        for at, change in enumerate([*earlier, *later]):
            commit = model.commit(change)
            if commit is None:
                continue
            if at < len(earlier):  # the index is not there yet
                commit = Commit(
                    commit.ts,
                    tuple(write._replace(entries=write.entries[:1]) for write in commit.writes),
                )
            store.append(commit)
            if at == len(earlier) + filled_at:
                break
        for id, revision in model.newest.items():
            store.add_entries(INDEX, [(model.keys[id], revision)])
        filled_ts = model.ts
        for change in later:
            commit = model.commit(change)
            if commit is not None:
                store.append(commit)
        await check_reads(store, model, filled_ts, 0)
        await store.inspect(key_of)
        await store.close()


async def test_a_change_that_leaves_the_keys_touches_no_index(tmp_path: Path) -> None:
    store = SqlitePersistence.open(tmp_path)
    model = Model()
    for n in range(10):
        commit = model.commit({"a": (b"\x01", f"a{n}")})
        assert commit is not None
        store.append(commit)
    before = store._db.total_changes
    commit = model.commit({"a": (b"\x01", "last")})
    assert commit is not None
    store.append(commit)
    assert store._db.total_changes - before == 3  # the revision, the newest one, what it was before
    counts = [
        store._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("entry", "newest", "superseded", "removed_entry")
    ]
    assert counts == [2, 1, 11 - 1, 0]
    commit = model.commit({"a": None})
    assert commit is not None
    store.append(commit)
    assert store._db.execute("SELECT count(*) FROM newest").fetchone() == (0,)
    await check_reads(store, model, 0, 0)
    await store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM newest",
        "UPDATE newest SET revision = revision - 1",
        "UPDATE newest SET revision = 100000",
        "UPDATE newest SET ts = ts - 1",
        "UPDATE newest SET size = size + 1",
        "UPDATE newest SET document = document + 1",
        "UPDATE entry SET ts = ts + 1000",
    ],
)
async def test_the_inspection_finds_a_document_that_is_not_the_newest(tmp_path: Path, damage: str) -> None:
    store = SqlitePersistence.open(tmp_path)
    model = Model()
    for n in range(3):
        commit = model.commit({"a": (b"\x01", "x" * n)})
        assert commit is not None
        store.append(commit)
    await store.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        assert db.execute(damage).rowcount
    store = SqlitePersistence.open(tmp_path)
    with pytest.raises(StorageDamaged):
        await store.inspect(lambda tablet, index, raw: b"\x01" + id_key("a"))
    await store.close()
