"""Databases on one shared log: what one node commits all have, and what it may not commit is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from database.nodes import HeldLog, joined, shared
from database.stores import QUIET, collect, create_index, insert, patch, range_of, validated, values
from parabola.database.commits import committer, shared_durability
from parabola.database.commits.write_set import WriteSet
from parabola.database.database import Database
from parabola.database.model.errors import ConflictError, StorageFull, UnusableData
from parabola.database.shared_log.errors import ReplicaForked, ReplicaLost
from parabola.database.shared_log.log import Appended
from parabola.database.shared_log.memory_log import MemoryLogServer
from parabola.database.store.memory import MemoryPersistence
from parabola.database.store.persistence import Commit
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.transaction import Transaction


async def n_of(database: Database, id: str) -> float:
    document = await database.begin().get(id)
    assert document is not None
    n: float = document.value["n"]
    return n


def adding(id: str, amount: float = 1.0) -> Callable[[Transaction], Awaitable[None]]:
    async def add(tx: Transaction) -> None:
        document = await tx.get(id)
        assert document is not None
        await asyncio.sleep(0)
        await tx.patch(id, {"n": document.value["n"] + amount})

    return add


async def test_what_one_node_commits_all_nodes_read() -> None:
    async with shared("a", "b") as [(a, _), (b, _)]:
        [id] = await insert(a, "t", {"n": 1.0})
        await b.catch_up()
        await patch(b, id, {"n": 2.0})
        await insert(b, "t", {"n": 5.0})
        await a.catch_up()
        for database in (a, b):
            assert await values(database, "t") == [{"n": 2.0}, {"n": 5.0}]
            assert await database.begin().count("t") == 2
        assert a.latest_ts == b.latest_ts == a.durable_ts
        assert a.registry.table("t") == b.registry.table("t")


async def test_nodes_that_change_one_document_lose_no_change() -> None:
    async with shared("a", "b", "c") as nodes:
        [id] = await insert(nodes[0][0], "t", {"n": 0.0})
        for database, _ in nodes:
            await database.catch_up()
        await asyncio.gather(
            *(database.transact(adding(id), source="add") for database, _ in nodes for _ in range(20))
        )
        for database, _ in nodes:
            await database.catch_up()
            assert await n_of(database, id) == 60.0


async def test_a_commit_that_came_too_late_is_stored_again_where_nobody_touched_what_it_read() -> None:
    async with shared("a", "b") as [(a, a_log), (b, _)]:
        mine, others = await insert(a, "t", {"n": 0.0}, {"n": 0.0})
        await b.catch_up()
        published: list[int] = []
        a.on_commit(lambda writes, ts: published.append(ts))
        heard: list[int] = []
        a_log.hold()
        tx = a.begin(writable=True)
        await adding(mine)(tx)
        committing = asyncio.create_task(a.commit(tx, on_validated=heard.append))
        await a_log.appending.wait()
        theirs = await patch(b, others, {"n": 9.0})
        a_log.let_go()
        ts = await committing
        assert len(heard) == 2  # a timestamp is of one position
        assert heard[-1] == ts == published[1] > published[0] == theirs
        await b.catch_up()
        for database in (a, b):
            assert (await n_of(database, mine), await n_of(database, others)) == (1.0, 9.0)


async def test_a_commit_that_came_too_late_fails_where_somebody_changed_what_it_read() -> None:
    async with shared("a", "b") as [(a, a_log), (b, _)]:
        [id] = await insert(a, "t", {"n": 0.0})
        await b.catch_up()
        a_log.hold()
        tx = a.begin(writable=True)
        await adding(id)(tx)
        await tx.insert("fresh", {})
        committing = await validated(a, tx)
        await a_log.appending.wait()
        assert a.registry.table("fresh") is not None
        assert await a.begin(writable=True).count("fresh") == 1
        await b.transact(adding(id, 10.0), source="elsewhere")
        a_log.let_go()
        with pytest.raises(ConflictError) as lost:
            await committing
        assert (lost.value.table, lost.value.document_id, lost.value.source) == ("t", id, "elsewhere")
        assert await n_of(a, id) == 10.0
        assert a.registry.table("fresh") is None
        assert await a.begin(writable=True).count("fresh") == 0
        assert a.latest_ts == a.durable_ts == b.durable_ts


async def test_an_execution_that_read_what_is_no_more_runs_again_and_others_do_not() -> None:
    async with shared("a", "b") as [(a, a_log), (b, _)]:
        mine, theirs, other = await insert(a, "t", {"n": 0.0}, {"n": 0.0}, {"n": 0.0})
        await b.catch_up()
        a_log.hold()
        tx = a.begin(writable=True)
        await adding(mine)(tx)
        await tx.get(theirs)
        committing = await validated(a, tx)
        await a_log.appending.wait()
        readers = [a.begin(writable=True) for _ in range(4)]
        for reader in readers[:2]:
            document = await reader.get(mine)
            assert document is not None
            assert document.value["n"] == 1.0
        for reader in readers[2:]:
            await reader.get(other)
        for writer in readers[1::2]:
            await writer.insert("t", {"n": 5.0})
        await patch(b, theirs, {"n": 9.0})
        a_log.let_go()
        with pytest.raises(ConflictError):
            await committing
        for reader in readers[:2]:
            with pytest.raises(ConflictError, match="could not be stored"):
                await a.commit(reader)
        for reader in readers[2:]:
            await a.commit(reader)
        assert len(await values(a, "t")) == 4


async def test_what_an_execution_saw_is_told_only_if_it_is_so() -> None:
    async with shared("a", "b") as [(a, a_log), (b, _)]:
        mine, theirs = await insert(a, "t", {"n": 0.0}, {"n": 0.0})
        await b.catch_up()
        a_log.hold()
        tx = a.begin(writable=True)
        await adding(mine)(tx)
        await tx.get(theirs)
        committing = await validated(a, tx)
        await a_log.appending.wait()
        saw, did_not = a.begin(writable=True), a.begin(writable=True)
        await saw.get(mine)
        await did_not.count("nothing")
        waiting = [asyncio.create_task(a.confirm_reads(tx)) for tx in (saw, did_not)]
        await patch(b, theirs, {"n": 9.0})
        a_log.let_go()
        outcomes = await asyncio.gather(committing, *waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ConflictError, ConflictError, int]
        assert outcomes[2] <= a.durable_ts  # type: ignore[operator]


async def test_queries_see_nothing_that_the_log_does_not_have() -> None:
    async with shared("a", "b") as [(a, a_log), (b, _)]:
        [id] = await insert(a, "t", {"n": 0.0})
        await create_index(a, "t", "by_n", "n")
        await b.catch_up()
        a_log.hold()
        tx = a.begin(writable=True)
        await tx.patch(id, {"n": 1.0})
        await tx.insert("t", {"n": 0.5})
        committing = await validated(a, tx)
        assert await values(a, "t") == [{"n": 0.0}]
        assert await values(a, range_of("t.by_n")) == [{"n": 0.0}]
        mutation = a.begin(writable=True)
        assert [d.value["n"] for d in await collect(mutation, range_of("t.by_n"))] == [0.5, 1.0]
        assert [d.value["n"] for d in await collect(mutation, range_of("t.by_n", order="desc"))] == [1.0, 0.5]
        a_log.let_go()
        await committing
        assert await values(a, range_of("t.by_n")) == [{"n": 0.5}, {"n": 1.0}]


async def test_what_gathers_meanwhile_is_one_entry() -> None:
    async with shared("a") as [(a, log)]:
        await insert(a, "t", {"n": 0.0})
        before = log._server.position.seq
        log.hold()
        first = asyncio.create_task(insert(a, "t", {"n": 1.0}))
        await log.appending.wait()
        others = [asyncio.create_task(insert(a, "t", {"n": 2.0})) for _ in range(20)]
        for _ in range(10):
            await asyncio.sleep(0)
        log.let_go()
        await asyncio.gather(first, *others)
        assert log._server.position.seq == before + 2


async def test_subscriptions_and_listeners_hear_of_the_commits_of_others() -> None:
    async with shared("a", "b") as [(a, _), (b, _)]:
        [id] = await insert(a, "t", {"n": 0.0})
        await b.catch_up()
        query = b.begin()
        await query.get(id)
        hit: list[int] = []
        b.subscriptions.subscribe(query.read_set, query.begin_ts, hit.append)
        published: list[WriteSet] = []
        b.on_commit(lambda writes, ts: published.append(writes))
        await insert(a, "other", {})
        await b.catch_up()
        assert hit == []
        ts = await patch(a, id, {"n": 1.0}, source="tasks:finish")
        await b.catch_up()
        assert hit == [ts]
        assert published[-1].source == "tasks:finish"
        assert [(c.table.name, c.id, c.new and c.new.value["n"]) for c in published[-1].changes] == [
            ("t", id, 1.0)
        ]


async def test_listeners_are_told_what_rows_of_system_tables_were() -> None:
    async with shared("a", "b") as [(a, _), (b, _)]:
        tx = a.begin(writable=True)
        id = await tx.insert_system("_environment_variables", {"name": "X", "value": "1"})
        await a.commit(tx)
        published: list[WriteSet] = []
        b.on_commit(lambda writes, ts: published.append(writes))
        tx = a.begin(writable=True)
        await tx.patch_system(id, {"value": "2"})
        await tx.patch_system(id, {"value": "3"})
        await a.commit(tx)
        await b.catch_up()
        [change] = published[-1].changes
        assert change.old is not None
        assert change.new is not None
        assert (change.old.value["value"], change.new.value["value"]) == ("1", "3")


async def test_an_index_is_filled_on_each_node_before_any_of_them_uses_it() -> None:
    async with shared("a", "b") as [(a, _), (b, _)]:
        await insert(a, "t", *({"n": float(n % 7)} for n in range(500)))
        await create_index(a, "t", "by_n", "n")
        await b.catch_up()
        for database in (a, b):
            found = [document["n"] for document in await values(database, range_of("t.by_n"))]
            assert found == sorted(float(n % 7) for n in range(500))
        late, _ = await joined(a_server(a), "late")
        assert [d["n"] for d in await values(late, range_of("t.by_n"))] == found
        await late.close()


def a_server(database: Database) -> MemoryLogServer:
    server: MemoryLogServer = database._shared._shared_log._server  # type: ignore[union-attr]
    return server


async def test_no_two_nodes_give_a_table_or_an_index_the_same_number() -> None:
    async with shared("a", "b") as [(a, _), (b, _)]:
        numbers = [database.new_id() for database in (a, b) for _ in range(100)]
        assert len(set(numbers)) == 200
        known = a.live_indexes()
        assert max(known) < min(numbers)


async def test_a_large_commit_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "PART", 2)
    monkeypatch.setattr("parabola.database.shared_log.replica.PART", 3)
    async with shared("a", "b") as [(a, _), (b, _)]:
        await insert(a, "t", {"n": -1.0})
        await b.catch_up()
        tx = a.begin(writable=True)
        for n in range(20):
            await tx.insert("t", {"n": float(n)})
        committing = asyncio.create_task(a.commit(tx))
        seen: set[int] = set()
        others: list[asyncio.Task[str]] = []

        async def one(tx: Transaction) -> str:
            return await tx.insert("other", {})

        while not committing.done():
            for database in (a, b):
                for reader in (database.begin(), database.begin(writable=True)):
                    seen.add(len(await collect(reader, "t")))
            if len(others) < 5:
                others.append(asyncio.create_task(b.transact(one, source="one")))
            await asyncio.sleep(0)
        await asyncio.gather(*others)
        await b.catch_up()
        await a.catch_up()
        assert seen <= {1, 21}
        for database in (a, b):
            assert len(await values(database, "t")) == 21
            assert len(await values(database, "other")) == 5


async def test_who_keeps_losing_against_other_nodes_gets_the_lane() -> None:
    async with shared("a", "b") as [(a, _), (b, _)]:
        [id] = await insert(a, "t", {"n": 0.0})
        await b.catch_up()
        order: list[str] = []

        async def other() -> None:
            await b.transact(adding(id, 10.0), source="other")
            order.append("other")

        async with a.commit_lane():
            waiting = asyncio.create_task(other())
            tx = a.begin(writable=True)
            document = await tx.get(id)
            assert document is not None
            for _ in range(50):
                await asyncio.sleep(0)
            await tx.patch(id, {"n": document.value["n"] + 1.0})
            await a.commit(tx)
            order.append("lane")
        await waiting
        await a.catch_up()
        assert order == ["lane", "other"]
        assert await n_of(a, id) == 11.0


class SlowLog(HeldLog):
    """Before each append of this node another one's entry comes in, unless this one has the lane."""

    rival: Database
    appends = 0

    async def append(self, *arguments: Any) -> Appended:
        self.appends += 1
        assert self.appends < 100, "the node is starved"
        if self._server.lane != self.node:
            await insert(self.rival, "t", {"n": -1.0})
        return await super().append(*arguments)


async def test_a_node_that_is_slow_is_not_starved_by_one_that_appends_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_durability, "STARVED_SECONDS", 0.0)
    async with shared("a") as [(rival, _)]:
        server = rival.shared_log._server  # type: ignore[union-attr]
        [id] = await insert(rival, "t", {"n": 0.0})
        log = SlowLog(server, "slow")
        log.rival = rival
        slow = await Database.open(MemoryPersistence(), log=log, retention=QUIET)
        await slow.transact(adding(id), source="add")
        assert server.lane is None, "the others go on at once"
        await patch(rival, id, {"n": 7.0})
        await slow.catch_up()
        assert await n_of(slow, id) == 7.0
        await slow.close()


async def test_the_lane_of_who_is_late_is_not_left_where_a_transaction_has_it() -> None:
    async with shared("a") as [(a, log)]:
        durability = a._shared
        assert durability is not None
        async with a.commit_lane():
            durability._has_right_of_way = True
            await durability._yield_way()
            assert log._server.lane == "a"
        assert log._server.lane is None


# What a node keeps


async def test_a_node_goes_on_from_its_file(tmp_path: Path) -> None:
    server = MemoryLogServer(time.time_ns)
    a, _ = await joined(server, "a")
    b, _ = await joined(server, "b", store=SqlitePersistence.open(tmp_path))
    await insert(a, "t", {"n": 1.0})
    await b.catch_up()
    await b.close()
    await insert(a, "t", {"n": 2.0})
    [id] = await insert(a, "t", {"n": 3.0})
    await patch(a, id, {"n": 4.0})
    b, _ = await joined(server, "b", store=SqlitePersistence.open(tmp_path))
    assert await values(b, "t") == [{"n": 1.0}, {"n": 2.0}, {"n": 4.0}]
    await insert(b, "t", {"n": 5.0})
    await a.catch_up()
    assert await values(a, "t") == await values(b, "t")
    await a.close()
    await b.close()


async def test_a_file_has_nothing_that_the_log_has_not(tmp_path: Path) -> None:
    server = MemoryLogServer(time.time_ns)
    a, log = await joined(server, "a", store=SqlitePersistence.open(tmp_path))
    await insert(a, "t", {"n": 1.0})
    log.hold()
    tx = a.begin(writable=True)
    await tx.insert("t", {"n": 2.0})
    committing = await validated(a, tx)
    await log.appending.wait()
    await a.persistence.flush()
    store = a.confirmed
    assert store.newest_ts == a.durable_ts < a.latest_ts
    table = a.registry.table("t")
    assert table is not None
    assert store.size(table.tablet_id).documents == 1
    log.let_go()
    await committing
    assert store.size(table.tablet_id).documents == 2
    await a.close()


async def test_a_file_of_a_single_server_is_no_copy_of_a_log(tmp_path: Path) -> None:
    single = await Database.open(SqlitePersistence.open(tmp_path))
    await single.close()
    store = SqlitePersistence.open(tmp_path)
    with pytest.raises(UnusableData, match="another --data directory"):
        await joined(MemoryLogServer(time.time_ns), "a", store=store)
    await store.close()


async def test_a_node_with_an_entry_that_was_lost_serves_nothing_and_begins_anew(tmp_path: Path) -> None:
    server = MemoryLogServer(time.time_ns)
    a, _ = await joined(server, "a", store=SqlitePersistence.open(tmp_path / "a"))
    b, _ = await joined(server, "b")
    await insert(a, "t", {"n": 1.0})
    await b.catch_up()
    await b.close()
    await insert(a, "t", {"n": 2.0})
    await a.catch_up()
    server.lose(1)
    with pytest.raises(ReplicaForked):
        await insert(a, "t", {"n": 3.0})
    assert isinstance(a.fault, ReplicaForked)
    with pytest.raises(ReplicaForked):
        a.begin()
    with pytest.raises(ReplicaForked):
        await a.catch_up()
    await a.close()
    store = SqlitePersistence.open(tmp_path / "a")
    with pytest.raises(ReplicaForked):
        await joined(server, "a", store=store)
    await store.close()
    a, _ = await joined(server, "a", store=SqlitePersistence.open(tmp_path / "new"))
    await insert(a, "t", {"n": 4.0})
    assert await values(a, "t") == [{"n": 1.0}, {"n": 4.0}]
    await a.close()


async def test_a_node_whose_disk_takes_nothing_serves_nothing() -> None:
    class FullStore(MemoryPersistence):
        is_full = False

        def append(self, commit: Commit) -> None:
            if self.is_full:
                raise StorageFull("No room for the write.")
            super().append(commit)

    server = MemoryLogServer(time.time_ns)
    store = FullStore()
    a, _ = await joined(server, "a", store=store)
    b, _ = await joined(server, "b")
    await insert(b, "t", {"n": 1.0})
    await a.catch_up()
    store.is_full = True
    with pytest.raises(ReplicaLost, match="start the node again"):
        await insert(a, "t", {"n": 2.0})
    with pytest.raises(ReplicaLost):
        a.begin()
    await b.catch_up()
    # In the log it is all the same: nobody was told that it is not.
    assert await values(b, "t") == [{"n": 1.0}, {"n": 2.0}]
    await a.close()
    await b.close()


# A log that does not answer


async def test_an_entry_of_which_nobody_knows_is_sent_again_and_is_there_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parabola.database.shared_log.appending.RETRY_SECONDS", 0)
    async with shared("a", "b") as [(a, a_log), (b, _)]:
        [id] = await insert(a, "t", {"n": 0.0})
        for lost, unanswered, late in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
            network = a_log._network
            network.lost, network.unanswered, network.late = lost, unanswered, late
            adding_one = asyncio.create_task(a.transact(adding(id), source="add"))
            for _ in range(30):
                await asyncio.sleep(0)
            assert adding_one.done() is (not lost)
            network.lost = network.unanswered = network.late = 0.0
            await adding_one
        await b.catch_up()
        assert await n_of(b, id) == 3.0


async def test_while_the_log_does_not_answer_writes_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parabola.database.shared_log.appending.RETRY_SECONDS", 0)
    async with shared("a") as [(a, log)]:
        [id] = await insert(a, "t", {"n": 0.0})
        log._network.lost = log._network.failing = 1.0
        writing = [asyncio.create_task(a.transact(adding(id), source="add")) for _ in range(3)]
        for _ in range(50):
            await asyncio.sleep(0)
        assert not any(task.done() for task in writing)
        assert await n_of(a, id) == 0.0
        log._network.lost = log._network.failing = 0.0
        await asyncio.gather(*writing)
        assert await n_of(a, id) == 3.0


async def test_a_closed_log_is_waited_for() -> None:
    async with shared("a", "b") as [(a, log), (b, b_log)]:
        await insert(a, "t", {"n": 0.0})
        await b_log.set_closed(True)
        writing = asyncio.create_task(insert(a, "t", {"n": 1.0}))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not writing.done()
        assert await log.append(*_after(log)) is Appended.MOVED
        await b_log.set_closed(False)
        await writing
        await b.catch_up()
        assert len(await values(b, "t")) == 2


def _after(log: object) -> tuple[object, ...]:
    return log._server.position, b"x" * 16, 1, b""  # type: ignore[attr-defined]
