"""However the engine groups its answers, a function does the same things in the same order."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.driver import EngineSide, MiniDatabase
from parabola.hosts.python.in_process import InProcessHost

SOURCE = """
    @mutation
    async def run(ctx: MutationCtx, chains: list[int]):
        events = []
        async def chain(name, length):
            for step in range(length):
                await ctx.db.insert("t", {"name": f"{name}.{step}"})
                events.append(f"{name}.{step}")
                if step % 2:
                    inserts = (ctx.db.insert("t", {"name": f"{name}.{step}.{n}"}) for n in range(2))
                    await asyncio.gather(*inserts)
        await asyncio.gather(*(chain(name, length) for name, length in enumerate(chains)))
        return events
"""


async def run(chains: list[int], group_sizes: list[int]) -> tuple[Any, list[str]]:
    """The result and the writes in order, when answers come in groups of these sizes."""
    host = InProcessHost(lambda message: engine.receive(message))
    engine = EngineSide(host.post, MiniDatabase())
    try:
        await engine.ready
        await engine.serve(SOURCE)
        engine.held = []
        future = engine.start("m.py:run", {"chains": chains}, "mutation")
        sizes = iter(group_sizes * 1000)
        while not future.done():
            while engine.held:
                message = engine.held.pop(0)
                calls = message["calls"]
                while calls:
                    size = next(sizes, 1)
                    engine.answer({**message, "calls": calls[:size]})
                    calls = calls[size:]
            await asyncio.sleep(0)
        names = [row["name"] for row in engine.database.tables.get("t", {}).values()]
        return (await future).result, names
    finally:
        await host.close()


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4), max_size=4), st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_the_grouping_of_answers_changes_nothing(chains: list[int], group_sizes: list[int]) -> None:
    together = asyncio.run(run(chains, [1000]))
    assert asyncio.run(run(chains, group_sizes)) == together
