"""Numbers for tables and indexes, taken ahead of the need."""

from __future__ import annotations

import asyncio
import time

import pytest

from parabola.database.model.errors import TryAgain
from parabola.database.model.system_tables import SYSTEM_TABLES
from parabola.database.shared_log import id_blocks
from parabola.database.shared_log.id_blocks import IdBlocks
from parabola.database.shared_log.log import FIRST_ID
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from parabola.database.upkeep.bootstrap import first_commit


async def test_numbers_of_two_nodes_never_meet_and_none_is_left_out_in_a_block() -> None:
    server = MemoryLogServer(time.time_ns)
    blocks = [IdBlocks(MemoryLog(server, name), 4) for name in "ab"]
    taken: list[list[int]] = [[], []]
    for _ in range(10):
        for each, numbers in zip(blocks, taken, strict=True):
            await each.fill()
            numbers.append(each.take())
    assert len({*taken[0], *taken[1]}) == 20
    for each in blocks:
        await each.close()


async def test_who_finds_none_waits_for_the_next_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_blocks, "RETRY_SECONDS", 0)
    log = MemoryLog(MemoryLogServer(time.time_ns), "a")
    log._network.failing = 1.0
    blocks = IdBlocks(log, 2)
    with pytest.raises(TryAgain):
        blocks.take()
    filling = asyncio.create_task(blocks.fill())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not filling.done()
    log._network.failing = 0.0
    await filling
    assert blocks.take() == FIRST_ID
    await blocks.close()


def test_the_first_entry_takes_numbers_below_all_blocks() -> None:
    [next_id] = first_commit(1).properties.values()
    assert int(next_id) < FIRST_ID
    assert len(SYSTEM_TABLES) < FIRST_ID // 8
