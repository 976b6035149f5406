"""Clients that take their time with much of the memory for reading do not keep others waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from parabola.server.app import Server
from parabola.server.http.rules import ServerRules
from server.fake_backend import FakeBackend
from server.raw_http import RawRequest
from server.wire_client import WireClient

RULES = ServerRules(request_memory=1024 * 1024, body_seconds=0.3, body_rate=1)
LARGE = 700 * 1024
"""Nearly all that large requests may take together."""


@pytest.fixture
async def server(backend: FakeBackend) -> AsyncIterator[Server]:
    server = Server(backend, port=0, site_port=0, rules=RULES)
    await server.start()
    yield server
    await server.stop()


@asynccontextmanager
async def trickling(request: RawRequest) -> AsyncIterator[None]:
    """A byte now and then: enough for the rate that is asked for."""

    async def trickle() -> None:
        try:
            while True:
                await request.send(b" ")
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass

    task = asyncio.create_task(trickle())
    try:
        yield
    finally:
        task.cancel()


async def somebody_else(server: Server, size: int = 2 * 65536) -> None:
    """A call with arguments of this length, sent until there is room for it; another one that is smaller."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
        statuses = [await call(http, size)]
        async with asyncio.timeout(10):
            while statuses[-1] == 503:
                await asyncio.sleep(0.05)  # as the answer says
                statuses.append(await call(http, size))
        assert statuses[-1] == 200
        assert len(statuses) > 1, "there was room from the beginning"


async def call(http: aiohttp.ClientSession, size: int) -> int:
    body = {"path": "messages:list", "args": {"channel": "x" * size}}
    async with http.post("/api/query", json=body) as response:
        return response.status


async def arrived(server: Server, size: int) -> None:
    while server.intake.held < size:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)


async def begun_body(server: Server, path: str, **headers: str) -> RawRequest:
    request = await RawRequest.to(server.port)
    await request.head("POST", path, Content_Length="10000000", **headers)
    await request.send(bytes(LARGE))
    return request


async def test_a_large_body_that_stays_incomplete_gives_way(server: Server):
    slow = await begun_body(server, "/api/query", Content_Type="application/json")
    async with trickling(slow):
        await arrived(server, LARGE)
        await somebody_else(server)
        assert await slow.status() == 503
        assert (await slow.json())["code"] == "TooManyConcurrentRequests"
        slow.close()


async def test_small_bodies_that_stay_incomplete_give_way(server: Server):
    slow = []
    for _ in range(5):
        request = await RawRequest.to(server.port)
        await request.head("POST", "/api/query", Content_Type="application/json", Content_Length="65000")
        await request.send(bytes(60_000))
        slow.append(request)
    await arrived(server, 4 * 60_000)
    await somebody_else(server, 30_000)
    for request in slow:
        request.close()


async def test_a_message_that_stays_incomplete_gives_way(server: Server):
    slow = await RawRequest.to(server.port)
    await slow.head(
        "GET",
        "/api/sync",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
    )
    assert await slow.status() == 101
    await slow.send(bytes((0x81, 0x80 | 127)) + (10**7).to_bytes(8) + bytes(4 + LARGE))
    async with trickling(slow):
        await arrived(server, LARGE)
        await somebody_else(server)
        said = b""
        while b"TooManyConcurrentRequests" not in said:
            said += (piece := await slow.reader.read(1000))
            assert piece
        slow.close()


async def test_large_arguments_of_queries_that_are_held_give_way(server: Server):
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
        http.ws_connect("/api/1.21.0/sync") as socket,
    ):
        client = WireClient(socket)
        await client.connect()
        await client.add(0, args=[{"channel": "x" * LARGE}])
        await somebody_else(server)
        closed = await socket.receive()
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.TRY_AGAIN_LATER)
    assert server.intake.held == 0
