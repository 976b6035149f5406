"""The host on a socket: newline-delimited JSON in both directions."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final, cast

import msgspec
import orjson

from parabola.hosts.python.executions.function_run import RunRequest
from parabola.hosts.python.host import Host
from parabola.hosts.python.reports.outgoing import encode_message
from parabola.values.line_buffer import LineBuffer

__all__ = ["Endpoint", "Json", "connect"]

Json = dict[str, Any]

AT_ONCE: Final = 4
"""Messages that are written together at least, while there is more to do. With all of one arrival together,
which may be sixteen, the engine and the host wait for each other: 1.55 processors of two are busy, not 1.65.
"""

_decode_run: Final = msgspec.json.Decoder(RunRequest).decode


class Endpoint(asyncio.Protocol):
    """Cuts what arrives into messages, and writes what one arrival caused in a few goes."""

    def __init__(self) -> None:
        self.host: Host | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._lines = LineBuffer()
        self._outgoing: list[bytes] = []
        self._corked = False

    def send(self, message: Json) -> None:
        """Send one message; during `data_received` it waits for a few others. Raises `UnwritableMessage`."""
        self._outgoing.append(encode_message(message))
        if not self._corked:
            self._flush()

    def send_waiting(self) -> None:
        """Send what waits, while a function computes. What there is no memory for waits on."""
        with suppress(MemoryError):
            self._flush()

    def _flush(self) -> None:
        if self._outgoing and self._transport is not None:
            text = b"\n".join([*self._outgoing, b""])
            self._outgoing.clear()
            self._transport.write(text)
        self._outgoing.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._corked = True
        try:
            for line in self._lines.feed(data):
                self._receive(line)
                if len(self._outgoing) >= AT_ONCE:
                    self._flush()  # the engine goes on with these meanwhile
        finally:
            self._corked = False
            self._flush()

    def _receive(self, line: bytes) -> None:
        if self.host is not None and line.startswith(b'{"type":"run",'):
            self.host.run(_decode_run(line))
            return
        if not line.strip():
            return
        message = orjson.loads(line)
        if message.get("type") == "shutdown":
            self.end()
        elif self.host is not None:
            self.host.receive(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.end()

    def end(self) -> None:
        """Nothing more is to be done."""
        if not self.ended.done():
            self.ended.set_result(None)


async def connect(descriptor: socket.socket) -> Endpoint:
    """An endpoint on an open socket."""
    descriptor.setblocking(False)
    loop = asyncio.get_running_loop()
    _, endpoint = await loop.create_unix_connection(Endpoint, sock=descriptor)
    return endpoint
