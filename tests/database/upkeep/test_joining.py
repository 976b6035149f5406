"""How a store comes to be a copy of a shared log."""

from __future__ import annotations

import asyncio
import time

import pytest

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.errors import ReplicaForked
from parabola.database.shared_log.log import START, Position
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from parabola.database.shared_log.replica import Replica
from parabola.database.store.memory import MemoryPersistence
from parabola.database.upkeep.bootstrap import first_commit, load_registry
from parabola.database.upkeep.joining import check_place, join


async def test_of_nodes_that_come_first_together_one_begins_the_log() -> None:
    server = MemoryLogServer(time.time_ns)
    stores = [MemoryPersistence() for _ in range(4)]
    replicas = [Replica(store) for store in stores]
    await asyncio.gather(
        *(
            join(MemoryLog(server, f"n{at}"), replica, first_commit(1000 + at))
            for at, replica in enumerate(replicas)
        )
    )
    assert len(server.entries) == 1
    tables = []
    for store, replica in zip(stores, replicas, strict=True):
        assert replica.position == server.position
        registry = await load_registry(store, store.newest_ts)
        tables.append([(table.tablet_id, table.document_id) for table in registry.tables()])
    assert all(each == tables[0] for each in tables)


async def test_a_store_that_has_no_place_in_any_log_is_refused() -> None:
    store = MemoryPersistence()
    store.append(first_commit(5))
    replica = Replica(store)
    await replica.load()
    assert replica.position == START
    with pytest.raises(UnusableData, match="single server"):
        await check_place(MemoryLog(MemoryLogServer(time.time_ns), "a"), replica)


async def test_a_store_whose_place_another_log_does_not_have_is_refused() -> None:
    log = MemoryLog(MemoryLogServer(time.time_ns), "a")
    replica = Replica(MemoryPersistence())
    await join(log, replica, first_commit(5))
    await check_place(log, replica)
    replica.position = Position(1, b"x" * 16)
    with pytest.raises(ReplicaForked):
        await check_place(log, replica)
