"""Calls that end the process they run in: others go on, and are told nothing of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from host_pools import pool_of
from hosts_node.driver import bundle_sources, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.settings import FunctionSettings
from parabola.services.deploys.push import Push

TYPESCRIPT = """
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";
export const expression = query(async (_ctx: any, { n }: any) => /^(a+)+$/.test("a".repeat(40 + n) + "b"));
export const heap = query(async () => {
  const kept: any[] = [];
  for (let i = 0; ; i++) kept.push(new Array(1_000_000).fill(i));
});
export const fine = query(async (ctx: any, { n }: any) => (await ctx.db.query("t").take(1)).length + n);
export const write = mutation(async (ctx: any, { n }: any) => (await ctx.db.insert("t", { n }), n));
"""

PYTHON = """
import os
from parabola import mutation, query

@query
async def leave(ctx, n):
    os._exit(3)

@query
async def killed(ctx, n):
    import faulthandler
    faulthandler._sigsegv()

@query
async def fine(ctx, n):
    return len(await ctx.db.query("t").take(1)) + n

@mutation
async def write(ctx, n):
    await ctx.db.insert("t", {"n": n})
    return n
"""


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    opened = await Backend.open(
        BackendConfig(tmp_path / "data", functions=FunctionSettings(hosts=2, least_hosts=2))
    )
    try:
        yield opened
    finally:
        await opened.close()


def hosts(backend: Backend, runtime: RuntimeName) -> list[HostConnection]:
    return pool_of(backend, runtime).processes()


async def all_ready(backend: Backend, runtime: RuntimeName) -> None:
    async with asyncio.timeout(30):
        while len(hosts(backend, runtime)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def deploy_typescript(backend: Backend, folder: Path) -> None:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    modules = bundle_sources(folder, {"m.ts": TYPESCRIPT})
    await backend.deploy(
        Push("typescript", tuple(Module(each["path"], "isolate", each["source"]) for each in modules))
    )


async def neighbours_of(backend: Backend, clumsy: list[Any], prefix: str) -> list[Any]:
    """Run clumsy calls, each twice in a row, with innocent ones beside them; how the clumsy ones failed."""
    ended = asyncio.Event()

    async def innocent(n: int) -> int:
        count = 0
        while not ended.is_set() or not count:
            for result in (
                await backend.query(client_call(f"{prefix}:fine", {"n": n * 1000 + count})),
                await backend.mutation(client_call(f"{prefix}:write", {"n": n})),
            ):
                assert result.error is None, result.error.text()
            count += 1
            await asyncio.sleep(0)
        return count

    others = [asyncio.create_task(innocent(n)) for n in range(4)]
    failures = [(await call()).error for call in clumsy]
    ended.set()
    assert all(await asyncio.gather(*others))
    return failures


@pytest.mark.parametrize(
    ("function", "text"),
    [("expression", "timed out"), ("heap", "(ran out of memory|timed out)")],
)
async def test_the_neighbours_of_a_clumsy_call_in_typescript_do_not_notice(
    backend: Backend, tmp_path: Path, function: str, text: str
) -> None:
    await deploy_typescript(backend, tmp_path)
    await all_ready(backend, "isolate")
    await pool_of(
        backend
    ).execute_transactions()  # as they would before long: here hosts must stay what they are
    await all_ready(backend, "isolate")
    first = await neighbours_of(backend, [lambda: backend.query(client_call(f"m:{function}", {"n": 0}))], "m")
    await all_ready(backend, "isolate")
    pids = {host.pid for host in hosts(backend, "isolate")}  # type: ignore[attr-defined]
    again = await neighbours_of(backend, [lambda: backend.query(client_call(f"m:{function}", {"n": 1}))], "m")
    for failure in first + again:
        assert re.search(text, failure.message), failure.message
    assert {host.pid for host in hosts(backend, "isolate")} == pids, "it has a process of its own by now"  # type: ignore[attr-defined]


async def test_the_neighbours_of_one_that_leaves_do_not_notice(backend: Backend) -> None:
    await backend.deploy(Push("python", (Module("m.py", "python", PYTHON),)))
    await all_ready(backend, "python")
    calls = [lambda n=n: backend.query(client_call("m:leave", {"n": n})) for n in range(4)]
    for failure in await neighbours_of(backend, calls, "m"):
        assert "ended its host process (exit code 3)" in failure.message


async def test_a_call_whose_process_is_killed_is_told_by_which_signal(backend: Backend) -> None:
    await backend.deploy(Push("python", (Module("m.py", "python", PYTHON),)))
    await all_ready(backend, "python")
    calls = [lambda n=n: backend.query(client_call("m:killed", {"n": n})) for n in range(2)]
    for failure in await neighbours_of(backend, calls, "m"):
        assert "killed by SIGSEGV" in failure.message
        assert "memory" not in failure.message


async def test_calls_go_on_where_somebody_kills_every_process(backend: Backend) -> None:
    await backend.deploy(Push("python", (Module("m.py", "python", PYTHON),)))
    await all_ready(backend, "python")

    async def kill_all() -> Any:
        for host in hosts(backend, "python"):
            with suppress(ProcessLookupError):  # killed before, and the engine has not heard of it yet
                os.kill(host.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        return await backend.query(client_call("m:fine", {"n": 5}))

    assert await neighbours_of(backend, [kill_all] * 3, "m") == [None] * 3
