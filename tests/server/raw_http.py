"""Requests as bytes, for tests of what is answered when only a part of one has been sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class RawRequest:
    """One request on a connection of its own. Send as much of it as you like, then ask for the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int) -> RawRequest:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def head(self, method: str, path: str, **headers: str) -> None:
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *lines, "", ""]))

    async def status(self) -> int:
        """The status of the answer; its headers are kept in `headers`."""
        line = await self.reader.readline()
        assert line, "the connection was closed without an answer"
        self.headers: dict[str, str] = {}
        while (header := await self.reader.readline()) not in (b"\r\n", b""):
            name, _, value = header.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        return int(line.split()[1])

    async def json(self) -> Any:
        return json.loads(await self.reader.readexactly(int(self.headers["content-length"])))

    async def is_closed(self) -> bool:
        """Wait until the server closes."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.writer.close()
