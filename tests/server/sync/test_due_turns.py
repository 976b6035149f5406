"""The turns that sockets take together."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

from parabola.server.served_backend import ServedBackend
from parabola.server.sync.due_turns import DueTurns


class Taker:
    """Takes turns, or breaks."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.breaks = breaks
        self.turns: list[int] = []

    def turn(self, durable_ts: int) -> None:
        if self.breaks:
            raise RuntimeError("cannot be written to")
        self.turns.append(durable_ts)


async def test_one_that_breaks_costs_the_others_no_turn() -> None:
    turns = DueTurns(cast(ServedBackend, SimpleNamespace(durable_ts=7)))
    takers = [Taker(), Taker(breaks=True), Taker()]
    for taker in takers:
        turns.add(taker)
    await asyncio.sleep(0)
    assert [taker.turns for taker in takers] == [[7], [], [7]]
