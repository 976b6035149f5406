"""Actions: run once, operations side by side, each in a transaction of its own (js-runtime §7.1)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from functions.engine import CallFailed, ScriptedRun, ScriptedWorld, running
from parabola.functions.calls.calling import RequestContext
from parabola.functions.calls.execution import Execution
from parabola.functions.deployed.identity import Identity
from parabola.functions.deployed.runtimes import host_limits
from parabola.functions.settings import FunctionSettings
from parabola.values.errors import InternalServerError, Overloaded


def action_world() -> ScriptedWorld:
    world = ScriptedWorld()

    @world.query("a:count", visibility="internal")
    async def count(run: ScriptedRun, args: dict) -> float:
        return len(await run.all("t"))

    @world.mutation("a:add", visibility="internal")
    async def add(run: ScriptedRun, args: dict) -> str:
        return await run.insert("t")

    @world.query("a:who")
    async def who(run: ScriptedRun, args: dict) -> Any:
        return await run.call("1.0/getUserIdentity", {"requestId": ""})

    @world.action("a:script")
    async def script(run: ScriptedRun, args: dict) -> list:
        answers: list[Any] = []
        for op, op_args in args["calls"]:
            try:
                answers.append(await run.call(op, op_args))
            except CallFailed as failed:
                answers.append(failed.error)
        return answers

    return world


async def test_each_call_of_an_action_is_a_transaction_of_its_own(tmp_path: Path) -> None:
    world = action_world()

    @world.action("a:act")
    async def act(run: ScriptedRun, args: dict) -> list:
        before = await run.call("1.0/actions/query", {"name": "a:count", "args": {}})
        await run.call("1.0/actions/mutation", {"name": "a:add", "args": {}})
        after = await run.call("1.0/actions/query", {"name": "a:count", "args": {}})
        raise ValueError(f"{before:.0f} {after:.0f}")

    async with running(tmp_path, world) as engine:
        result = await engine.action("a:act")
        assert result.error is not None
        assert result.error.message == "Uncaught ValueError('0 1')"
        assert (await engine.query("a:count", public_only=False)).value == 1.0


async def test_operations_run_side_by_side(tmp_path: Path) -> None:
    world = action_world()
    both = asyncio.Barrier(2)

    async def meet(execution: Execution, args: Any) -> Any:
        await both.wait()
        return "met"

    @world.action("a:parallel")
    async def parallel(run: ScriptedRun, args: dict) -> list:
        return await run.batch(("1.0/meet", {}), ("1.0/meet", {}))

    async with running(tmp_path, world) as engine:
        engine.runner.syscalls.register("1.0/meet", meet, contexts=("action",))
        assert (await engine.action("a:parallel")).value == ["met", "met"]


async def test_every_failure_is_the_actions_to_handle(tmp_path: Path) -> None:
    async with running(tmp_path, action_world()) as engine:

        async def overloaded(execution: Execution, args: Any) -> Any:
            raise Overloaded("Too busy.")

        async def broken(execution: Execution, args: Any) -> Any:
            raise InternalServerError("secret detail")

        async def buggy(execution: Execution, args: Any) -> Any:
            return args["missing"]

        for name, handler in (("overloaded", overloaded), ("broken", broken), ("buggy", buggy)):
            engine.runner.syscalls.register(f"1.0/{name}", handler, contexts=("action",))
        calls = [[f"1.0/{name}", {}] for name in ("overloaded", "broken", "buggy")]
        texts = [answer["message"] for answer in (await engine.action("a:script", {"calls": calls})).value]
        hidden = "Your request couldn't be completed. Try again later."
        assert texts == ["Too busy.", hidden, hidden]


async def test_there_is_no_database_in_an_action(tmp_path: Path) -> None:
    async with running(tmp_path, action_world()) as engine:
        calls = [["1.0/get", {"id": "x"}], ["1.0/insert", {}], ["1.0/getTransactionMetrics", {}]]
        answers = (await engine.action("a:script", {"calls": calls})).value
        assert [answer["message"] for answer in answers] == [
            "Unknown async operation 1.0/get",
            "Unknown async operation 1.0/insert",
            "Unknown async operation 1.0/getTransactionMetrics",
        ]


async def test_the_caller_is_passed_on(tmp_path: Path) -> None:
    async with running(tmp_path, action_world()) as engine:
        anna = Identity.user({"subject": "anna"})
        calls = [["1.0/actions/query", {"name": "a:who", "args": {}}], ["1.0/getUserIdentity", {}]]
        assert (await engine.action("a:script", {"calls": calls}, anna)).value == [{"subject": "anna"}] * 2


async def test_all_entries_of_a_call_agree_on_its_ids_and_say_who_called(tmp_path: Path) -> None:
    world = action_world()

    @world.action("a:root")
    async def root(run: ScriptedRun, args: dict) -> None:
        run.log("one")
        for kind in ("query", "mutation", "action"):
            name = {"query": "a:who", "mutation": "a:change", "action": "a:leaf"}[kind]
            await run.call(f"1.0/actions/{kind}", {"name": name, "args": {}})
        run.log("two")

    @world.action("a:leaf")
    async def leaf(run: ScriptedRun, args: dict) -> None:
        run.log("leaf")

    @world.mutation("a:change")
    async def change(run: ScriptedRun, args: dict) -> None:
        await run.insert("t", n=1)

    request = RequestContext("r" * 16, ip="10.0.0.1", caller="Cron")
    async with running(tmp_path, world) as engine:
        await engine.action("a:root", request=request)
        entries = engine.runner.log.after(0.0)
    by_name: dict[str, list] = {}
    for entry in entries:
        by_name.setdefault(entry.identifier, []).append(entry)
        assert entry.request_id == request.request_id
    assert {entry.kind for entry in by_name["a:root"]} == {"Progress", "Completion"}
    for name, made in by_name.items():
        assert len({entry.execution_id for entry in made}) == 1, name
    root_id = by_name["a:root"][0].execution_id
    ended = {entry.identifier: entry for entry in entries if entry.kind == "Completion"}
    assert (ended["a:root"].caller, ended["a:root"].parent_execution_id) == ("Cron", None)
    for name in ("a:who", "a:change", "a:leaf"):
        assert (ended[name].caller, ended[name].parent_execution_id) == ("Action", root_id)
        assert ended[name].to_json()["parentExecutionId"] == root_id


async def test_an_action_may_run_actions_beyond_the_limit_of_running_ones(tmp_path: Path) -> None:
    """Whoever waits holds a place already, so that those it waits for must not wait for one."""
    world = action_world()

    @world.action("a:nest")
    async def nest(run: ScriptedRun, args: dict) -> float:
        if args["depth"] == 0:
            return 0
        inner = {"name": "a:nest", "args": {"depth": args["depth"] - 1}}
        return 1 + await run.call("1.0/actions/action", inner)

    async with running(tmp_path, world) as engine:
        hosts = engine.runner.active.hosts._hosts_of["python"]
        hosts.actions._maximum = 1  # type: ignore[attr-defined]
        assert (await engine.action("a:nest", {"depth": 5})).value == 5.0
        too_deep = await engine.action("a:nest", {"depth": 12})
        assert too_deep.error is not None
        assert "depth limit exceeded" in too_deep.error.message


async def test_an_action_whose_host_dies_is_not_run_again(tmp_path: Path) -> None:
    world = action_world()

    @world.action("a:dies")
    async def dies(run: ScriptedRun, args: dict) -> None:
        run.host.die()

    async with running(tmp_path, world) as engine:
        result = await engine.action("a:dies")
        assert result.error is not None
        assert result.error.message == "The action's host ended while it was running."
        assert sum(run["kind"] == "action" for run in world.runs) == 1
        assert (await engine.action("a:script", {"calls": []})).value == []


async def test_what_is_left_running_is_dropped(tmp_path: Path) -> None:
    world = action_world()
    cancelled = asyncio.Event()

    async def forever(execution: Execution, args: Any) -> Any:
        try:
            await asyncio.Future()
        finally:
            cancelled.set()

    @world.action("a:dangling")
    async def dangling(run: ScriptedRun, args: dict) -> str:
        run.host.tell(
            {
                "type": "syscall",
                "id": run.message["id"],
                "calls": [{"call": 0, "op": "1.0/forever", "args": {}}],
            }
        )
        await asyncio.sleep(0.01)
        run.usage["unawaited"] = ["1.0/actions/mutation", "fetch"]
        return "done"

    async with running(tmp_path, world) as engine:
        engine.runner.syscalls.register("1.0/forever", forever, contexts=("action",))
        result = await engine.action("a:dangling")
        assert result.value == "done"
        await cancelled.wait()
        (line,) = result.log_lines
        assert (line.level, line.code) == ("WARN", "warning:UnawaitedOperations")
        assert line.messages[0].startswith(
            "2 unawaited operations: [mutation, fetch]. Async operations should be awaited"
        )


async def test_lines_are_known_while_the_action_runs(tmp_path: Path) -> None:
    world = action_world()
    go_on = asyncio.Event()

    @world.action("a:talks")
    async def talks(run: ScriptedRun, args: dict) -> None:
        line = {"level": "INFO", "messages": ["'hi'"], "timestamp": 1, "isTruncated": False}
        run.host.tell({"type": "log", "id": run.message["id"], "lines": [line]})
        await go_on.wait()

    async with running(tmp_path, world) as engine:
        log = engine.runner.log
        cursor = log.head()
        task = asyncio.create_task(engine.action("a:talks"))
        (entry,) = await log.wait_after(cursor, 5)
        assert (entry.kind, entry.identifier) == ("Progress", "a:talks")
        assert [str(line) for line in entry.log_lines] == ["[INFO] 'hi'"]
        go_on.set()
        assert [str(line) for line in (await task).log_lines] == ["[INFO] 'hi'"]
        (completion,) = log.after(entry.timestamp)
        assert (completion.kind, completion.log_lines) == ("Completion", ())


@pytest.mark.parametrize(("runtime", "seconds"), [("python", 1800), ("isolate", 1800), ("node", 600)])
def test_an_action_has_the_time_of_its_runtime(runtime: Any, seconds: int) -> None:
    assert host_limits(runtime, FunctionSettings()).action_seconds == seconds
    halved = FunctionSettings(action_seconds=900, node_action_seconds=300)
    assert host_limits(runtime, halved).action_seconds == seconds / 2


async def test_an_action_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    world = action_world()

    @world.action("a:waits")
    async def waits(run: ScriptedRun, args: dict) -> None:
        await asyncio.Future()

    async with running(tmp_path, world, settings=FunctionSettings(action_seconds=0.05)) as engine:
        result = await engine.action("a:waits")
        assert result.error is not None
        assert result.error.message == "Function execution timed out (maximum duration: 0.05s)"
