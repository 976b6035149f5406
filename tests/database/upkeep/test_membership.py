"""Who is a member: by rows in the log, whatever becomes of a node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from database.nodes import HeldLog
from database.stores import QUIET, insert
from parabola.database.database import Database, NodeIdentity
from parabola.database.model.errors import ConflictError, UnusableData
from parabola.database.model.indexes import Index
from parabola.database.shared_log.errors import LogUnreachable
from parabola.database.shared_log.log import Beats
from parabola.database.shared_log.memory_log import MemoryLogServer
from parabola.database.store.memory import MemoryPersistence
from parabola.database.transaction import Transaction
from parabola.database.upkeep import membership
from parabola.database.upkeep.members import owner_of
from parabola.database.upkeep.membership import Membership


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second of silence is long."""
    monkeypatch.setattr(membership, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(membership, "GONE_SECONDS", 0.2)
    monkeypatch.setattr(membership, "NAME_SECONDS", 1.0)


class Line(HeldLog):
    """A way to the log that can be cut."""

    is_cut = False

    async def beat(self, incarnation: str, status: str) -> Beats:
        if self.is_cut:
            raise LogUnreachable("cut")
        return await super().beat(incarnation, status)


class Node:
    def __init__(self, database: Database, line: Line) -> None:
        self.database = database
        self.line = line
        assert isinstance(database.members, Membership)
        self.members = database.members


async def joined(server: MemoryLogServer, name: str, home: str = "") -> Node:
    line = Line(server, name)
    database = await Database.open(
        MemoryPersistence(), log=line, retention=QUIET, node=NodeIdentity(name, home or name)
    )
    return Node(database, line)


@asynccontextmanager
async def nodes(*names: str) -> AsyncIterator[tuple[MemoryLogServer, list[Node]]]:
    server = MemoryLogServer(time.time_ns)
    found = [await joined(server, name) for name in names]
    try:
        yield server, found
    finally:
        for node in found:
            await node.database.close()


def kill(node: Node) -> None:
    """It does nothing any more, and hears of nothing."""
    node.members._stop_listening()
    assert node.members._task is not None
    node.members._task.cancel()


async def until(node: Node, is_so: Callable[[], bool]) -> None:
    """Returns when something is so that comes with a change of the members."""
    changed = asyncio.Event()
    node.members.on_change(changed.set)
    while not is_so():
        changed.clear()
        await changed.wait()


async def test_all_nodes_agree_on_who_is_there_and_on_whose_an_id_is() -> None:
    async with nodes("a", "b", "c") as (_, found):
        for node in found:
            await node.database.catch_up()
        everybody = {node.members.incarnation for node in found}
        assert [node.members.present for node in found] == [everybody] * 3
        owners = [[node.members.owns(f"id {at}") for node in found] for at in range(100)]
        assert [sum(each) for each in owners] == [1] * 100
        assert min(map(sum, zip(*owners, strict=True))) > 10


def test_when_one_goes_only_what_was_its_own_goes_to_others() -> None:
    before = {f"{at}": owner_of(f"{at}", "abcd") for at in range(200)}
    after = {id: owner_of(id, "abc") for id in before}
    assert all(after[id] == owner for id, owner in before.items() if owner != "d")
    assert {after[id] for id, owner in before.items() if owner == "d"} == set("abc")


async def test_a_node_that_ends_is_no_member_any_more() -> None:
    async with nodes("a", "b") as (_, [a, b]):
        gone = b.members.incarnation
        await b.database.close()
        await until(a, lambda: gone not in a.members.present)


async def test_who_is_silent_is_removed_and_joins_anew_when_it_wakes_up() -> None:
    async with nodes("a", "b") as (_, [a, b]):
        first = b.members.incarnation
        b.line.is_cut = True
        await until(a, lambda: first not in a.members.present)
        b.line.is_cut = False
        await until(a, lambda: len(a.members.present) == 2)
        assert b.members.incarnation != first
        assert b.members.incarnation in a.members.present


async def test_who_wakes_up_and_finds_another_one_of_its_name_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with nodes("watching", "a") as (server, [_, sleeper]):
        members = sleeper.members
        kill(sleeper)
        again = await joined(server, "a", "another home")
        members._stop_listening = sleeper.database.on_commit(members._notice)
        await members._read()  # it wakes up
        assert members._joining is not None
        await members._joining
        assert 'another node is called "a" too' in caplog.text
        await again.database.close()


async def test_nobody_is_removed_for_a_time_in_which_nobody_was_heard() -> None:
    async with nodes("a", "b", "c") as (server, found):
        await asyncio.gather(*(node.database.catch_up() for node in found))
        everybody = found[0].members.present
        for node in found:
            node.line.is_cut = True
        await asyncio.sleep(0.5)  # time itself is what this is about
        server.beats.clear()
        for node in found:
            node.line.is_cut = False
        for node in found:
            await node.members.until_all(lambda status: True)
        assert [node.members.present for node in found] == [everybody] * 3


async def test_what_a_node_says_of_itself_is_heard_by_the_others() -> None:
    async with nodes("a", "b") as (_, [a, b]):
        ready: list[str] = []
        b.members.tell("ready", lambda: ready)
        waiting = asyncio.ensure_future(a.members.until_all(lambda status: "x" in status.get("ready", [])))
        await a.members._next_beat()
        assert not waiting.done()
        ready.append("x")
        b.members.tell_now()
        await waiting
        assert a.members.peers[b.members.incarnation].status["name"] == "b"


async def test_two_nodes_cannot_have_one_name() -> None:
    async with nodes("a", "b") as (server, _):
        with pytest.raises(UnusableData, match='Another node is called "a"'):
            await joined(server, "a", "elsewhere")


async def test_a_node_that_was_killed_comes_back_at_once_in_its_own_directory() -> None:
    async with nodes("a", "b") as (server, [_, b]):
        killed = b.members.incarnation
        kill(b)
        again = await joined(server, "b")
        await again.database.catch_up()
        assert killed not in again.members.present
        await again.database.close()


async def test_a_node_that_was_killed_comes_back_elsewhere_when_it_is_taken_for_gone() -> None:
    async with nodes("a", "b") as (server, [_, b]):
        killed = b.members.incarnation
        kill(b)
        again = await joined(server, "b", "elsewhere")
        assert killed not in again.members.present
        await again.database.close()


async def test_who_was_removed_commits_nothing_that_asks_for_membership() -> None:
    async with nodes("a", "b") as (_, [a, b]):
        tx = b.database.begin(writable=True)
        assert await b.members.depend(tx)
        first = b.members.incarnation
        b.line.is_cut = True
        await until(b, lambda: first not in b.members.present)
        await tx.insert("t", {"n": 1.0})
        with pytest.raises(ConflictError):
            await b.database.commit(tx)
        b.line.is_cut = False
        await until(a, lambda: len(a.members.present) == 2)


async def test_a_server_alone_owns_everything() -> None:
    database = await Database.open(MemoryPersistence(), retention=QUIET)
    assert database.members.owns("x")
    assert await database.members.is_keeper()
    assert database.members.present == {database.members.incarnation}
    assert await database.members.depend(database.begin())  # type: ignore[arg-type]
    await database.close()


async def test_an_index_counts_as_filled_when_it_is_so_on_all_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with nodes("a", "b") as (_, [a, b]):
        for n in range(3):
            await insert(a.database, "t", {"n": float(n)})
        await b.database.catch_up()
        assert b.database._backfill is not None
        fill, may_fill = b.database._backfill._fill, asyncio.Event()

        async def hold(tablet_id: int, wanted: list[Index]) -> list[Index]:
            await may_fill.wait()
            return await fill(tablet_id, wanted)

        monkeypatch.setattr(b.database._backfill, "_fill", hold)
        index = await begin_index(a.database, "t", "by_n", "n")
        assert a.database._backfill is not None
        for _ in range(1000):
            if not a.database._backfill.filled_here():
                await asyncio.sleep(0)
        for _ in range(3):
            await a.members._next_beat()
        assert state_of(a.database, index) == "backfilling"
        may_fill.set()
        await a.database.wait_backfilled()
        assert state_of(a.database, index) == "backfilled"
        await b.database.catch_up()
        assert state_of(b.database, index) == "backfilled"


async def begin_index(database: Database, table: str, name: str, field: str) -> int:
    id = database.new_id()

    async def create(tx: Transaction) -> None:
        found = tx.registry.table(table)
        assert found is not None
        tx.create_index(Index(id, found.tablet_id, name, (field, "_creationTime"), "backfilling"))

    await database.transact(create, source="test")
    return id


def state_of(database: Database, index_id: int) -> str:
    registry = database.durable_registry
    return next(
        index.state
        for table in registry.tables()
        for index in registry.indexes(table.tablet_id)
        if index.index_id == index_id
    )
