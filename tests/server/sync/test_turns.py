"""Clients take turns: none is served for long while others wait."""

from __future__ import annotations

import asyncio
import threading

import pytest

from parabola.server.app import Server
from parabola.server.http.intake import OneAtATime
from parabola.server.sync import liveness, mutation_line
from parabola.server.sync import socket as sync_socket
from parabola.server.sync.outbox import Outbox
from parabola.server.sync.socket_intake import MAX_WAITING_BYTES
from server.fake_backend import FakeBackend
from server.raw_http import RawRequest

PINGS = 5000
HALF = MAX_WAITING_BYTES // 2
"""With three such calls nothing more is read from a client."""


async def socket(server: Server) -> RawRequest:
    request = await RawRequest.to(server.port)
    await request.head(
        "GET",
        "/api/1.21.0/sync",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
    )
    assert await request.status() == 101
    return request


async def test_thousands_of_frames_in_one_piece_let_others_have_their_turn(
    server: Server, monkeypatch: pytest.MonkeyPatch
):
    turns = [0]

    async def others() -> None:
        while True:
            turns.append(0)
            await asyncio.sleep(0)

    put_first = Outbox.put_first

    def counted(outbox: Outbox, buffer: bytes) -> None:
        turns[-1] += 1
        put_first(outbox, buffer)

    monkeypatch.setattr(Outbox, "put_first", counted)
    client = await socket(server)
    task = asyncio.create_task(others())
    await client.send(bytes((0x89, 0x80, 0, 0, 0, 0)) * PINGS)
    while sum(turns) < PINGS:
        await client.reader.read(65536)
    task.cancel()
    assert max(turns) <= sync_socket.FRAMES_IN_A_ROW
    client.close()


async def test_large_texts_are_parsed_one_after_the_other():
    parsing = OneAtATime()
    free = threading.Lock()

    def parse() -> bool:
        if not free.acquire(blocking=False):
            return False
        try:
            return not threading.Event().wait(0.01)  # long enough for others to be there at the same time
        finally:
            free.release()

    assert all(await asyncio.gather(*(parsing.run(parse) for _ in range(10))))


async def test_what_a_client_that_has_gone_had_queued_is_let_go(
    server: Server, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is read from it, so that only what it is sent tells that it has gone."""
    monkeypatch.setattr(liveness, "PING_FRAME_EVERY", 0.05)
    monkeypatch.setattr(mutation_line, "MAX_RUNNING", 1)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(context: object, args: object) -> None:
        began.set()
        await go_on.wait()

    backend.mutations["messages:slow"] = slow
    client = await socket(server)
    for number in range(3):
        text = b'{"type":"Mutation","requestId":%d,"udfPath":"messages:slow","args":[{"x":"%s"}]}' % (
            number,
            b"x" * HALF,
        )
        await client.send(bytes((0x81, 0xFF)) + len(text).to_bytes(8) + bytes(4) + text)
    await began.wait()
    async with asyncio.timeout(10):
        while server.intake.held < 3 * HALF:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        client.close()
        while server.intake.held > 1.5 * HALF:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    go_on.set()
    async with asyncio.timeout(10):
        while server.intake.held:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
