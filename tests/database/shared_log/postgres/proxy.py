"""A proxy before a server, which cuts connections or swallows what goes one way or the other."""

from __future__ import annotations

import asyncio

__all__ = ["Proxy"]


class Proxy:
    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._passes = {"question": True, "answer": True}
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, host: str, port: int) -> Proxy:
        proxy = cls(host, port)
        proxy._server = await asyncio.start_server(proxy._connected, "127.0.0.1", 0)
        return proxy

    _server: asyncio.Server

    @property
    def url(self) -> str:
        return f"postgresql://parabola@127.0.0.1:{self._server.sockets[0].getsockname()[1]}/postgres"

    @property
    def port(self) -> int:
        """That of the server behind it."""
        return self._to[1]

    def lead_to(self, port: int) -> None:
        """From here on another server is behind it."""
        self._to = self._to[0], port
        self.cut()

    def swallow_questions(self) -> None:
        self._passes["question"] = False

    def swallow_answers(self) -> None:
        self._passes["answer"] = False

    def let_pass(self) -> None:
        """From here on everything passes, in new connections: the old ones have holes."""
        self._passes = {"question": True, "answer": True}
        self.cut()

    def cut(self) -> None:
        """Every connection breaks."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to = await asyncio.open_connection(*self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to}
        for source, sink, way in ((reader, to, "question"), (there, writer, "answer")):
            task = asyncio.get_running_loop().create_task(self._pass(source, sink, way))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str) -> None:
        try:
            while data := await source.read(65536):
                if self._passes[way]:
                    sink.write(data)
                    await sink.drain()
        except OSError:
            pass
        finally:
            sink.transport.abort()

    async def close(self) -> None:
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
