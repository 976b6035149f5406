"""New indexes are filled while writes go on, and are complete whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stores import collect, crash_copy, fill, insert, make_room, opened, range_of, values
from parabola.database.database import Database
from parabola.database.model.errors import ConflictError
from parabola.database.model.indexes import Index
from parabola.database.upkeep import backfill


async def begin_index(database: Database, table: str, name: str, *fields: str, staged: bool = False) -> Index:
    tx = database.begin(writable=True)
    found = tx.find_table(table)
    assert found is not None
    index = tx.create_index(
        Index(database.new_id(), found.tablet_id, name, (*fields, "_creationTime"), "backfilling", staged)
    )
    await database.commit(tx)
    return index


def state_of(database: Database, index: Index) -> str | None:
    return next(
        (i.state for i in database.registry.indexes(index.tablet_id) if i.index_id == index.index_id), None
    )


async def enable(database: Database, index: Index) -> None:
    tx = database.begin(writable=True)
    await tx.patch_system(index.document_id, {"state": "enabled", "staged": False})
    await database.commit(tx)


@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 7))
@settings(max_examples=30)
async def test_an_index_filled_under_writes_holds_every_document_once(
    seed: int, documents: int, chunk: int
) -> None:
    random = Random(seed)
    before = backfill.CHUNK
    backfill.CHUNK = chunk  # type: ignore[misc]
    try:
        with tempfile.TemporaryDirectory() as directory:
            async with opened(Path(directory)) as database:
                ids = await insert(
                    database, "t", *({"n": float(random.randrange(5))} for _ in range(documents)), {}
                )
                index = await begin_index(database, "t", "by_n", "n")

                async def write() -> None:
                    for _ in range(15):
                        tx = database.begin(writable=True)
                        chosen = random.choice(ids)
                        document = await tx.get(chosen)
                        action = random.randrange(3)
                        if action == 0 or document is None:
                            ids.append(await tx.insert("t", {"n": float(random.randrange(5))}))
                        elif action == 1:
                            await tx.patch(chosen, {"n": float(random.randrange(5))})
                        else:
                            await tx.delete(chosen)
                        try:
                            await database.commit(tx)
                        except ConflictError:
                            pass

                await asyncio.gather(write(), write())
                await database.wait_backfilled()
                assert state_of(database, index) == "backfilled"
                await enable(database, index)
                tx = database.begin()
                by_index = await collect(tx, range_of("t.by_n"))
                assert sorted(d.id for d in by_index) == sorted(d.id for d in await collect(tx, "t"))
                keys = [index.key(d.value) for d in by_index]
                assert keys == sorted(keys)
                assert len(by_index) == await tx.count("t")
    finally:
        backfill.CHUNK = before  # type: ignore[misc]


async def test_several_indexes_of_a_table_are_filled_in_one_pass(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", *({"a": float(n), "b": float(-n)} for n in range(10)))
        tx = database.begin(writable=True)
        table = tx.find_table("t")
        assert table is not None
        indexes = [
            tx.create_index(Index(database.new_id(), table.tablet_id, f"by_{f}", (f,), "backfilling"))
            for f in "ab"
        ]
        await database.commit(tx)
        await database.wait_backfilled()
        for index in indexes:
            await enable(database, index)
        assert [d["a"] for d in await values(database, range_of("t.by_a"))] == [float(n) for n in range(10)]
        assert [d["a"] for d in await values(database, range_of("t.by_b"))] == [
            float(9 - n) for n in range(10)
        ]


async def test_an_interrupted_fill_goes_on_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "CHUNK", 2)
    async with opened(tmp_path / "data") as database:
        await insert(database, "t", *({"n": float(n)} for n in range(20)))
        index = await begin_index(database, "t", "by_n", "n")
        for _ in range(10):
            await asyncio.sleep(0)
        assert state_of(database, index) == "backfilling"
        crash_copy(tmp_path / "data", tmp_path / "copy")
    async with opened(tmp_path / "copy") as database:
        await database.wait_backfilled()
        assert state_of(database, index) == "backfilled"
        await enable(database, index)
        assert len(await values(database, range_of("t.by_n"))) == 20


async def test_a_dropped_index_is_not_filled_any_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "CHUNK", 1)
    async with opened(tmp_path) as database:
        await insert(database, "t", *({"n": float(n)} for n in range(50)))
        index = await begin_index(database, "t", "by_n", "n")
        tx = database.begin(writable=True)
        await tx.delete_system(index.document_id)
        await database.commit(tx)
        await database.wait_backfilled()
        assert state_of(database, index) is None


async def test_a_full_disk_only_delays_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(backfill, "CHUNK", 1)
    async with opened(tmp_path) as database:
        await insert(database, "t", *({"n": "x" * 500 + str(n)} for n in range(150)))
        index = await begin_index(database, "t", "by_n", "n")
        fill(database)
        for _ in range(50):
            await asyncio.sleep(0)
        assert state_of(database, index) == "backfilling"
        make_room(database)
        await database.wait_backfilled()
        await enable(database, index)
        assert len(await values(database, range_of("t.by_n"))) == 150


async def test_entries_lost_with_a_failed_write_of_others_are_added_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "CHUNK", 10)
    async with opened(tmp_path) as database:
        await insert(database, "t", *({"n": float(n)} for n in range(30)))
        store = database.persistence
        flush, add_entries, losses = store.flush, store.add_entries, 2
        added = False

        def noted(*arguments: Any) -> None:
            nonlocal added
            add_entries(*arguments)
            added = True

        async def losing() -> None:
            nonlocal losses, added
            if added and losses:
                losses -= 1
                store._roll_back(OSError("as if another write had failed"))  # type: ignore[attr-defined]
            added = False
            await flush()

        store.add_entries, store.flush = noted, losing  # type: ignore[method-assign]
        index = await begin_index(database, "t", "by_n", "n")
        await database.wait_backfilled()
        assert losses == 0
        await enable(database, index)
        assert len(await values(database, range_of("t.by_n"))) == 30


async def test_a_staged_index_is_filled_and_stays_staged(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        index = await begin_index(database, "t", "by_n", "n", staged=True)
        await database.wait_backfilled()
        found = database.registry.indexes(index.tablet_id)[-1]
        assert (found.state, found.staged) == ("backfilled", True)
