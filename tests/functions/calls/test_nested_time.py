"""Functions of one transaction share one time limit; each moment of it is counted once (js-runtime §5.5)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.engine import CallFailed, ScriptedRun, ScriptedWorld, running

TREES = st.recursive(
    st.builds(lambda ms: {"ms": [ms], "calls": []}, st.integers(0, 20)),
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda calls: st.lists(st.integers(0, 20), min_size=len(calls) + 1, max_size=len(calls) + 1).map(
            lambda ms: {"ms": ms, "calls": calls}
        )
    ),
    max_leaves=12,
)
"""What a function uses before, between and after its calls."""


def total(tree: dict[str, Any]) -> float:
    return sum(tree["ms"]) + sum(map(total, tree["calls"]))


def depth(tree: dict[str, Any]) -> int:
    return 1 + max(map(depth, tree["calls"]), default=0)


def world_of_trees(told: list[tuple[float, float]]) -> ScriptedWorld:
    """A function that does what a tree says. `told` gets pairs: others' time as it is told, and as it is."""
    world = ScriptedWorld()
    spent = 0.0

    @world.mutation("n:tree", visibility="public")
    async def tree(run: ScriptedRun, args: dict[str, Any]) -> None:
        nonlocal spent
        if not run.message.get("nested"):
            spent = 0.0
        told.append((run.message.get("userMsUsed", 0.0), spent))
        own = args["ms"][0]
        spent += own
        for ms, callee in zip(args["ms"][1:], args["calls"], strict=True):
            run.usage["userMs"] = own
            try:
                await run.call("1.0/runUdf", {"udfType": "mutation", "name": "n:tree", "args": callee})
            except CallFailed:
                raise AssertionError from None
            told.append((run.others_ms, spent - own))
            own += ms
            spent += ms
        run.usage["userMs"] = own

    return world


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES.filter(lambda tree: depth(tree) <= 8))
def test_the_time_of_a_tree_of_calls_is_the_sum_of_its_parts(tmp_path_factory: Any, tree: dict) -> None:
    async def check(folder: Path) -> None:
        told: list[tuple[float, float]] = []
        async with running(folder, world_of_trees(told)) as engine:
            cursor = engine.runner.log.head()
            assert (await engine.mutation("n:tree", tree)).error is None
            [entry] = engine.runner.log.after(cursor)
            assert round(entry.user_execution_time * 1000, 6) == total(tree)
            assert [round(a, 3) for a, _ in told] == [round(b, 3) for _, b in told]

    asyncio.run(check(tmp_path_factory.mktemp("tree")))
