"""An entry is sent until it is known what became of it, and then it is there once or never."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parabola.database.shared_log import appending
from parabola.database.shared_log.appending import append_until_known
from parabola.database.shared_log.log import START, Position
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer, Network


@given(st.integers(0, 2**32))
@settings(max_examples=150)
async def test_whoever_is_told_that_it_is_in_the_log_is_right_and_so_is_who_is_told_that_it_is_not(
    seed: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appending, "RETRY_SECONDS", 0)
        random = Random(seed)
        server = MemoryLogServer(time.time_ns)
        told: dict[bytes, bool] = {}

        async def node(name: str) -> None:
            log = MemoryLog(server, name, Network(random, 3, lost=0.2, unanswered=0.2, late=0.2, failing=0.2))
            position = START
            for at in range(5):
                entry = f"{name}{at}".encode() * 8
                told[entry] = await append_until_known(log, position, entry, 1, b"")
                position = Position(position.seq + 1, entry) if told[entry] else server.position

        await asyncio.gather(*(node(name) for name in "abc"))
        for _ in range(200):
            await asyncio.sleep(0)  # what was late arrives
        names = [entry.position.name for entry in server.entries]
        assert len(set(names)) == len(names)
        assert {name for name, is_there in told.items() if is_there} == set(names)
