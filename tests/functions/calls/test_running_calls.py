"""What runs can be waited for and cut: nothing of queries and mutations remains, actions end as failed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.calls.running_calls import ACTION_CUT, CALL_CUT
from parabola.values.errors import ServerShutdown


class Waiting:
    """Functions that write something and then wait for ever."""

    def __init__(self) -> None:
        self.world = ScriptedWorld()
        self.began = asyncio.Semaphore(0)

        @self.world.query("a:query")
        async def query(run: ScriptedRun, args: dict) -> None:
            await self._wait()

        @self.world.mutation("a:mutation")
        async def mutation(run: ScriptedRun, args: dict) -> None:
            await run.insert("t")
            await self._wait()

        @self.world.action("a:action")
        async def action(run: ScriptedRun, args: dict) -> None:
            await self._wait()

        @self.world.action("a:caller")
        async def caller(run: ScriptedRun, args: dict) -> None:
            await run.call("1.0/actions/mutation", {"name": "a:mutation", "args": {}})

    async def _wait(self) -> None:
        self.began.release()
        await asyncio.Event().wait()


async def test_what_runs_is_named_and_what_has_ended_is_not(tmp_path: Path) -> None:
    waiting = Waiting()
    async with running(tmp_path, waiting.world) as engine:
        calls = [
            asyncio.create_task(engine.action("a:caller")),
            asyncio.create_task(engine.action("a:action")),
        ]
        await waiting.began.acquire()
        await waiting.began.acquire()
        # A mutation that an action calls has a transaction, and so a place, of its own.
        names = {(call.kind, call.name) for call in engine.runner.running.calls}
        assert names == {("action", "a:caller"), ("mutation", "a:mutation"), ("action", "a:action")}
        engine.runner.running.cut()
        await asyncio.gather(*calls)
        assert engine.runner.running.calls == []


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_a_query_or_mutation_that_is_cut_has_no_effect(tmp_path: Path, kind: str) -> None:
    waiting = Waiting()
    async with running(tmp_path, waiting.world) as engine:
        call = asyncio.create_task(getattr(engine, kind)(f"a:{kind}"))
        await waiting.began.acquire()
        cut = engine.runner.running.cut()
        assert [each.name for each in cut] == [f"a:{kind}"]
        with pytest.raises(ServerShutdown, match=CALL_CUT) as raised:
            await call
        assert raised.value.can_be_repeated
        assert not [table for table in engine.database.registry.tables("") if table.name == "t"]


async def test_an_action_that_is_cut_has_failed_and_is_in_the_log(tmp_path: Path) -> None:
    waiting = Waiting()
    async with running(tmp_path, waiting.world) as engine:
        call = asyncio.create_task(engine.action("a:action"))
        await waiting.began.acquire()
        engine.runner.running.cut()
        result = await call
        assert result.error is not None
        assert (result.error.kind, result.error.message) == ("shutdown", ACTION_CUT)
        assert engine.runner.log.after(0)[-1].error == result.error


async def test_what_begins_after_the_cut_ends_at_once(tmp_path: Path) -> None:
    waiting = Waiting()
    async with running(tmp_path, waiting.world) as engine:
        engine.runner.running.cut()
        with pytest.raises(ServerShutdown):
            await engine.mutation("a:mutation")
