"""Live queries and their cache: one execution for all who ask, exact invalidation, one timestamp."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import KEPT, FunctionResult
from parabola.functions.queries import query_cache
from parabola.values.errors import InternalServerError

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


# Queries in flight


async def test_a_run_that_nobody_awaits_serves_all_who_want_to_be_told_in_order(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        told: list[int] = []
        done = asyncio.Event()
        lives = [engine.live("n:all") for _ in range(200)]
        for number, live in enumerate(lives):

            def tell(found: object, number: int = number) -> None:
                assert isinstance(found, FunctionResult)
                assert found.value == []
                told.append(number)
                if len(told) == 200:
                    done.set()

            live.tell_at(engine.database.durable_ts, tell)
        assert told == [], "nothing is known yet"
        awaited = await engine.now(engine.live("n:all"))
        await done.wait()
        assert told == list(range(200))
        assert runs_of(world, "all") == 1
        known: list[object] = []
        lives[0].tell_at(engine.database.durable_ts, known.append)
        assert known == [awaited], "what is known is told at once"


async def test_who_is_told_follows_a_run_that_somebody_awaits_and_survives_its_end(tmp_path: Path) -> None:
    world = notes_world()
    began, gate = asyncio.Event(), asyncio.Event()

    @world.query("n:slow")
    async def slow(run: ScriptedRun, args: dict) -> str:
        began.set()
        await gate.wait()
        return "done"

    async with running(tmp_path, world) as engine:
        leader = asyncio.create_task(engine.query("n:slow"))
        await asyncio.wait_for(began.wait(), 30)
        told: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        engine.live("n:slow").tell_at(engine.database.durable_ts, told.set_result)
        leader.cancel()
        gate.set()
        found = await told
        assert isinstance(found, FunctionResult)
        assert found.value == "done"


async def test_callers_with_results_of_their_own_are_told_their_own(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        told: dict[str, asyncio.Future[object]] = {}
        for name, identity in (("anna", ANNA), ("bert", BERT)):
            told[name] = asyncio.get_running_loop().create_future()
            engine.live("n:who", identity=identity).tell_at(engine.database.durable_ts, told[name].set_result)
        for name, future in told.items():
            found = await future
            assert isinstance(found, FunctionResult)
            assert found.value == name


async def test_a_fault_is_told_and_not_tried_again_by_each(tmp_path: Path, monkeypatch) -> None:
    async with running(tmp_path, notes_world()) as engine:

        async def query(*args: object, **options: object) -> None:
            raise InternalServerError("broken")

        monkeypatch.setattr(engine.runner, "query", query)
        told: list[object] = []
        done = asyncio.Event()
        for live in [engine.live("n:all") for _ in range(5)]:
            live.tell_at(
                engine.database.durable_ts,
                lambda found: (told.append(found), done.set() if len(told) == 5 else None),
            )
        await done.wait()
        assert all(isinstance(found, InternalServerError) for found in told)
        assert engine.runner.query_cache.executions == 1


async def test_nothing_is_told_after_the_end(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        live = engine.live("n:all")
        live.tell_at(engine.database.durable_ts, lambda found: pytest.fail("it was closed"))
        live.close()
        await engine.now(engine.live("n:all"))


async def test_one_text_is_read_once_and_other_spellings_are_the_same_query(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        holder = engine.live("n:all", b'[{"a":1,"b":2}]')
        first = await engine.now(holder)
        for text in (b'[{"a":1,"b":2}]', b'[{"b": 2.0, "a": 1}]', b'[{"a":1,"b":2e0}]'):
            assert await engine.now(engine.live("n:all", text)) is first
        assert await engine.query("n:all", {"b": 2.0, "a": 1.0}) is first
        assert runs_of(world, "all") == 1


async def test_texts_are_forgotten_with_their_query(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        cache = engine.runner.query_cache
        holder = engine.live("n:all", b"[{}]")
        await engine.now(holder)
        others = [engine.live("n:all", b"[{%b}]" % (b" " * n)) for n in range(100)]
        for live in others:
            await engine.now(live)
        assert len(cache._spelled) <= 8
        for live in others:
            live.close()
        holder.close()
        await engine.mutation("n:add", {"text": "a"})
        assert (cache._spelled, cache._families) == ({}, {})


async def test_who_is_cancelled_with_the_one_who_runs_it_does_not_run_it_again(tmp_path: Path) -> None:
    world = notes_world()
    began = asyncio.Event()

    @world.query("n:never")
    async def never(run: ScriptedRun, args: dict) -> None:
        began.set()
        await asyncio.Event().wait()

    async with running(tmp_path, world) as engine:
        leader = asyncio.create_task(engine.query("n:never"))
        await began.wait()
        waiter = asyncio.create_task(engine.query("n:never"))
        await asyncio.sleep(0)
        leader.cancel()
        waiter.cancel()
        await asyncio.wait({leader, waiter})
        assert leader.cancelled()
        assert waiter.cancelled()
        assert runs_of(world, "never") == 1


async def test_long_arguments_count_and_are_kept_once(tmp_path: Path) -> None:
    """What the cache may take is said in bytes, whatever they are bytes of."""
    async with running(tmp_path, notes_world()) as engine:
        cache = engine.runner.query_cache
        long = b"x" * 100_000
        for text in (b'[{"a":"%b"}]' % long, b'[{ "a": "%b"}]' % long):
            await engine.query("n:all", text)
        (family,) = cache._families.values()
        assert family.spellings == []
        assert family._args is None
        assert cache._unheld_bytes > 100_000
        cache._capacity = 50_000
        await engine.query("n:all", b'[{"b":"%b"}]' % long)
        assert (cache._families, cache._unheld_bytes) == ({}, 0)


async def test_results_that_nobody_has_wanted_for_a_while_are_forgotten(tmp_path: Path) -> None:
    world = notes_world()
    async with running(tmp_path, world) as engine:
        cache = engine.runner.query_cache
        held = engine.live("n:all", {"i": -1})
        await engine.now(held)
        for i in range(200):
            await engine.query("n:all", {"i": i})
        await cache.forget_unused()
        await engine.query("n:all", {"i": 7})
        assert runs_of(world, "all") == 201, "what was wanted lately is kept"
        await cache.forget_unused()
        assert len(cache._families) == 2
        await engine.query("n:all", {"i": 7})
        await engine.now(held)
        assert runs_of(world, "all") == 201
        await engine.query("n:all", {"i": 8})
        assert runs_of(world, "all") == 202
        for _ in range(2):
            await cache.forget_unused()
        assert (len(cache._families), cache._unheld_bytes) == (1, 0)
