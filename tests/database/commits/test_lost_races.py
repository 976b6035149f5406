"""Conflicts are told by who lost against whom, and where."""

from __future__ import annotations

import asyncio

from parabola.database.commits import lost_races
from parabola.database.commits.lost_races import LostRace, LostRaces
from parabola.database.database import Database
from parabola.database.model.errors import ConflictError
from parabola.database.store.memory import MemoryPersistence
from parabola.database.transaction import Transaction


async def test_a_transaction_that_loses_is_noted_with_the_winner() -> None:
    database = await Database.open(MemoryPersistence())
    id = await database.transact(lambda tx: tx.insert("counters", {"n": 0.0}), source="set up")
    both_have_read = asyncio.Barrier(2)
    attempts = 0

    async def count(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        document = await tx.get(id)
        assert document is not None
        if attempts <= 2:
            await both_have_read.wait()
        await tx.patch(id, {"n": document.value["n"] + 1})

    await asyncio.gather(database.transact(count, source="one"), database.transact(count, source="other"))
    (race,) = database.lost_races.newest
    assert (race.table, race.document_id) == ("counters", id)
    assert race.winner in ("one", "other")
    assert sum(database.lost_races.numbers.values()) == 1
    await database.close()


def test_only_the_newest_are_kept_one_by_one(monkeypatch) -> None:
    monkeypatch.setattr(lost_races, "_MAX_PAIRS", 2)
    races = LostRaces(lambda: 7)
    for number in range(lost_races.KEPT + 5):
        races.note(f"f{number % 3}", ConflictError("lost", table="t", document_id="d", source="w"))
    assert len(races.newest) == lost_races.KEPT
    assert races.newest[0] == LostRace(7, "f2", "w", "t", "d")
    assert sum(races.numbers.values()) == lost_races.KEPT + 5
    assert set(races.numbers) == {("f0", "t"), ("f1", "t"), ("_others", "_others")}
