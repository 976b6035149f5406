"""The turns that sockets take together."""

from __future__ import annotations

import asyncio
import contextvars
from types import SimpleNamespace
from typing import cast

from parabola.server.served_backend import ServedBackend
from parabola.server.sync.due_turns import TURNS_AT_ONCE, DueTurns


class Taker:
    """Takes turns, or breaks."""

    def __init__(self, *, breaks: bool = False, again: DueTurns | None = None) -> None:
        self.again = again
        self.breaks = breaks
        self.turns: list[int] = []

    def turn(self, durable_ts: int) -> None:
        if self.breaks:
            raise RuntimeError("cannot be written to")
        self.turns.append(durable_ts)
        if self.again is not None:
            self.again.add(self)


async def test_one_that_breaks_costs_the_others_no_turn() -> None:
    turns = DueTurns(cast(ServedBackend, SimpleNamespace(durable_ts=7)))
    takers = [Taker(), Taker(breaks=True), Taker()]
    for taker in takers:
        turns.add(taker)
    await asyncio.sleep(0)
    assert [taker.turns for taker in takers] == [[7], [], [7]]


async def test_the_event_loop_goes_round_between_many() -> None:
    backend = SimpleNamespace(durable_ts=7)
    turns = DueTurns(cast(ServedBackend, backend))
    takers = [Taker() for _ in range(2 * TURNS_AT_ONCE + 1)]
    for taker in takers:
        turns.add(taker)
    taken = []
    for ts in (7, 8, 9):
        backend.durable_ts = ts
        await asyncio.sleep(0)
        taken.append(sum(len(taker.turns) for taker in takers))
    assert taken == [TURNS_AT_ONCE, 2 * TURNS_AT_ONCE, len(takers)]
    assert [taker.turns for taker in takers] == [[7]] * TURNS_AT_ONCE + [[8]] * TURNS_AT_ONCE + [[9]]


async def test_whoever_comes_again_waits_for_those_before() -> None:
    turns = DueTurns(cast(ServedBackend, SimpleNamespace(durable_ts=7)))
    restless, last = Taker(again=turns), Taker()
    for taker in (restless, *(Taker() for _ in range(TURNS_AT_ONCE)), last):
        turns.add(taker)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (len(restless.turns), last.turns) == (2, [7])


async def test_a_turn_has_nothing_of_what_has_led_to_it() -> None:
    """What is begun in it must not commit, say, because somebody holds the commit lane who has committed."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="the server's")
    turns = DueTurns(cast(ServedBackend, SimpleNamespace(durable_ts=7)))
    seen: list[str] = []

    class Looking(Taker):
        def turn(self, durable_ts: int) -> None:
            seen.append(variable.get())

    async def somebody() -> None:
        variable.set("somebody's")
        turns.add(Looking())

    await asyncio.create_task(somebody())
    await asyncio.sleep(0)
    assert seen == ["the server's"]
