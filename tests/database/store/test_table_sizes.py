"""The sizes of tables are right at any moment, also after a crash, a write that failed, and an upgrade."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stores import Clock, crash_copy, opened
from parabola.database.database import Database
from parabola.database.store import table_sizes
from parabola.database.store.persistence import TableSize
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.upkeep.vacuum import Retention
from parabola.values.sizes import size_of

actions = st.lists(st.sampled_from(["insert", "patch", "delete", "vacuum", "fail", "crash"]), max_size=25)


@given(actions, st.integers(1, 6), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
async def test_sizes_are_those_of_the_documents_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str], revisions: int, seed: int
) -> None:
    directory = tmp_path_factory.mktemp("sizes")
    random, clock = Random(seed), Clock()
    model: dict[str, dict[str, Any]] = {}
    generation = 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(table_sizes, "REVISIONS", revisions)
        while actions:
            retention = Retention(indexes=10.0, documents=10.0, interval=3600.0)
            async with opened(directory / str(generation), clock=clock, retention=retention) as database:
                while actions and (action := actions.pop()) != "crash":
                    clock.advance(7)
                    await act(database, action, model, random)
                    assert size(database) == expected(model)
                generation += 1
                crash_copy(directory / str(generation - 1), directory / str(generation))
        async with opened(directory / str(generation), clock=clock) as database:
            assert size(database) == expected(model)


async def act(database: Database, action: str, model: dict[str, dict[str, Any]], random: Random) -> None:
    tx = database.begin(writable=True)
    if action == "vacuum":
        await database.vacuum()
        return
    if action == "fail":
        store = database.persistence
        assert isinstance(store, SqlitePersistence)
        await tx.insert("t", {"text": "lost"})
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store, "_append", failing)
            with contextlib.suppress(Exception):
                await database.commit(tx)
        return
    if action == "insert":
        id = await tx.insert("t", {"text": "x" * random.randrange(50)})
    elif not model:
        return
    else:
        id = random.choice(list(model))
        if action == "patch":
            await tx.patch(id, {"text": "y" * random.randrange(50)})
        else:
            await tx.delete(id)
    await database.commit(tx)
    found = await database.begin().get(id)
    model.pop(id, None)
    if found is not None:
        model[id] = found.value


def failing(commit: object) -> None:
    error = sqlite3.OperationalError("the disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def size(database: Database) -> TableSize:
    table = database.registry.table("t")
    return TableSize(0, 0) if table is None else database.persistence.size(table.tablet_id)


def expected(model: dict[str, dict[str, Any]]) -> TableSize:
    return TableSize(len(model), sum(size_of(value) for value in model.values()))


async def test_a_store_of_the_first_layout_is_brought_up_to_date(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        tx = database.begin(writable=True)
        ids = [await tx.insert("t", {"n": float(n)}) for n in range(10)]
        await database.commit(tx)
        tablet = database.registry.table("t").tablet_id  # type: ignore[union-attr]
    (tmp_path / "parabola.high-mark").unlink()
    with contextlib.closing(sqlite3.connect(tmp_path / "parabola.sqlite3")) as db:
        db.executescript(
            "ALTER TABLE revision DROP COLUMN checksum;"
            "DELETE FROM property WHERE name = 'sizes_through';"
            "UPDATE property SET value = '1' WHERE name = 'layout';"
        )
    for _ in range(2):
        async with opened(tmp_path) as database:
            assert database.persistence.size(tablet).documents == 10
            found = await database.begin().get(ids[3])
            assert found is not None
            assert found.value["n"] == 3.0
            tx = database.begin(writable=True)
            await tx.patch(ids[3], {"n": 3.0})
            await database.commit(tx)
            assert database._inspection is not None
            await database._inspection.run_once()
