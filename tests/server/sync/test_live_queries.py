"""Many sockets that hold one query: one of them has it run."""

from __future__ import annotations

import asyncio

from parabola.server.sync.live_queries import SharedRuns
from server.fake_backend import FakeBackend
from server.wire_client import Dial

KEY = ("a:b", b"[{}]", "", None, "", 100)


async def test_the_first_leads_and_the_others_follow_in_order():
    runs = SharedRuns()
    followed: list[int] = []
    assert not runs.join(KEY, lambda: followed.append(0)), "nobody runs it yet"
    runs.lead(KEY)
    for number in range(1, 200):
        assert runs.join(KEY, lambda number=number: followed.append(number))
    assert followed == []
    await runs.end(KEY)
    assert followed == list(range(1, 200))
    assert not runs.join(KEY, lambda: None), "afterwards somebody has to lead again"


class TestFollowing:
    async def test_one_run_serves_every_socket(self, backend: FakeBackend, dial: Dial):
        backend.kept = {}
        clients = [await dial() for _ in range(20)]
        for client in clients:
            await client.add(0, "messages:count")
        before = backend.evaluations
        await backend.write("messages", "x")
        for client in clients:
            await client.until(0, 1.0)
        assert backend.evaluations == before + 1

    async def test_a_leader_that_leaves_does_not_take_the_others_along(
        self, backend: FakeBackend, dial: Dial
    ):
        clients = [await dial() for _ in range(5)]
        for client in clients:
            await client.add(0, "messages:count")
        backend.query_gate = asyncio.Event()
        await backend.write("messages", "x")
        await clients[0].socket.close()
        backend.query_gate.set()
        for client in clients[1:]:
            await client.until(0, 1.0)
