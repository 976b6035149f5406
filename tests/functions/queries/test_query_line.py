"""The line before hosts that keep a realm for each query under way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import force_setattr

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.queries import query_line
from parabola.functions.queries.query_cache import QueryKey
from parabola.functions.queries.query_line import PLACES_OF_A_HOST, QueryLine
from parabola.functions.settings import FunctionSettings


@given(seed=st.integers(0, 2**32))
def test_no_place_is_lost_or_given_twice(seed: int) -> None:
    random = Random(seed)

    async def history() -> None:
        held = most = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(query_line, "WAIT_SECONDS", 60.0)
            line = QueryLine(1)

        async def one() -> None:
            nonlocal held, most
            has_place = await line.enter()
            try:
                assert has_place
                held += 1
                most = max(most, held)
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                held -= 1
                if has_place:
                    line.leave()

        tasks = []
        for _ in range(40):
            tasks.append(asyncio.create_task(one()))
            if random.random() < 0.4:
                await asyncio.sleep(0)
            if random.random() < 0.3:
                random.choice(tasks).cancel()
        for task in tasks:
            try:
                await task
            except asyncio.CancelledError:
                assert task.cancelled()
        assert most <= PLACES_OF_A_HOST
        assert (line._line._free, len(line)) == (PLACES_OF_A_HOST, 0)

    asyncio.run(history())


async def test_who_waits_for_long_goes_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_line, "WAIT_SECONDS", 0.01)
    line = QueryLine(1)
    assert [await line.enter() for _ in range(PLACES_OF_A_HOST)] == [True] * PLACES_OF_A_HOST
    assert not await line.enter()
    line.leave()
    assert await line.enter()


async def test_only_some_are_sent_to_a_host_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QueryLine, "is_for", lambda *_: True)
    monkeypatch.setattr(query_line, "WAIT_SECONDS", 60.0)
    world = ScriptedWorld()
    under_way = most = 0

    @world.query("n:get")
    async def get(run: ScriptedRun, args: dict) -> float:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await run.all("notes")
        under_way -= 1
        if args["number"] % 7 == 0:
            raise ValueError("no")
        return args["number"]

    async with running(tmp_path, world, settings=FunctionSettings(hosts=2)) as engine:
        lives = [engine.live("n:get", {"number": float(number)}) for number in range(40)]
        results = await asyncio.gather(*(engine.now(live) for live in lives))
        assert [result.value for result in results if result.succeeded] == [n for n in range(40) if n % 7]
        assert most == 2 * PLACES_OF_A_HOST
        assert engine.runner.query_cache._line._line._free == 2 * PLACES_OF_A_HOST


async def test_it_is_for_typescript_that_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = ScriptedWorld()

    @world.query("n:get")
    async def get(run: ScriptedRun, args: dict) -> None: ...

    async with running(tmp_path, world) as engine:
        active = engine.runner.active

        def key(path: str, component: str = "") -> QueryKey:
            return QueryKey(component, parse_path(path), b"{}", None, True)

        monkeypatch.setattr(type(active.hosts), "executes", lambda *_: True)
        assert not QueryLine.is_for(active, key("n:get"))
        assert not QueryLine.is_for(active, key("n:other"))
        assert not QueryLine.is_for(active, key("n:get", "nowhere"))
        (spec,) = active.deployment.functions.values()
        force_setattr(spec, "runtime", "isolate")
        assert QueryLine.is_for(active, key("n:get"))
        monkeypatch.setattr(type(active.hosts), "executes", lambda *_: False)
        assert not QueryLine.is_for(active, key("n:get"))
