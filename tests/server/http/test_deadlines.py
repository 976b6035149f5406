"""Nothing is too slow to be let go: headers, bodies, first messages, answers that nobody takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from parabola.server.app import Server
from parabola.server.http.rules import ServerRules
from server.fake_backend import FakeBackend
from server.raw_http import RawRequest

HURRIED = ServerRules(header_seconds=0.3, body_seconds=0.3, body_rate=10_000)
PATIENT = ServerRules(header_seconds=300, body_seconds=300)


@asynccontextmanager
async def serving(backend: FakeBackend, rules: ServerRules) -> AsyncIterator[Server]:
    server = Server(backend, port=0, site_port=0, rules=rules)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def hurried(backend: FakeBackend) -> AsyncIterator[Server]:
    async with serving(backend, HURRIED) as server:
        yield server


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST /x HTTP/1.1\r\nA: "])
async def test_headers_that_do_not_come_are_not_waited_for(hurried: Server, begun: bytes):
    for port in (hurried.port, hurried.site_port):
        request = await RawRequest.to(port)
        await request.send(begun)
        assert await request.is_closed()


async def test_half_a_second_request_is_not_waited_for(hurried: Server):
    request = await RawRequest.to(hurried.port)
    await request.head("GET", "/version")
    assert await request.status() == 200
    await request.send(b"GET /ver")
    assert await request.is_closed()


async def test_a_connection_between_requests_may_rest(hurried: Server):
    request = await RawRequest.to(hurried.port)
    for _ in range(2):
        await request.head("GET", "/instance_name")
        assert await request.status() == 200
        await request.reader.readexactly(4)
        other = await RawRequest.to(hurried.port)  # another one comes and goes by the deadline meanwhile
        assert await other.is_closed()


async def trickle(request: RawRequest, size: int, pieces: int) -> None:
    try:
        for _ in range(pieces):
            await request.send(b" " * size)
            await asyncio.sleep(0.02)
    except ConnectionError:
        pass


async def test_a_body_that_trickles_is_not_waited_for(hurried: Server):
    request = await RawRequest.to(hurried.port)
    await request.head("POST", "/api/query", Content_Type="application/json", Content_Length="100000")
    sending = asyncio.create_task(trickle(request, 1, 10_000))
    assert await request.status() == 408
    assert (await request.json())["code"] == "RequestTimeout"
    sending.cancel()
    request.close()


async def test_a_slow_but_honest_body_arrives(backend: FakeBackend):
    """At ten times the least rate, over several of the times at which it is looked at."""
    async with serving(backend, ServerRules(body_seconds=1.0, body_rate=1000)) as server:
        request = await RawRequest.to(server.port)
        await request.head("POST", "/echo", Content_Length="60000")
        await trickle(request, 500, 120)
        assert await request.status() == 200
        request.close()


async def test_a_socket_that_never_says_anything_is_closed(hurried: Server):
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{hurried.port}") as http,
        http.ws_connect("/api/sync", autoping=True) as socket,
    ):
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_half_a_message_is_not_waited_for(backend: FakeBackend, hurried: Server):
    request = await RawRequest.to(hurried.port)
    await request.head(
        "GET",
        "/api/sync",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
    )
    assert await request.status() == 101
    hello = b'{"type":"Event"}'
    await request.send(bytes((0x81, 0x80 | len(hello), 0, 0, 0, 0)) + hello)  # it is a client
    await request.send(bytes((0x81, 0x80 | 127)) + (10**6).to_bytes(8) + b"\0\0\0\0" + b"xyz")
    assert await request.is_closed()


async def test_a_client_that_takes_nothing_of_its_answer_is_let_go(hurried: Server):
    request = await RawRequest.to(hurried.port)
    transport: Any = request.writer.transport
    transport.pause_reading()
    await request.head("POST", "/echo", Content_Length=str(40_000_000))
    try:
        for _ in range(400):
            await request.send(b"x" * 100_000)
    except ConnectionError:
        pass
    for _ in range(1000):
        if not hurried.intake.held and not any(runner.server.connections for runner in hurried._runners):  # type: ignore[union-attr]
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("the connection is kept")


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret",
        b"secret\r\n\r\n",
        b"GET / HTTP/9.secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nAuthorization secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: se\x00cret\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -secret\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: secret\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /" + b"secret" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: secret\r\n" * 3000 + b"\r\n",
    ],
)
async def test_what_is_no_request_costs_a_line(
    backend: FakeBackend, said: bytes, caplog: pytest.LogCaptureFixture
):
    async with serving(backend, PATIENT) as server:
        request = await RawRequest.to(server.port)
        await request.send(said)
        assert await request.status() in (400, 404)
        body = await request.reader.read()
        assert b"secret" not in body
        assert await request.is_closed()
    assert len(caplog.records) <= 1, caplog.text
    for record in caplog.records:
        assert record.exc_info is None
        assert "\n" not in record.getMessage()
        assert "secret" not in record.getMessage()
