"""What a transaction that searches knows of its own writes."""

from __future__ import annotations

from typing import Any

from database.searching import WORDS, create_indexes, words
from database.stores import collect
from parabola.database.database import Database
from parabola.database.derived.pending_entries import PendingEntries
from parabola.database.store.memory import MemoryPersistence


async def test_each_write_is_looked_at_once_and_again_when_it_has_changed_or_was_undone() -> None:
    database = await Database.open(MemoryPersistence())
    await create_indexes(database)
    tx = database.begin(writable=True)
    table = tx.find_table("t")
    assert table is not None
    index = database.registry.index(table, WORDS)
    assert index is not None
    looked_at: list[str] = []

    def entry_of(value: Any) -> str:
        looked_at.append(value["text"])
        return str(value["text"])

    entries = PendingEntries()

    async def pending() -> list[Any]:
        found = await entries.of(index.index_id, entry_of, tx.overlay.writes(table.tablet_id))
        return sorted(map(str, found.values()))

    one = await tx.insert("t", {"text": "one"})
    two = await tx.insert("t", {"text": "two"})
    assert await pending() == await pending() == ["one", "two"]
    assert looked_at == ["one", "two"]
    savepoint = tx.savepoint()
    await tx.patch(one, {"text": "three"})
    await tx.delete(two)
    assert await pending() == ["None", "three"]
    tx.rollback_to(savepoint)
    assert await pending() == ["one", "two"]
    assert looked_at == ["one", "two", "three", "one"]
    await database.close()


async def test_own_writes_are_found_by_every_search_after_them() -> None:
    database = await Database.open(MemoryPersistence())
    await create_indexes(database)
    tx = database.begin(writable=True)
    for number in range(20):
        await tx.insert("t", {"text": f"word{number}"})
        assert len(await collect(tx, words("word"))) == number + 1
    await database.close()
