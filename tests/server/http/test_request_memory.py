"""What clients send costs a bounded amount of memory, and their neighbours are answered meanwhile.

A real server is watched from outside; the numbers are generous, and a tenth of what it used to take.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import brotli  # type: ignore[import-untyped]
import pytest

from server.raw_http import RawRequest
from server_process import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are read from /proc")

MEGABYTE = 1024 * 1024
FUNCTIONS = """
from parabola import MutationCtx, QueryCtx, mutation, query

@query
async def ping(ctx: QueryCtx) -> str:
    return "pong"

@mutation
async def swallow(ctx: MutationCtx, what: object) -> None:
    pass
"""


class Memory:
    """What the server's process takes beyond what it took at the beginning."""

    def __init__(self, server: ServerProcess) -> None:
        self._process = Path(f"/proc/{server.pid}")
        (self._process / "clear_refs").write_text("5")  # the peak is counted from now on
        self._before = self._read("VmRSS")

    def peak(self) -> int:
        return self._read("VmHWM") - self._before

    def left(self) -> int:
        return self._read("VmRSS") - self._before

    def _read(self, name: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("memory")
    (directory / "convex").mkdir()
    (directory / "convex" / "app.py").write_text(FUNCTIONS)
    arguments = ("serve", "--port", "0", "--site-port", "0", "--max-request-memory", "256MB")
    server = ServerProcess(directory, *arguments).start()
    server.cli("deploy")
    yield server
    server.close()


def port(server: ServerProcess) -> int:
    return int(server.url.rpartition(":")[2])


async def ping(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/query", json={"path": "app:ping", "args": {}}) as response:
        assert (await response.json())["value"] == "pong"


def nested_arrays() -> bytes:
    """198 MB of JSON in 1,381 bytes."""
    compressor = brotli.Compressor(quality=5)
    parts = [compressor.process(b"[")]
    parts += [compressor.process(b"[]," * 1_000_000) for _ in range(66)]
    return b"".join([*parts, compressor.process(b"[]]"), compressor.finish()])


async def test_a_bomb_without_a_key_is_refused_at_once(server: ServerProcess):
    bomb = nested_arrays()
    assert len(bomb) < 5000
    memory = Memory(server)
    for authorization in ({}, {"Authorization": "Convex nobody|0000"}):
        headers = {"Content-Encoding": "br", "Content-Type": "application/json", **authorization}
        async with aiohttp.ClientSession(server.url, headers=headers) as http:
            for step in ("start_push", "evaluate_push", "evaluate_schema", "finish_push"):
                async with http.post(f"/api/deploy2/{step}", data=bomb) as response:
                    assert response.status in (401, 403)
    assert memory.peak() < 16 * MEGABYTE


async def test_a_bomb_with_a_key_does_not_grow_beyond_its_ratio(server: ServerProcess):
    memory = Memory(server)
    headers = {
        "Content-Encoding": "br",
        "Content-Type": "application/json",
        "Authorization": f"Convex {server.admin_key}",
    }
    async with aiohttp.ClientSession(server.url, headers=headers) as http:
        async with http.post("/api/deploy2/start_push", data=nested_arrays()) as response:
            assert response.status == 400
            assert "times its size" in (await response.json())["message"]
        await ping_plainly(server)
    assert memory.peak() < 64 * MEGABYTE


async def ping_plainly(server: ServerProcess) -> None:
    async with aiohttp.ClientSession(server.url) as http:
        await ping(http)


def masked_frame(payload: bytes, *, deflate: bool) -> bytes:
    if deflate:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        payload = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    first = 0x81 | (0x40 if deflate else 0)
    return bytes((first, 0x80 | 127)) + len(payload).to_bytes(8) + b"\0\0\0\0" + payload


async def socket(server: ServerProcess) -> RawRequest:
    request = await RawRequest.to(port(server))
    await request.head(
        "GET",
        "/api/1.48.0/sync",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
        Sec_WebSocket_Extensions="permessage-deflate",
    )
    assert await request.status() == 101
    return request


def mutation(number: int, args: str) -> bytes:
    head = f'{{"type":"Mutation","requestId":{number},"udfPath":"app:swallow","args":'
    return (head + args + "}").encode()


async def test_compressed_messages_come_to_no_more_than_messages_may(server: ServerProcess):
    """58 KB on the wire were 64 MiB of text and 1.5 GB of values; eight of them at once were the end."""
    memory = Memory(server)
    arrays = '[{"what":[' + "[]," * (20 * MEGABYTE) + "0]}]"
    frame = masked_frame(mutation(0, arrays), deflate=True)
    assert len(frame) < 100_000
    sockets = [await socket(server) for _ in range(8)]
    for each in sockets:
        await each.send(frame)
    for each in sockets:
        assert await each.is_closed()
    await ping_plainly(server)
    assert memory.peak() < 200 * MEGABYTE


async def test_queued_mutations_draw_on_the_budget(server: ServerProcess):
    """Each a hundred bytes on the wire, and two megabytes of values while it waits for the one before."""
    memory = Memory(server)
    arrays = '[{"what":[' + "[]," * 30_000 + "0]}]"
    frames = [masked_frame(mutation(n, arrays), deflate=True) for n in range(200)]
    assert sum(map(len, frames)) < 100_000
    sockets = [await socket(server) for _ in range(8)]
    for each in sockets:
        await each.send(b"".join(frames))
    async with aiohttp.ClientSession(server.url) as http:
        for _ in range(20):
            await ping(http)
    for each in sockets:
        await each.reader.read(1)  # it is answered, or sent away
    assert memory.peak() < 512 * MEGABYTE
    for each in sockets:
        each.close()


async def test_echoes_leave_nothing_behind(server: ServerProcess):
    body = bytes(60 * MEGABYTE)
    memory = Memory(server)

    async def echo(http: aiohttp.ClientSession) -> int:
        async with http.post("/echo", data=io.BytesIO(body)) as response:
            await response.read()
            return response.status

    async with aiohttp.ClientSession(server.url) as http:
        statuses = await asyncio.gather(*(echo(http) for _ in range(10)))
        assert set(statuses) <= {200, 503}
        assert await echo(http) == 200
        await ping(http)
    assert memory.peak() < 400 * MEGABYTE
    assert memory.left() < 100 * MEGABYTE


async def test_many_large_bodies_are_not_read_at_once(server: ServerProcess):
    """Each may be sent; beyond the budget they are told to come again, and small calls are still answered."""
    memory = Memory(server)
    body = json.dumps({"path": "app:ping", "args": {"x": "y" * (15 * MEGABYTE)}}).encode()
    requests: list[RawRequest] = []
    refused: list[Any] = []
    for _ in range(40):
        request = await RawRequest.to(port(server))
        await request.head(
            "POST", "/api/query", Content_Type="application/json", Content_Length=str(len(body) + 1)
        )
        requests.append(request)
        sending = asyncio.create_task(request.send(body))  # all but the last byte
        answered = asyncio.create_task(request.reader.readline())
        await asyncio.wait((sending, answered), return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            refused.append(answered.result())
        answered.cancel()
        sending.cancel()
    await ping_plainly(server)
    assert memory.peak() < 500 * MEGABYTE
    assert all(b" 503 " in line for line in refused)
    for request in requests:
        request.close()
