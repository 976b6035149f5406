"""The host inside this process."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import orjson

from hosts.driver import EngineSide
from parabola.hosts.python.in_process import InProcessHost

SOURCE = """
    import time, random
    @mutation
    async def create(ctx: MutationCtx, text: str) -> Id["tasks"]:
        print("creating", text)
        return await ctx.db.insert("tasks", {"text": text, "at": time.time(), "dice": random.random()})
    @query
    def read(ctx: QueryCtx):
        return [row["text"] for row in ctx.db.query("tasks")]
    @action
    async def act(ctx: ActionCtx):
        await asyncio.sleep(0.001)
        return await ctx.run_query("m:read")
    @action
    def block(ctx: ActionCtx):
        time.sleep(0.001)
        return ctx.run_query("m:read")
    @query
    async def touch(ctx: QueryCtx):
        open("/etc/hosts")
"""


class Said:
    """What a host said."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict] = asyncio.Queue()

    def __call__(self, message: dict) -> None:
        self.messages.put_nowait(message)

    async def first(self, count: int) -> list[dict]:
        return [await self.messages.get() for _ in range(count)]


@contextlib.asynccontextmanager
async def inline_host() -> AsyncIterator[EngineSide]:
    messages: list[dict] = []
    host = InProcessHost(lambda message: engine.receive(message) if not messages else None)
    engine = EngineSide(host.post)
    await engine.ready
    try:
        yield engine
    finally:
        await host.close()


async def test_it_is_the_same_host() -> None:
    real_random = random.random
    async with inline_host() as engine:
        await engine.serve(SOURCE)
        created = await engine.mutation("m.py:create", text="milk")
        assert created.logs == ["[LOG] creating milk"]
        row = engine.database.tables["tasks"][created.result]
        assert row["at"] == 1_700_000_000.123
        assert (await engine.query("m.py:read")).result == ["milk"]
        engine.database.functions["m:read"] = lambda args: ["milk"]
        assert (await engine.action("m.py:act")).result == ["milk"]
        assert (await engine.action("m.py:block")).result == ["milk"]
        assert "Can't use open('/etc/hosts')" in (await engine.query("m.py:touch")).error
        assert time.time() > 1.75e9, "the clock stands still for functions alone"
    assert random.random is real_random


async def test_two_hosts_side_by_side_have_their_own_modules() -> None:
    source = "\nn = {n}\n@query\ndef get(ctx):\n    from . import m\n    return m.n\n"
    async with inline_host() as first, inline_host() as second:
        await first.serve(source.format(n=1))
        await second.serve(source.format(n=2))
        assert (await first.query("m.py:get")).result == 1.0
        assert (await second.query("m.py:get")).result == 2.0
        assert (await first.query("m.py:get")).result == 1.0


async def test_many_runs_in_flight_on_the_loop_of_the_test() -> None:
    async with inline_host() as engine:
        await engine.serve(SOURCE)
        created = await asyncio.gather(*(engine.mutation("m.py:create", text=str(n)) for n in range(20)))
        assert len({outcome.result for outcome in created}) == 20


async def test_messages_are_taken_as_bytes_too_and_nothing_is_said_after_closing() -> None:
    said = Said()
    host = InProcessHost(said)
    modules = [
        {
            "path": "m.py",
            "source": "from parabola import query\n@query\nasync def f(ctx):\n    await ctx.db.get('x')",
        }
    ]
    await host.send(orjson.dumps({"type": "load", "deployment": "d", "modules": modules}))
    run = {"type": "run", "id": 1, "kind": "query", "path": "m.py:f", "args": {}}
    await host.send(run)
    assert [message["type"] for message in await said.first(3)] == ["ready", "loaded", "syscall"]
    await host.close()
    host.post({"type": "reply", "id": 1, "replies": [{"call": 1, "value": None}]})
    await asyncio.sleep(0)
    assert said.messages.empty()


async def test_the_source_may_be_a_real_file_for_debuggers(tmp_path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "from parabola import query\n@query\nasync def f(ctx):\n    raise ValueError(f.source[0])\n"
    )
    said = Said()
    host = InProcessHost(said)
    try:
        module = {"path": "m.py", "source": path.read_text(), "file": str(path)}
        host.post({"type": "load", "deployment": "d", "modules": [module]})
        host.post({"type": "run", "id": 1, "kind": "query", "path": "m.py:f", "args": {}})
        error = (await said.first(3))[2]["error"]
        assert error["message"] == f"Uncaught ValueError: {path}"
        assert error["frames"] == ["f (convex/m.py:4)"]
    finally:
        await host.close()


def test_importing_parabola_is_light() -> None:
    import subprocess
    import sys

    check = (
        "import sys, parabola; heavy = {'aiohttp', 'sqlite3', 'uvloop', 'greenlet'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
