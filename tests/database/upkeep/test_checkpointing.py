"""A checkpoint is what the log has come to, and a node that begins with it is as any other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from database.nodes import HeldLog, joined, joined_to
from database.shared_log.logs import LOGS, Logs
from database.stores import collect, create_index, delete, insert, patch, range_of, values
from parabola.database.database import Database
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval
from parabola.database.shared_log.checkpoint import CheckpointReader, StoredDocument
from parabola.database.shared_log.errors import ReplicaLost, ReplicaTooOld
from parabola.database.shared_log.log import START
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.transaction import Transaction
from parabola.database.upkeep import checkpointing, joining
from parabola.database.upkeep.checkpointing import Checkpointing
from parabola.values.errors import OutOfRetention


@pytest.fixture(params=LOGS, ids=lambda each: each.__name__)
async def logs(request: pytest.FixtureRequest) -> AsyncIterator[Logs]:
    async with request.param() as logs:
        yield logs


async def everything(database: Database) -> object:
    """What a node has: documents of every table, and every index in its order."""
    tx = database.begin()
    found: dict[str, object] = {}
    for table in database.registry.tables():
        if table.state == "active":
            for index in database.registry.indexes(table.tablet_id):
                rows = await tx.scan(index, Interval.everything(), limit=10_000)
                found[f"{table.tablet_id} {index.index_id}"] = [(key, d.raw, d.ts) for key, d in rows]
    return found


async def test_a_node_that_begins_with_a_checkpoint_is_as_any_other(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "SAVED_DOCUMENTS", 100)
    a = await joined_to(await logs.node("a"))
    ids = await insert(a, "t", *({"n": float(n)} for n in range(1200)))
    await insert(a, "dropped", {"n": 1.0})
    await create_index(a, "t", "by_n", "n")
    for id in ids[:50]:
        await patch(a, id, {"n": -1.0})
    await delete(a, ids[-1])

    async def drop(tx: Transaction) -> None:
        table = tx.find_table("dropped")
        assert table is not None
        await tx.delete_table(table)

    await a.transact(drop, source="test")
    keeper = await logs.node("keeper")
    checkpoints = Checkpointing(keeper)
    await checkpoints.run_once()
    await checkpoints.close()
    for n in range(5):  # entries after the checkpoint
        await patch(a, ids[100 + n], {"n": -2.0})
    b = await joined_to(await logs.node("b"))
    assert b.latest_ts == a.latest_ts
    assert await everything(b) == await everything(a)
    assert await b.begin().count("t") == 1199
    with pytest.raises(OutOfRetention):
        await b.log_after(0, 10)
    await insert(b, "t", {"n": 7.5})
    await a.catch_up()
    assert await everything(b) == await everything(a)
    assert a.persistence.next_number == b.persistence.next_number  # type: ignore[attr-defined]
    await a.close()
    await b.close()


async def test_entries_before_the_checkpoint_go_and_who_has_not_read_them_begins_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checkpointing, "KEPT_ENTRIES", 2)
    server = MemoryLogServer(time.time_ns)
    a, _ = await joined(server, "a")
    b, _ = await joined(server, "b", store=SqlitePersistence.open(tmp_path / "b"))
    await b.close()
    for n in range(10):
        await insert(a, "t", {"n": float(n)})
    await checkpoint(server)
    assert server.forgotten > 5
    log = MemoryLog(server, "c")
    with pytest.raises(ReplicaTooOld):
        await log.entries_after(START, 1000)
    store = SqlitePersistence.open(tmp_path / "b")
    with pytest.raises(ReplicaTooOld):
        await joined(server, "b", store=store)
    await store.close()
    b, _ = await joined(server, "b", store=SqlitePersistence.open(tmp_path / "new"))
    assert await values(b, "t") == await values(a, "t")
    await b.close()
    await insert(a, "t", {"n": 11.0})
    b, _ = await joined(server, "b", store=SqlitePersistence.open(tmp_path / "new"))
    assert await values(b, "t") == await values(a, "t")
    await a.close()
    await b.close()


async def test_a_copy_that_was_not_finished_is_thrown_away(tmp_path: Path) -> None:
    server = MemoryLogServer(time.time_ns)
    a, _ = await joined(server, "a")
    await insert(a, "t", *({"n": float(n)} for n in range(500)))
    await checkpoint(server)

    class Broken(HeldLog):
        @asynccontextmanager
        async def open_checkpoint(self) -> AsyncIterator[CheckpointReader]:
            async with super().open_checkpoint() as reader:
                yield Breaking(reader)

    store = SqlitePersistence.open(tmp_path / "b")
    with pytest.raises(ReplicaLost, match="no more"):
        await Database.open(store, log=Broken(server, "b"))
    await store.close()
    store = SqlitePersistence.open(tmp_path / "b")
    with pytest.raises(ReplicaLost, match="not finished"):
        await joined(server, "b", store=store)
    await store.close()
    await a.close()


class Breaking:
    """Reading all documents ends in the middle."""

    def __init__(self, reader: CheckpointReader) -> None:
        self.checkpoint = reader.checkpoint
        self._reader = reader

    async def documents(
        self, tablets: Sequence[int] | None = None
    ) -> AsyncIterator[Sequence[StoredDocument]]:
        count = 0
        async for some in self._reader.documents(tablets):
            count += 1
            if tablets is None and count == 4:
                raise ReplicaLost("no more")
            yield some


async def checkpoint(server: MemoryLogServer) -> None:
    passes = Checkpointing(MemoryLog(server, "keeper"))
    await passes.run_once()
    await passes.close()


async def test_an_index_that_is_being_filled_is_whole_in_a_node_that_begins_with_a_checkpoint() -> None:
    server = MemoryLogServer(time.time_ns)
    a, _ = await joined(server, "a")
    await insert(a, "t", *({"n": float(n)} for n in range(20)))
    table = a.registry.table("t")
    assert table is not None
    index = Index(a.new_id(), table.tablet_id, "by_n", ("n", "_creationTime"), "backfilling")

    async def create(tx: Transaction) -> Index:
        return tx.create_index(index)

    row = await a.transact(create, source="test")
    await checkpoint(server)
    b, _ = await joined(server, "b")
    for database in (a, b):
        await database.wait_backfilled()

    async def enable(tx: Transaction) -> None:
        await tx.patch_system(row.document_id, {"state": "enabled"})

    await a.transact(enable, source="test")
    await b.catch_up()
    assert len(await collect(b.begin(), range_of("t.by_n"))) == 20
    await a.close()
    await b.close()


async def test_one_node_brings_it_forward_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointing, "INTERVAL_SECONDS", 0.01)
    server = MemoryLogServer(time.time_ns)
    a, _ = await joined(server, "a")
    b, _ = await joined(server, "b")
    await insert(a, "t", {"n": 1.0})
    async with asyncio.timeout(20):
        while True:
            if server.checkpoint is not None and server.checkpoint.position == server.position:
                break
            await asyncio.sleep(0.01)
    assert server.keeper is not None
    await a.close()
    await b.close()
