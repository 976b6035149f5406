"""Many sockets that hold one query: one run of it serves them all."""

from __future__ import annotations

import asyncio

from server.fake_backend import FakeBackend
from server.wire_client import Dial


async def test_one_that_leaves_does_not_take_the_others_along(backend: FakeBackend, dial: Dial):
    clients = [await dial() for _ in range(5)]
    for client in clients:
        await client.add(0, "messages:count")
    backend.query_gate = asyncio.Event()
    await backend.write("messages", "x")
    await clients[0].socket.close()
    backend.query_gate.set()
    for client in clients[1:]:
        await client.until(0, 1.0)
