"""`Database.transact` runs a transaction until it commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.database.commits.turns import TURNS_BEFORE_LANE
from parabola.database.database import Database
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.transaction import Transaction
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
    await database.transact(lambda tx: tx.insert("counters", {"n": 0.0}), source="test")
    id, _ = await counter(database)
    attempts = 0

    async def lose_once(tx: Transaction) -> float:
        nonlocal attempts
        attempts += 1
        n = await add_one(tx, id)
        if attempts == 1:
            await database.transact(lambda tx: add_one(tx, id), source="rival")
        return n

    assert await database.transact(lose_once, source="test") == 2
    assert attempts == 2
    assert (await counter(database))[1] == 2


async def test_who_keeps_losing_gets_its_turn(database: Database) -> None:
    await database.transact(lambda tx: tx.insert("counters", {"n": 0.0}), source="test")
    id, _ = await counter(database)
    attempts = 0
    rivals: list[asyncio.Task[float]] = []

    async def always_met_by_a_rival(tx: Transaction) -> float:
        nonlocal attempts
        attempts += 1
        n = await add_one(tx, id)
        rival = asyncio.ensure_future(database.transact(lambda tx: add_one(tx, id), source="rival"))
        rivals.append(rival)
        if attempts <= TURNS_BEFORE_LANE + 1:
            await rival
        return n

    await database.transact(always_met_by_a_rival, source="test")
    await asyncio.gather(*rivals)
    assert attempts == TURNS_BEFORE_LANE + 2
    assert (await counter(database))[1] == 1 + len(rivals)


async def test_what_an_attempt_raises_ends_it_without_effect(database: Database) -> None:
    async def refuse(tx: Transaction) -> None:
        await tx.insert("counters", {"n": 0.0})
        raise BadRequest("no")

    with pytest.raises(BadRequest, match="no"):
        await database.transact(refuse, source="test")
    assert database.registry.table("counters") is None
