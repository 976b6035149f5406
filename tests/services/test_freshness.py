"""What a node may say: nothing that is older than what clients were told elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random
from typing import NamedTuple

import pytest

from database.nodes import HeldLog, joined
from database.stores import insert, values
from parabola.database.database import Database
from parabola.database.shared_log import contact as contact_module
from parabola.database.shared_log.memory_log import MemoryLogServer, Network
from parabola.database.store.memory import MemoryPersistence
from parabola.services import freshness as module
from parabola.services.freshness import Freshness
from parabola.values.errors import NodeBehind, NodeCutOff


class Pair(NamedTuple):
    a: Database
    b: Database
    b_log: HeldLog
    network: Network
    server: MemoryLogServer


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Two nodes; the network of the second one can be cut."""
    server, network = MemoryLogServer(time.time_ns), Network(Random(0))
    a, _ = await joined(server, "a")
    b, b_log = await joined(server, "b", network=network)
    yield Pair(a, b, b_log, network, server)
    network.is_cut = False
    for database in (a, b):
        await database.close()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("LOOK_SECONDS", 0.005), ("ASK_SECONDS", 0.01), ("CUT_OFF_SECONDS", 0.05)):
        monkeypatch.setattr(contact_module, name, seconds)


async def test_alone_a_server_is_as_new_as_can_be() -> None:
    database = await Database.open(MemoryPersistence())
    fresh = Freshness(database)
    assert not fresh.is_shared
    assert fresh.fault is None
    await fresh.catch_up()
    await fresh.reach(2**62)
    fresh.on_change(lambda: None)()
    await database.close()


async def test_what_one_node_has_acknowledged_another_one_reads(pair: Pair) -> None:
    fresh = Freshness(pair.b)
    assert fresh.is_shared
    for n in range(5):
        await insert(pair.a, "t", {"n": float(n)})
        await fresh.catch_up()
        assert len(await values(pair.b, "t")) == n + 1


async def test_a_timestamp_that_another_node_has_shown_is_waited_for(pair: Pair) -> None:
    fresh = Freshness(pair.b)
    later = pair.b.now_ts() + 10**9
    waiting = asyncio.create_task(fresh.reach(later))
    await insert(pair.a, "t", {"n": 0.0})
    await asyncio.sleep(0)
    assert not waiting.done()
    while pair.b.durable_ts < later:
        await insert(pair.a, "t", {"n": 1.0})
        await pair.b.catch_up()
        await asyncio.sleep(0.05)
    await waiting


async def test_a_timestamp_that_never_comes_sends_the_client_away(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REACH_SECONDS", 0.02)
    with pytest.raises(NodeBehind, match="Ask again"):
        await Freshness(pair.b).reach(2**62)
    await insert(pair.b, "t", {"n": 1.0})  # and nobody is held up by it
    assert len(await values(pair.b, "t")) == 1


async def test_who_cannot_find_out_what_is_new_says_so(
    pair: Pair, quickly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CATCH_UP_SECONDS", 0.5)
    fresh = Freshness(pair.b)
    pair.network.is_cut = True
    with pytest.raises(NodeCutOff, match="another node"):
        await fresh.catch_up()
    assert isinstance(fresh.fault, NodeCutOff)
    with pytest.raises(NodeCutOff):
        await fresh.reach(0)
    back = asyncio.Event()
    remove = fresh.on_change(back.set)
    pair.network.is_cut = False
    await back.wait()
    remove()
    assert fresh.fault is None
    await fresh.catch_up()


async def test_a_node_that_takes_in_too_much_is_behind_and_not_cut_off(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CATCH_UP_SECONDS", 0.02)

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(pair.b, "catch_up", never)
    with pytest.raises(NodeBehind):
        await Freshness(pair.b).catch_up()


async def test_a_node_whose_copy_is_of_a_lost_history_serves_nobody(pair: Pair) -> None:
    await insert(pair.a, "t", {"n": 1.0})
    await pair.b.catch_up()
    fresh = Freshness(pair.b)
    seen = asyncio.Event()
    fresh.on_change(seen.set)
    pair.server.lose(1)
    with pytest.raises(NodeCutOff):
        await fresh.catch_up()
    assert seen.is_set()
    assert pair.b.fault is not None


async def test_who_reads_and_writes_nothing_does_not_tell_of_what_has_changed_elsewhere(pair: Pair) -> None:
    [id] = await insert(pair.a, "t", {"n": 1.0})
    await pair.b.catch_up()
    tries: list[float] = []

    async def look(tx):  # type: ignore[no-untyped-def]
        document = await tx.get(id)
        tries.append(document.value["n"])
        if len(tries) == 1:
            pair.network.delay = 0

            async def change(other):  # type: ignore[no-untyped-def]
                await other.patch(id, {"n": 2.0})

            await pair.a.transact(change, source="elsewhere")
        return tries[-1]

    assert await pair.b.transact(look, source="look") == 2.0
    assert tries[-1] == 2.0
