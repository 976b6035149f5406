"""Live queries and their cache: one execution for all who ask, exact invalidation, one timestamp."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import KEPT
from parabola.functions.queries import query_cache

ANNA = Identity.user({"subject": "anna", "issuer": "i", "tokenIdentifier": "i|anna"})
BERT = Identity.user({"subject": "bert", "issuer": "i", "tokenIdentifier": "i|bert"})


def notes_world() -> ScriptedWorld:
    world = ScriptedWorld()

    @world.query("n:all")
    async def everything(run: ScriptedRun, args: dict) -> list:
        return [row["text"] for row in await run.all("notes")]

    @world.query("n:other")
    async def other(run: ScriptedRun, args: dict) -> list:
        return await run.all("others")

    @world.query("n:who")
    async def who(run: ScriptedRun, args: dict) -> str:
        identity = await run.call("1.0/getUserIdentity", {"requestId": ""})
        return "nobody" if identity is None else identity["subject"]

    @world.query("n:fails")
    async def fails(run: ScriptedRun, args: dict) -> str:
        await run.all("notes")
        raise ValueError("no")

    @world.query("n:clock")
    async def clock(run: ScriptedRun, args: dict) -> float:
        run.usage["usedClock"] = True
        return run.message["now"]

    @world.query("n:page")
    async def page(run: ScriptedRun, args: dict) -> list:
        query = {"source": {"type": "FullTableScan", "tableName": "notes", "order": "asc"}, "operators": []}
        answer = await run.call(
            "1.0/queryPage",
            {"query": query, "cursor": None, "endCursor": None, "pageSize": 2, "maximumRowsRead": None},
        )
        return [row["text"] for row in answer["page"]]

    @world.mutation("n:add")
    async def add(run: ScriptedRun, args: dict) -> str:
        return await run.insert(args.get("table", "notes"), text=args["text"])

    @world.mutation("n:remove")
    async def remove(run: ScriptedRun, args: dict) -> None:
        await run.call("1.0/remove", {"id": args["id"]})

    return world


def runs_of(world: ScriptedWorld, name: str) -> int:
    return sum(run["path"] == f"n.py:{name}" for run in world.runs)


async def test_one_execution_serves_all_holders(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        lives = [engine.live("n:all") for _ in range(50)]
        results = await asyncio.gather(*(engine.now(live) for live in lives))
        assert len(set(map(id, results))) == 1
        assert runs_of(world, "all") == 1


async def test_a_write_is_told_to_each_holder_once_and_run_once(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        told = [0] * 10
        lives = []
        for i in range(10):

            def on_invalid(i: int = i) -> None:
                told[i] += 1

            live = engine.live("n:all", on_invalid=on_invalid)
            await engine.now(live)
            lives.append(live)
        await engine.mutation("n:add", {"text": "a"})
        await engine.mutation("n:add", {"text": "b"})
        assert told == [1] * 10
        results = await asyncio.gather(*(engine.now(live) for live in lives))
        assert results[0].value == ["a", "b"]
        assert runs_of(world, "all") == 2


async def test_a_write_elsewhere_is_told_to_nobody(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        told: list[str] = []
        live = engine.live("n:all", on_invalid=lambda: told.append("n:all"))
        await engine.mutation("n:add", {"text": "a"})
        first = await engine.now(live)
        await engine.mutation("n:add", {"text": "x", "table": "others"})
        assert told == []
        assert await engine.now(live) is first
        assert runs_of(world, "all") == 1


async def test_creating_a_table_invalidates_who_missed_it(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        told: list[str] = []
        live = engine.live("n:other", on_invalid=lambda: told.append("!"))
        assert (await engine.now(live)).value == []
        await engine.mutation("n:add", {"text": "a"})
        assert told == []
        await engine.mutation("n:add", {"text": "x", "table": "others"})
        assert told == ["!"]


async def test_a_result_holds_at_its_timestamp(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        live = engine.live("n:all")
        first_ts = (await engine.mutation("n:add", {"text": "a"})).ts
        second_ts = (await engine.mutation("n:add", {"text": "b"})).ts
        assert (await live.result_at(first_ts)).value == ["a"]
        assert (await live.result_at(second_ts)).value == ["a", "b"]
        assert (await engine.query("n:all", ts=first_ts)).value == ["a"]


async def test_who_asks_for_a_result_that_is_outdated_already_is_told_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        told: list[str] = []
        ts = engine.database.durable_ts
        await engine.mutation("n:add", {"text": "a"})
        live = engine.live("n:all", on_invalid=lambda: told.append("!"))
        assert (await live.result_at(ts)).value == []
        assert told == ["!"]


async def test_results_that_do_not_look_at_the_identity_are_shared_by_all(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        await asyncio.gather(*(engine.query("n:all", identity=who) for who in (ANNA, BERT)))
        assert runs_of(world, "all") == 1


async def test_results_that_look_at_the_identity_are_its_own(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        anna, bert, nobody = await asyncio.gather(
            engine.query("n:who", identity=ANNA), engine.query("n:who", identity=BERT), engine.query("n:who")
        )
        assert (anna.value, bert.value, nobody.value) == ("anna", "bert", "nobody")
        assert (await engine.query("n:who", identity=ANNA)) is anna
        assert runs_of(world, "who") == 3


async def test_spellings_of_a_name_and_orders_of_arguments_are_one_query(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        await engine.query("n:all", {"a": 1, "b": 2})
        await engine.query("n.js:all", [{"b": 2.0, "a": 1.0}])
        assert runs_of(world, "all") == 1


async def test_failures_are_shared_while_held_and_then_forgotten(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        told: list[str] = []
        one = engine.live("n:fails", on_invalid=lambda: told.append("!"))
        two = engine.live("n:fails")
        assert (await engine.now(one)).error is (await engine.now(two)).error
        assert runs_of(world, "fails") == 1
        await engine.mutation("n:add", {"text": "a"})
        assert told == ["!"]
        one.close()
        two.close()
        await engine.query("n:fails")
        await engine.query("n:fails")
        assert runs_of(world, "fails") == 3


async def test_an_unknown_function_appears_with_the_push_that_brings_it(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        told: list[str] = []
        live = engine.live("n:later", on_invalid=lambda: told.append("!"))
        result = await engine.now(live)
        assert result.error is not None
        assert result.error.message == "Could not find public function for 'n:later'."

        @world.query("n:later")
        async def later(run: ScriptedRun, args: dict) -> str:
            return "here"

        await engine.deploy()
        assert told == ["!"]
        assert (await engine.now(live)).value == "here"


async def test_the_journal_keeps_the_end_of_a_page(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        ids = [(await engine.mutation("n:add", {"text": text})).value for text in "abc"]
        live = engine.live("n:page")
        assert (await engine.now(live)).value == ["a", "b"]
        journal = live.journal
        assert journal is not None
        await engine.mutation("n:remove", {"id": ids[0]})
        assert (await engine.now(live)).value == ["b"]
        back = engine.live("n:page", journal=journal)
        assert (await engine.now(back)).value == ["b"]
        fresh = engine.live("n:page")
        assert (await engine.now(fresh)).value == ["b", "c"]


async def test_a_result_that_saw_the_clock_is_given_to_others_only_while_it_is_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        live = engine.live("n:clock")
        first = await engine.now(live)
        assert await engine.query("n:clock") is first
        monkeypatch.setattr(query_cache, "CLOCK_SECONDS", 0.0)
        assert await engine.query("n:clock") is not first
        assert await engine.now(live) is first, "who holds a result is not disturbed by time alone"


async def test_results_nobody_holds_are_evicted_by_bytes(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        engine.runner.query_cache._capacity = 6 * KEPT
        held = engine.live("n:all", {"i": -1})
        await engine.now(held)
        for i in range(20):
            await engine.query("n:all", {"i": i})
        before = runs_of(world, "all")
        await engine.query("n:all", {"i": 19})
        await engine.now(held)
        assert runs_of(world, "all") == before
        await engine.query("n:all", {"i": 0})
        assert runs_of(world, "all") == before + 1


async def test_letting_go_leaves_no_subscription_behind(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        cache = engine.runner.query_cache
        cache._capacity = 0
        before = len(engine.database.subscriptions)
        lives = [engine.live("n:all", {"i": i}) for i in range(5)]
        for live in lives:
            await engine.now(live)
        assert len(engine.database.subscriptions) == before + 5
        for live in lives:
            live.close()
        assert len(engine.database.subscriptions) == before
        assert cache._families == {}


async def test_a_caller_who_goes_away_does_not_take_the_result_from_the_others(tmp_path: Path) -> None:
    world = notes_world()
    started, go_on = asyncio.Event(), asyncio.Event()

    @world.query("n:slow")
    async def slow(run: ScriptedRun, args: dict) -> str:
        started.set()
        await go_on.wait()
        return "done"

    async with running(tmp_path, world) as engine:
        first = asyncio.create_task(engine.query("n:slow"))
        await started.wait()
        second = asyncio.create_task(engine.query("n:slow"))
        await asyncio.sleep(0)
        first.cancel()
        go_on.set()
        assert (await second).value == "done"


async def test_requests_for_one_timestamp_share_a_run_and_later_ones_share_its_result(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        early = engine.database.durable_ts
        late = (await engine.mutation("n:add", {"text": "x", "table": "others"})).ts
        assert late > early
        one, two, three = await asyncio.gather(
            engine.query("n:all", ts=early), engine.query("n:all", ts=early), engine.query("n:all", ts=late)
        )
        assert one is two is three
        assert runs_of(world, "all") == 1


async def test_equal_results_have_equal_digests(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        live = engine.live("n:all")
        first = await engine.now(live)
        id = (await engine.mutation("n:add", {"text": "a"})).value
        second = await engine.now(live)
        await engine.mutation("n:remove", {"id": id})
        third = await engine.now(live)
        assert first.digest == third.digest != second.digest
