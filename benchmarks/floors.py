"""What the machine could do at best, measured in the same run: the floors that the rows stand beside."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks.http_client import http_client
from benchmarks.load import run_clients


def _serve_echo(port: int) -> None:
    import uvloop

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for frame in socket:
            await socket.send_str(frame.data)
        return socket

    async def post(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/ws", handle), web.post("/echo", post)])
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, print=lambda *_: None, handle_signals=True)


class EchoServer:
    """aiohttp on uvloop, echoing: the floor of everything that goes over a socket."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve_echo, args=(port,), daemon=True)

    async def __aenter__(self) -> EchoServer:
        self._process.start()
        async with aiohttp.ClientSession() as session:
            for _ in range(200):
                try:
                    async with session.post(f"{self.url}/echo", data=b"x"):
                        return self
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        raise RuntimeError("the echo server did not start")

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(5)

    async def websocket_round_trips(self, clients: int, seconds: float) -> float:
        """Round trips a second of `clients` sockets that each wait for their answer."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            sockets = [await session.ws_connect(f"{self.url}/ws", compress=0) for _ in range(clients)]

            async def once(client: int) -> None:
                await sockets[client].send_str("x" * 200)
                await sockets[client].receive()

            rate = await run_clients(clients, seconds, once)
            for socket in sockets:
                await socket.close()
            return rate

    async def http_round_trips(self, clients: int, seconds: float) -> float:
        async with http_client(self.url) as client:

            async def once(_: int) -> None:
                await client.post("/echo", {"path": "x", "args": {}})

            return await run_clients(clients, seconds, once)


def sqlite_durable_commits(group: int, seconds: float) -> float:
    """Documents a second that sqlite3 makes durable: a row and two index rows each, `group` to a commit."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, json BLOB)")
        connection.execute(
            "CREATE TABLE entries (name INTEGER, key BLOB, id INTEGER, PRIMARY KEY (name, key)) WITHOUT ROWID"
        )
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            connection.execute("BEGIN")
            for _ in range(group):
                row = connection.execute("INSERT INTO documents (json) VALUES (?)", (b"x" * 150,)).lastrowid
                for name in (1, 2):
                    connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (name, os.urandom(24), row))
            connection.execute("COMMIT")
            count += group
        elapsed = time.perf_counter() - start
        connection.close()
        return count / elapsed


class SqliteReads:
    """Raw sqlite3 with `count` rows of JSON and one index: the floor of reading from the engine."""

    def __init__(self, folder: Path, count: int) -> None:
        self._connection = sqlite3.connect(folder / "reads.db", isolation_level=None)
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("CREATE TABLE documents (id BLOB PRIMARY KEY, channel INTEGER, json BLOB)")
        self._connection.execute("BEGIN")
        self.ids = [os.urandom(16) for _ in range(count)]
        self._connection.executemany(
            "INSERT INTO documents VALUES (?, ?, ?)",
            ((id, number // 100, b'{"channel": 1.0, "text": "note"}') for number, id in enumerate(self.ids)),
        )
        self._connection.execute("CREATE INDEX by_channel ON documents (channel)")
        self._connection.execute("COMMIT")

    def point(self, number: int) -> None:
        self._connection.execute("SELECT json FROM documents WHERE id = ?", (self.ids[number],)).fetchall()

    def range(self, channel: int, count: int) -> None:
        self._connection.execute(
            "SELECT json FROM documents WHERE channel >= ? ORDER BY channel LIMIT ?", (channel, count)
        ).fetchall()

    def close(self) -> None:
        self._connection.close()
