"""Turns of mutations that compete for a table."""

from __future__ import annotations

import asyncio
from pathlib import Path

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.database.commits.turns import CONTENDED, Turns


async def test_turns_are_given_in_the_order_they_were_asked_for() -> None:
    turns = Turns()
    order: list[int] = []

    async def take(number: int) -> None:
        turn = await turns.take("t")
        order.append(number)
        await asyncio.sleep(0)
        turn.end()
        turn.end()

    await asyncio.gather(*(take(n) for n in range(5)))
    assert order == list(range(5))
    assert turns._queues == {}


async def test_tables_do_not_wait_for_each_other() -> None:
    turns = Turns()
    one = await turns.take("a")
    two = await turns.take("b")
    assert not one.waited
    assert not two.waited


async def test_who_gives_up_waiting_passes_the_turn_on() -> None:
    turns = Turns()
    first = await turns.take("t")
    impatient = asyncio.create_task(turns.take("t"))
    patient = asyncio.create_task(turns.take("t"))
    await asyncio.sleep(0)
    first.end()
    impatient.cancel()
    assert (await patient).waited


def test_a_function_that_competes_often_takes_turns_from_the_start() -> None:
    turns = Turns()
    for _ in range(3):
        turns.observe("m:f", "t")
    assert turns.contended_table("m:f") is None
    for _ in range(3):
        turns.observe("m:f", "t")
    assert turns.contended_table("m:f") == "t"
    assert turns.contended_table("m:g") is None


def test_a_function_that_competes_no_more_is_forgotten() -> None:
    turns = Turns()
    for _ in range(100):
        turns.observe("m:f", "t")
    assert turns._functions["m:f"][0] > CONTENDED
    for _ in range(100):
        turns.observe("m:f", None)
    assert turns._functions == {}
    turns.observe("m:g", None)
    assert turns._functions == {}


async def test_most_attempts_at_a_hot_row_succeed(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.mutation("h:count")
    async def count(run: ScriptedRun, args: dict) -> None:
        rows = await run.all("counters")
        if rows:
            await run.call("1.0/shallowMerge", {"id": rows[0]["_id"], "value": {"n": rows[0]["n"] + 1}})
        else:
            await run.insert("counters", n=1)

    async with running(tmp_path, world) as engine:

        async def client() -> None:
            for _ in range(20):
                assert (await engine.mutation("h:count")).error is None

        await asyncio.gather(*(client() for _ in range(16)))
        assert len(world.runs) < 2 * 320
