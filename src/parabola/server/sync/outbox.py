"""What is on its way to one client: handed to the transport as fast as that takes it, and kept here
beyond.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from aiohttp.web_protocol import RequestHandler

__all__ = ["JOINED_BYTES", "MAX_BYTES", "Outbox"]

MAX_BYTES: Final = 1024 * 1024
"""While more waits for a client that does not read, nothing should be read from it either."""

JOINED_BYTES: Final = 64 * 1024
"""Up to this size it is cheaper to copy the parts of a frame than to write them one by one."""


class Outbox:
    """Frames in order. `spawn` runs the task that waits for a congested transport; `progress` is called
    when frames have left after that.
    """

    __slots__ = ("_bytes", "_congested", "_frames", "_progress", "_protocol", "_room", "_spawn", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        protocol: RequestHandler,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        progress: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._protocol = protocol
        self._spawn = spawn
        self._progress = progress
        self._frames: deque[tuple[Sequence[bytes], Callable[[], None] | None]] = deque()
        self._bytes = 0
        self._congested = False
        self._room: asyncio.Event | None = None

    @property
    def is_congested(self) -> bool:
        """True while the client reads less than it is sent."""
        return self._congested

    @property
    def is_full(self) -> bool:
        """True when reading from this client should stop."""
        return self._bytes > MAX_BYTES

    async def wait_for_room(self) -> None:
        """Return when it is not full any more, or closed."""
        while self.is_full and not self._transport.is_closing():
            self._room = asyncio.Event()
            await self._room.wait()

    def put(self, buffers: Sequence[bytes], sent: Callable[[], None] | None = None) -> None:
        """Write these buffers after what was put before; `sent` is called once the transport has them."""
        if self._congested:
            self._frames.append((buffers, sent))
            self._bytes += sum(map(len, buffers))
            return
        self._write(buffers)
        if sent is not None:
            sent()

    def put_at_once(self, buffer: bytes) -> bool:
        """Write one frame if nothing waits before it; otherwise false, and nothing has happened."""
        if self._congested:
            return False
        if not self._transport.is_closing():
            self._transport.write(buffer)
        if self._protocol.writing_paused:
            self._congested = True
            self._spawn(self._drain())
        return True

    def put_first(self, buffer: bytes) -> None:
        """Write a control frame before everything that waits; dropped when the client does not read at
        all.
        """
        if not self._congested:
            self._write((buffer,))

    def clear(self) -> None:
        """Forget what waits: the client is gone."""
        self._frames.clear()
        self._bytes = 0
        if self._room is not None:
            self._room.set()

    def _write(self, buffers: Sequence[bytes]) -> None:
        if len(buffers) == 1 and not self._transport.is_closing():
            self._transport.write(buffers[0])
        else:
            self._hand_over(buffers)
        if self._protocol.writing_paused:
            self._congested = True
            self._spawn(self._drain())

    def _hand_over(self, buffers: Sequence[bytes]) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        # Not `writelines`: in Python 3.12.0 to 3.12.8, 3.13.0 and 3.13.1 it never says that the client is
        # slow (CVE-2024-12254), and all that it does not read would pile up here.
        if len(buffers) > 1 and sum(map(len, buffers)) <= JOINED_BYTES:
            buffers = (b"".join(buffers),)
        for buffer in buffers:
            transport.write(buffer)

    async def _drain(self) -> None:
        """Write what waits as the transport takes it. It stays congested until the end, so nothing
        overtakes.
        """
        try:
            while True:
                await self._protocol._drain_helper()
                if not self._frames:
                    break
                buffers, sent = self._frames.popleft()
                self._bytes -= sum(map(len, buffers))
                self._hand_over(buffers)
                if sent is not None:
                    sent()
                if self._room is not None and not self.is_full:
                    self._room.set()
        except ConnectionError:
            self.clear()
            return
        self._congested = False
        self._progress()
