"""What waits for a client that reads slowly: in order, bounded, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError

from parabola.server.sync.outbox import JOINED_BYTES, MAX_BYTES, Outbox


class Wire:
    """A transport and its protocol: it takes one write, then is full until `drain`."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.writing_paused = False
        self.closing = False
        self.lost = False
        self._drained = asyncio.Event()

    def write(self, buffer: bytes) -> None:
        self.written.append(buffer)
        self.writing_paused = True

    def is_closing(self) -> bool:
        return self.closing

    async def _drain_helper(self) -> None:
        if self.writing_paused:
            await self._drained.wait()
        self._drained.clear()
        if self.lost:
            raise ClientConnectionResetError("lost")

    async def drain(self) -> None:
        self.writing_paused = False
        self._drained.set()
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def outbox(wire: Wire, progress: list[int]) -> AsyncIterator[Outbox]:
    tasks: list[asyncio.Task[Any]] = []
    outbox: Any = Outbox(
        wire,  # type: ignore[arg-type]
        wire,  # type: ignore[arg-type]
        lambda work: tasks.append(asyncio.ensure_future(work)),
        lambda: progress.append(1),
    )
    yield outbox
    for task in tasks:
        task.cancel()


@pytest.fixture
def progress() -> list[int]:
    return []


async def test_what_waits_leaves_in_order_and_says_so(outbox: Outbox, wire: Wire, progress: list[int]):
    sent: list[int] = []
    for number in range(4):
        outbox.put((b"%d" % number,), lambda number=number: sent.append(number))
    assert (wire.written, sent) == ([b"0"], [0])
    for expected in range(1, 4):
        await wire.drain()
        assert sent == list(range(expected + 1))
        assert progress == []
    await wire.drain()
    assert wire.written == [b"0", b"1", b"2", b"3"]
    assert progress == [1]
    assert not outbox.is_congested


async def test_parts_are_one_write(outbox: Outbox, wire: Wire):
    outbox.put((b"a", b"b"))
    assert wire.written == [b"ab"]


async def test_large_parts_are_not_copied(outbox: Outbox, wire: Wire):
    payload = b"x" * JOINED_BYTES
    outbox.put((b"a", payload))
    assert wire.written[0] == b"a"
    assert wire.written[1] is payload


async def test_control_frames_overtake_nothing_and_wait_for_nobody(outbox: Outbox, wire: Wire):
    outbox.put((b"0",))
    outbox.put_first(b"ping")
    await wire.drain()
    outbox.put_first(b"pong")
    assert wire.written == [b"0", b"pong"]


async def test_it_is_full_before_it_grows_without_bound(outbox: Outbox, wire: Wire):
    outbox.put((b"0",))
    outbox.put((b"x" * MAX_BYTES,))
    assert not outbox.is_full
    outbox.put((b"y",))
    assert outbox.is_full
    waiting = asyncio.ensure_future(outbox.wait_for_room())
    await wire.drain()
    await asyncio.wait_for(waiting, 5)
    assert not outbox.is_full


async def test_a_lost_client_leaves_nobody_waiting(outbox: Outbox, wire: Wire):
    outbox.put((b"0",))
    outbox.put((b"x" * (MAX_BYTES + 1),))
    waiting = asyncio.ensure_future(outbox.wait_for_room())
    await asyncio.sleep(0)
    wire.lost = wire.closing = True
    await wire.drain()
    await asyncio.wait_for(waiting, 5)
