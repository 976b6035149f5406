"""Transactions of services are run until they commit, and threads are waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.database.database import Database
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.transaction import Transaction
from parabola.services.threads import in_thread
from parabola.services.transactions import PATIENCE, transact
from parabola.values.errors import BadRequest


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(SqlitePersistence.open(tmp_path))
    yield database
    await database.close()


async def counter(database: Database) -> tuple[str, float]:
    tx = database.begin()
    source = {"type": "FullTableScan", "tableName": "counters", "order": "asc"}
    [row] = await tx.query({"source": source, "operators": []}).collect()
    return row.id, row.value["n"]


async def add_one(tx: Transaction, id: str) -> float:
    row = await tx.get(id)
    assert row is not None
    n: float = row.value["n"] + 1
    await tx.patch(id, {"n": n})
    return n


async def test_the_result_is_that_of_the_attempt_that_committed(database: Database) -> None:
    await transact(database, "test", lambda tx: tx.insert("counters", {"n": 0.0}))
    id, _ = await counter(database)
    attempts = 0

    async def lose_once(tx: Transaction) -> float:
        nonlocal attempts
        attempts += 1
        n = await add_one(tx, id)
        if attempts == 1:
            await transact(database, "rival", lambda tx: add_one(tx, id))
        return n

    assert await transact(database, "test", lose_once) == 2
    assert attempts == 2
    assert (await counter(database))[1] == 2


async def test_who_keeps_losing_gets_its_turn(database: Database) -> None:
    await transact(database, "test", lambda tx: tx.insert("counters", {"n": 0.0}))
    id, _ = await counter(database)
    attempts = 0
    rivals: list[asyncio.Task[float]] = []

    async def always_met_by_a_rival(tx: Transaction) -> float:
        nonlocal attempts
        attempts += 1
        n = await add_one(tx, id)
        rival = asyncio.ensure_future(transact(database, "rival", lambda tx: add_one(tx, id)))
        rivals.append(rival)
        if attempts <= PATIENCE:
            await rival
        return n

    await transact(database, "test", always_met_by_a_rival)
    await asyncio.gather(*rivals)
    assert attempts == PATIENCE + 1
    assert (await counter(database))[1] == 1 + len(rivals)


async def test_what_an_attempt_raises_ends_it_without_effect(database: Database) -> None:
    async def refuse(tx: Transaction) -> None:
        await tx.insert("counters", {"n": 0.0})
        raise BadRequest("no")

    with pytest.raises(BadRequest, match="no"):
        await transact(database, "test", refuse)
    assert database.registry.table("counters") is None


async def test_a_thread_is_waited_for_even_by_who_is_cancelled() -> None:
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go_on.wait()
        ended.set()

    task = asyncio.ensure_future(in_thread(work))
    await asyncio.to_thread(started.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_what_happens_in_a_thread_is_answered_or_raised() -> None:
    assert await in_thread(max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)
