"""Calls between functions: one transaction, undone alone, in their order (js-runtime §8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from functions.engine import CallFailed, ScriptedRun, ScriptedWorld, running
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.values.validators.builder import v


def call(name: str, kind: str = "mutation", args: Any = None, **more: Any) -> tuple[str, dict]:
    return "1.0/runUdf", {"udfType": kind, "name": name, "args": args or {}, **more}


def nesting_world() -> ScriptedWorld:
    world = ScriptedWorld()

    @world.mutation("f:add")
    async def add(run: ScriptedRun, args: dict) -> str:
        run.log("adding")
        return await run.insert("t", n=args.get("n", 0))

    @world.mutation("f:add_then_fail")
    async def add_then_fail(run: ScriptedRun, args: dict) -> None:
        await run.insert("t", n=99)
        raise ValueError("no")

    @world.query("f:count")
    async def count(run: ScriptedRun, args: dict) -> float:
        return len(await run.all("t"))

    @world.query("f:calls", visibility="public")
    async def calls(run: ScriptedRun, args: dict) -> Any:
        return await run.call(*call(args["name"], args["kind"], args.get("args")))

    @world.mutation("f:script")
    async def script(run: ScriptedRun, args: dict) -> list:
        """Runs a list of calls; answers with their values, or the texts of their failures."""
        answers: list[Any] = []
        for step in args["steps"]:
            more = {name: step[name] for name in ("transactionLimits",) if name in step}
            try:
                answers.append(
                    await run.call(
                        *call(step["name"], step.get("kind", "mutation"), step.get("args"), **more)
                    )
                )
            except CallFailed as failed:
                answers.append(failed.error)
        return answers

    return world


async def test_a_callee_sees_and_adds_to_its_callers_writes(tmp_path: Path) -> None:
    async with running(tmp_path, nesting_world()) as engine:
        steps = [
            {"name": "f:add"},
            {"name": "f:count", "kind": "query"},
            {"name": "f:add"},
            {"name": "f:count", "kind": "query"},
        ]
        result = await engine.mutation("f:script", {"steps": steps})
        assert result.value[1] == 1.0
        assert result.value[3] == 2.0
        assert (await engine.query("f:count")).value == 2.0


async def test_a_callee_that_fails_is_undone_alone(tmp_path: Path) -> None:
    async with running(tmp_path, nesting_world()) as engine:
        steps = [{"name": "f:add"}, {"name": "f:add_then_fail"}, {"name": "f:count", "kind": "query"}]
        result = await engine.mutation("f:script", {"steps": steps})
        assert result.value[1]["message"].startswith("Uncaught ValueError('no')")
        assert result.value[2] == 1.0
        assert (await engine.query("f:count")).value == 1.0


async def test_a_stale_snapshot_sees_none_of_the_pending_writes(tmp_path: Path) -> None:
    async with running(tmp_path, nesting_world()) as engine:
        steps = [{"name": "f:add"}, {"name": "f:count", "kind": "snapshotQuery"}]
        assert (await engine.mutation("f:script", {"steps": steps})).value[1] == 0.0


async def test_lines_of_a_callee_are_named_after_it(tmp_path: Path) -> None:
    async with running(tmp_path, nesting_world()) as engine:
        result = await engine.mutation("f:script", {"steps": [{"name": "f:add"}]})
        (line,) = result.log_lines
        assert (line.messages, line.udf_path) == (("adding",), "f:add")


async def test_lines_written_before_a_call_stand_before_those_of_the_callee(tmp_path: Path) -> None:
    world = nesting_world()

    @world.mutation("f:talks")
    async def talks(run: ScriptedRun, args: dict) -> None:
        run.host.tell(
            {
                "type": "log",
                "id": run.message["id"],
                "lines": [{"level": "LOG", "messages": ["before"], "timestamp": 0, "isTruncated": False}],
            }
        )
        await run.call(*call("f:add"))
        run.log("after")

    async with running(tmp_path, world) as engine:
        result = await engine.mutation("f:talks")
        assert [line.messages[0] for line in result.log_lines] == ["before", "adding", "after"]


async def test_what_may_call_what(tmp_path: Path) -> None:
    async with running(tmp_path, nesting_world()) as engine:
        result = await engine.query("f:calls", {"name": "f:add", "kind": "mutation"})
        assert result.error is not None
        assert "Cannot call a Mutation function from a Query function" in result.error.message
        result = await engine.query("f:calls", {"name": "f:add", "kind": "query"})
        assert result.error is not None
        assert "Trying to execute f.py:add as Query, but it is defined as Mutation." in result.error.message
        assert (await engine.query("f:calls", {"name": "f:count", "kind": "query"})).value == 0.0


async def test_an_unknown_callee_and_a_malformed_name(tmp_path: Path) -> None:
    async with running(tmp_path, nesting_world()) as engine:
        steps = [{"name": "f:nope"}, {"name": "a b"}]
        unknown, malformed = (await engine.mutation("f:script", {"steps": steps})).value
        assert unknown["message"].startswith(
            "Could not find public function for 'f:nope'. There is `f:add`, "
        )
        assert "a b is not a valid path" in malformed["message"]


async def test_internal_functions_can_be_called_from_functions_only(tmp_path: Path) -> None:
    world = nesting_world()

    @world.query("f:secret", visibility="internal")
    async def secret(run: ScriptedRun, args: dict) -> str:
        return "s"

    async with running(tmp_path, world) as engine:
        assert (await engine.query("f:calls", {"name": "f:secret", "kind": "query"})).value == "s"
        refused = await engine.query("f:secret")
        assert refused.error is not None
        assert refused.error.message == "Could not find public function for 'f:secret'."
        assert (await engine.query("f:secret", public_only=False)).value == "s"


async def test_a_callees_arguments_and_result_are_validated(tmp_path: Path) -> None:
    world = nesting_world()

    @world.query("f:typed", args=v.object({"n": v.number()}), returns=v.string())
    async def typed(run: ScriptedRun, args: dict) -> Any:
        return args["n"] if args["n"] else "zero"

    async with running(tmp_path, world) as engine:
        steps = [
            {"name": "f:typed", "kind": "query", "args": args} for args in ({"n": 0}, {"n": "x"}, {"n": 1})
        ]
        good, bad_args, bad_result = (await engine.mutation("f:script", {"steps": steps})).value
        assert good == "zero"
        assert bad_args["message"].startswith("ArgumentValidationError: ")
        assert bad_result["message"].startswith("ReturnsValidationError: ")


async def test_data_of_a_convex_error_survives_any_depth(tmp_path: Path) -> None:
    world = nesting_world()

    @world.mutation("f:refuse")
    async def refuse(run: ScriptedRun, args: dict) -> None:
        raise CallFailed({"message": "full", "data": {"code": "full"}})

    @world.mutation("f:outer")
    async def outer(run: ScriptedRun, args: dict) -> None:
        await run.call(*call("f:refuse"))

    async with running(tmp_path, world) as engine:
        result = await engine.mutation("f:outer")
        assert result.error is not None
        assert result.error.data == {"code": "full"}
        assert (
            result.error.message == "Uncaught Error: Uncaught Error: full\n    at handler (convex/f.py:1)\n"
        )


async def test_depth_is_limited(tmp_path: Path) -> None:
    world = nesting_world()

    @world.mutation("f:deeper")
    async def deeper(run: ScriptedRun, args: dict) -> float:
        try:
            return 1 + await run.call(*call("f:deeper"))
        except CallFailed as failed:
            return 0 if "Cross component call depth limit exceeded" in str(failed) else -100

    async with running(tmp_path, world) as engine:
        assert (await engine.mutation("f:deeper")).value == 8.0


async def test_a_callee_has_the_callers_clock_and_a_seed_of_its_own(tmp_path: Path) -> None:
    world = nesting_world()
    async with running(tmp_path, world) as engine:
        await engine.mutation("f:script", {"steps": [{"name": "f:add"}, {"name": "f:add"}]})
        assert len({run["now"] for run in world.runs}) == 1
        assert len({run["seed"] for run in world.runs}) == 3
        assert len({run["snapshotTs"] for run in world.runs}) == 1


async def test_a_nested_limit_binds_the_callee_only(tmp_path: Path) -> None:
    async with running(tmp_path, nesting_world()) as engine:
        steps = [{"name": "f:add", "transactionLimits": {"documentsWritten": 0}}, {"name": "f:add"}]
        limited, free = (await engine.mutation("f:script", {"steps": steps})).value
        assert "Too many writes in a single function execution" in limited["message"]
        assert isinstance(free, str)


async def test_a_timeout_of_the_callee_ends_the_caller_too(tmp_path: Path) -> None:
    world = nesting_world()

    @world.mutation("f:hangs")
    async def hangs(run: ScriptedRun, args: dict) -> None:
        run.host.end(
            blamed=run.message["id"],
            failure=FunctionFailure("Function execution timed out (maximum duration: 1s)", kind="timeout"),
            startup="",
        )

    async with running(tmp_path, world) as engine:
        result = await engine.mutation("f:script", {"steps": [{"name": "f:hangs"}]})
        assert result.error is not None
        assert result.error.kind == "timeout"


async def test_a_callee_may_paginate_beside_its_caller(tmp_path: Path) -> None:
    world = nesting_world()
    query = {"source": {"type": "FullTableScan", "tableName": "t", "order": "asc"}, "operators": []}
    page = ("1.0/queryPage", {"query": query, "cursor": None, "pageSize": 1})

    @world.query("f:pages")
    async def pages(run: ScriptedRun, args: dict) -> str:
        await run.call(*page)
        await run.call(*call("f:inner", "query"))
        try:
            await run.call(*page)
        except CallFailed as failed:
            return str(failed)
        return "two pages"

    @world.query("f:inner")
    async def inner(run: ScriptedRun, args: dict) -> None:
        await run.call(*page)

    async with running(tmp_path, world) as engine:
        assert (await engine.query("f:pages")).value.startswith(
            "This query or mutation function ran multiple paginated"
        )


async def test_identity_read_by_a_callee_counts_for_the_caller(tmp_path: Path) -> None:
    world = nesting_world()

    @world.query("f:who")
    async def who(run: ScriptedRun, args: dict) -> Any:
        return (await run.call("1.0/getUserIdentity", {"requestId": ""}))["subject"]

    async with running(tmp_path, world) as engine:
        args = {"name": "f:who", "kind": "query"}
        for subject in ("anna", "bert"):
            assert (await engine.query("f:calls", args, Identity.user({"subject": subject}))).value == subject
