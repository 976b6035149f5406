"""Turns of mutations that compete for documents and tables."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.database.commits.chain import Link
from parabola.database.commits.turns import CONTENDED, MOST_BROKEN, MOSTLY_CONTENDED, Contender, Place, Turns


def contender(turns: Turns, *places: Place) -> Contender:
    found = turns.contender(None)
    found.places = set(places)
    return found


A, B, C = Place("t", "a"), Place("t", "b"), Place("t", "c")


async def test_turns_are_given_in_the_order_they_were_asked_for() -> None:
    turns = Turns()
    order: list[int] = []

    async def take(number: int) -> None:
        turn = await turns.take(contender(turns, A))
        order.append(number)
        await asyncio.sleep(0)
        turn.end()
        turn.end()

    await asyncio.gather(*(take(n) for n in range(5)))
    assert order == list(range(5))
    assert turns._queues == {}


async def test_places_do_not_wait_for_each_other() -> None:
    turns = Turns()
    held = [await turns.take(contender(turns, place)) for place in (A, B, Place("t"))]
    assert not any(turn.waited for turn in held)


async def test_nobody_waits_for_ever_who_wants_several_places() -> None:
    turns = Turns()
    pairs = [(A, B), (B, A), (B, C), (C, A), (A, C), (C, B)] * 5
    done = 0

    async def hold(pair: tuple[Place, Place]) -> None:
        nonlocal done
        turn = await turns.take(contender(turns, *pair))
        await asyncio.sleep(0)
        turn.end()
        done += 1

    await asyncio.gather(*map(hold, pairs))
    assert done == len(pairs)
    assert turns._queues == {}


@pytest.mark.parametrize("given", [False, True])
async def test_who_gives_up_waiting_passes_on_what_it_had(given: bool) -> None:
    turns = Turns()
    first = await turns.take(contender(turns, B))
    impatient = asyncio.create_task(turns.take(contender(turns, A, B)))
    patient = asyncio.create_task(turns.take(contender(turns, A, B)))
    await asyncio.sleep(0)
    if given:
        first.end()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    first.end()
    assert (await patient).waited


async def test_those_of_a_chain_share_their_turns_with_nobody_else() -> None:
    turns = Turns()
    order: list[str] = []

    async def take(name: str, *places: Place, chained: bool) -> None:
        turn = await turns.take(contender(turns, *places), link=Link({A}) if chained else None)
        order.append(f"+{name}")
        for _ in range(3):
            await asyncio.sleep(0)
        order.append(f"-{name}")
        turn.end()

    await asyncio.gather(
        take("1", A, chained=True),
        take("2", A, B, chained=True),
        take("alone", A, chained=False),
        take("3", A, chained=True),  # who came first goes first
        take("4", B, chained=True),
    )
    assert order.index("+2") < order.index("-1")
    assert order.index("+4") < order.index("-2")
    alone = order.index("+alone")
    assert {"-1", "-2"} <= set(order[:alone])
    assert order.index("-alone") < order.index("+3")
    assert turns._queues == {}


@pytest.mark.parametrize("given", [False, True])
async def test_who_gives_up_sharing_keeps_nobody_waiting(given: bool) -> None:
    turns = Turns()
    first = await turns.take(contender(turns, A))
    impatient = [asyncio.create_task(turns.take(contender(turns, A, B), link=Link({A}))) for _ in range(2)]
    patient = asyncio.create_task(turns.take(contender(turns, A)))
    await asyncio.sleep(0)
    if given:
        first.end()
    for task in impatient:
        task.cancel()
    await asyncio.gather(*impatient, return_exceptions=True)
    first.end()
    (await patient).end()
    assert turns._queues == {}


def test_what_cannot_be_chained_is_chained_no_more() -> None:
    turns = contended()
    chained = 0
    while (call := calling(turns)).may_be_chained:
        call.chain_broke(by_function=True)
        assert not call.may_be_chained
        chained += 1
    assert chained == 4


def test_a_function_that_seldom_needs_more_than_a_chain_stays_in_chains() -> None:
    turns = contended()
    for _ in range(10):
        for _ in range(20):
            call = calling(turns)
            assert call.may_be_chained
            call.has_committed(waited=True, chained=True)
        call = calling(turns)
        call.chain_broke(by_function=True)
        call.has_committed(waited=True)


def test_what_takes_long_waits_for_its_turn_and_not_in_a_host() -> None:
    turns = contended()
    assert calling(turns).may_be_chained
    for _ in range(6):
        calling(turns).has_taken(100)
    assert not calling(turns).may_be_chained
    for _ in range(60):
        calling(turns).has_taken(1)
    assert calling(turns).may_be_chained


def test_to_lose_in_a_chain_is_no_reason_to_keep_others_from_committing() -> None:
    turns = contended()
    call = calling(turns)
    for _ in range(MOST_BROKEN):
        call.has_lost("t", "b", chained=True)
    assert call.conflicts == 0
    assert call.is_repeated
    assert not call.may_be_chained


def test_all_calls_are_chained_of_a_function_that_nearly_always_competes() -> None:
    turns = Turns()
    chained: list[float] = []
    for number in range(40):
        lose(turns, "t", f"d{number}", payee=number)
        call, known = calling(turns, payee=99), turns.function("m:f")
        assert known is not None
        if not call.places:  # nothing is guessed
            assert call.may_be_chained == (known.share >= MOSTLY_CONTENDED)
            chained.append(call.may_be_chained)
    assert False in chained
    assert True in chained


def test_who_is_built_upon_what_is_lost_again_and_again_has_a_turn_of_his_own() -> None:
    turns = contended()
    call = calling(turns)
    for _ in range(MOST_BROKEN):
        assert call.may_be_chained
        call.chain_broke(by_function=False)
    assert not call.may_be_chained
    assert calling(turns).may_be_chained


def lose(turns: Turns, table: str, document: str, function: str = "m:f", **arguments: Any) -> None:
    """A call that lost once, and then committed."""
    call = calling(turns, function, **arguments)
    call.has_lost(table, document)
    call.has_written({document})
    call.has_committed(waited=True)


def contended() -> Turns:
    """So many calls have lost that others take turns from the start."""
    turns = Turns()
    for _ in range(6):
        lose(turns, "t", "a")
    return turns


def commit(turns: Turns, *written: str, function: str = "m:f", **arguments: Any) -> None:
    call = calling(turns, function, **arguments)
    call.has_written(set(written))
    call.has_committed(waited=False)


def calling(turns: Turns, function: str = "m:f", **arguments: Any) -> Contender:
    def given() -> Mapping[str, Any]:
        return arguments

    return turns.contender(function, given)


def test_a_function_that_competes_often_takes_turns_from_the_start() -> None:
    turns = Turns()
    for _ in range(3):
        lose(turns, "t", "a")
    assert calling(turns).places == set()
    for _ in range(3):
        lose(turns, "t", "a")
    assert calling(turns).places == {A}
    assert calling(turns, "m:g").places == set()


def test_a_function_that_competes_no_more_is_forgotten() -> None:
    turns = Turns()
    for _ in range(100):
        lose(turns, "t", "a")
    assert turns._functions["m:f"].share > CONTENDED
    for _ in range(100):
        commit(turns, "z")
    assert turns._functions == {}
    commit(turns, function="m:g")
    assert turns._functions == {}


def test_a_document_is_guessed_by_the_argument_that_means_it() -> None:
    turns = Turns()
    for number in range(60):
        # Everybody pays `a` or `b` the same amount; who pays never matters.
        payee = "ab"[number % 2]
        lose(turns, "t", payee, payer=number, payee=payee, amount=1)
    assert calling(turns, payer=0, payee="a", amount=1).places == {A}
    assert calling(turns, payer=99, payee="b", amount=1).places == {B}
    assert calling(turns, payer=99, payee="c", amount=1).places == set()
    assert calling(turns, payer=99, payee="a", amount=7).places == {A}


def test_what_was_guessed_wrongly_is_guessed_no_more() -> None:
    turns = Turns()
    for _ in range(20):
        lose(turns, "t", "a", key=1)
    assert calling(turns, key=1).places == {A}
    for _ in range(3):
        lose(turns, "t", "b", key=2)
        commit(turns, "c", key=1)
    assert calling(turns, key=1).places == set()


def test_who_loses_at_one_document_after_the_other_waits_for_the_table() -> None:
    turns = Turns()
    for number in range(30):
        call = calling(turns)
        call.has_lost("t", f"{number}")
        assert len(call.places) <= 2
        call.has_lost("t", f"{number + 1}")
        call.has_lost("t", f"{number + 2}")
        assert call.places == {Place("t")}
    assert calling(turns).places == {Place("t")}


async def most_succeed(tmp_path: Path, world: ScriptedWorld, calls: list[dict[str, Any]]) -> None:
    async with running(tmp_path, world) as engine:
        for number in range(4):
            assert (await engine.mutation("h:open", {"number": number})).error is None
        world.runs.clear()

        async def client(mine: list[dict[str, Any]]) -> None:
            for args in mine:
                assert (await engine.mutation("h:count", args)).error is None

        await asyncio.gather(*(client(calls[start::16]) for start in range(16)))
        rows = sum([row["n"] for row in (await engine.query("h:all", {})).value])
        assert rows == len(calls)
        assert len(world.runs) < 1.5 * len(calls)


def counters() -> ScriptedWorld:
    world = ScriptedWorld()

    @world.mutation("h:open")
    async def open(run: ScriptedRun, args: dict) -> None:
        await run.insert("counters", number=args["number"], n=0)

    @world.mutation("h:count")
    async def count(run: ScriptedRun, args: dict) -> None:
        for row in await run.all("counters"):
            if row["number"] == args.get("number", row["number"]):
                await run.call("1.0/shallowMerge", {"id": row["_id"], "value": {"n": row["n"] + 1}})
                return

    @world.query("h:all")
    async def all(run: ScriptedRun, args: dict) -> Any:
        return await run.all("counters")

    return world


async def test_most_attempts_at_a_hot_row_succeed(tmp_path: Path) -> None:
    await most_succeed(tmp_path, counters(), [{}] * 320)
