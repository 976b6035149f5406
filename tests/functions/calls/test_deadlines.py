"""The waiting time of queries and mutations."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from functions.engine import ScriptedRun, ScriptedWorld, running
from functions.pool_hosts import IdleHost, request
from parabola.functions.calls.deadlines import DeadlinePassed, Deadlines
from parabola.functions.settings import FunctionSettings


async def test_a_run_ends_when_its_deadline_has_passed() -> None:
    deadlines = Deadlines(interval=0.01)
    host = IdleHost()
    late, later = host.run(request()), host.run(request())
    now = asyncio.get_running_loop().time()
    deadlines.watch(late, now + 0.01)
    deadlines.watch(later, now + 1000)
    with pytest.raises(DeadlinePassed):
        await late.next()
    assert later._error is None
    deadlines.close()


async def test_a_run_that_has_ended_is_left_alone() -> None:
    deadlines = Deadlines(interval=0.01)
    host = IdleHost()
    run = host.run(request())
    deadlines.watch(run, 0)
    deadlines.forget(run)
    await asyncio.sleep(0.03)
    assert run._error is None
    assert deadlines._timer is None


async def test_a_call_that_waits_too_long_fails_and_nested_ones_with_it(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.query("d:waits")
    async def waits(run: ScriptedRun, args: dict) -> None:
        await asyncio.Future()

    @world.query("d:outer")
    async def outer(run: ScriptedRun, args: dict) -> None:
        await run.call("1.0/runUdf", {"udfType": "query", "name": "d:waits", "args": {}})

    async with running(tmp_path, world, settings=FunctionSettings(system_seconds=0.05)) as engine:
        engine.runner.deadlines._interval = 0.01
        for name in ("d:waits", "d:outer"):
            result = await engine.query(name)
            assert result.error is not None
            assert result.error.message == "Your request timed out performing too many system operations."
        await asyncio.sleep(0)
        assert len(world.cancelled) == 3


async def test_time_without_a_processor_moves_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    class StarvedHost(IdleHost):
        waiting = 0.0

        def waiting_seconds(self) -> float:
            self.waiting += 100.0
            return self.waiting

    class SleepyHost(IdleHost):
        def waiting_seconds(self) -> float:
            return 7.0

    deadlines = Deadlines(interval=0.01)
    starved, sleepy = StarvedHost().run(request()), SleepyHost().run(request())
    now = asyncio.get_running_loop().time()
    deadlines.watch(starved, now + 0.05)
    deadlines.watch(sleepy, now + 0.05)
    with pytest.raises(DeadlinePassed):
        await sleepy.next()
    assert starved._error is None
    monkeypatch.setattr("parabola.functions.calls.deadlines.MAX_EXTENSION_SECONDS", 0.05)
    deadlines.watch(starved, now + 0.05)
    with pytest.raises(DeadlinePassed):  # not for ever
        await starved.next()
    deadlines.close()
