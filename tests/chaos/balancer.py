"""A small balancer before the nodes: it looks at their health, and moves connections away from a sick one."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

__all__ = ["Balancer"]

LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 0.5
"""A node that has not said by then that it is ready is not."""


class Balancer:
    """Passes connections on, in turn, to the nodes that are ready."""

    def __init__(self) -> None:
        self.ready: set[int] = set()
        self._found = asyncio.Event()
        self._ports: list[int] = []
        self._turn = itertools.count()
        self._open: dict[int, set[asyncio.Transport]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, ports: list[int], port: int = 0) -> Balancer:
        """Before these ports of the nodes, at a port of its own."""
        balancer = cls()
        balancer._ports = ports
        balancer._open = {port: set() for port in ports}
        balancer._server = await asyncio.start_server(balancer._connected, "127.0.0.1", port)
        for port in ports:
            balancer._spawn(balancer._look(port))
        return balancer

    _server: asyncio.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def all_ready(self) -> None:
        """Returns when every node is ready."""
        while len(self.ready) < len(self._ports):
            await self._found.wait()

    def cut(self) -> None:
        """Every connection of every client breaks."""
        for port in self._ports:
            self._cut(port)

    def _cut(self, port: int) -> None:
        for transport in list(self._open[port]):
            transport.abort()
        self._open[port].clear()

    def _spawn(self, work: object) -> None:
        task = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, port: int) -> None:
        while True:
            if await _is_ready(port):
                self.ready.add(port)
                self._found.set()
                self._found = asyncio.Event()
            elif port in self.ready:
                self.ready.discard(port)
                self._cut(port)
            await asyncio.sleep(LOOK_SECONDS)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in self._ports:
            ready = sorted(self.ready)
            if not ready:
                break
            port = ready[next(self._turn) % len(ready)]
            try:
                there, to = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            self._open[port] |= {writer.transport, to.transport}
            self._spawn(_pass(reader, to, port, self._open))
            self._spawn(_pass(there, writer, port, self._open))
            return
        writer.transport.abort()

    async def close(self) -> None:
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _is_ready(port: int) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /healthz/ready HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.transport.abort()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in line


async def _pass(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    port: int,
    opened: dict[int, set[asyncio.Transport]],
) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.transport.abort()
    opened[port].discard(sink.transport)
