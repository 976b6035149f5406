"""A server that ends while it runs what clients have asked for: they are told, and nothing runs twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from free_port import free_port
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

FUNCTIONS = """
import asyncio
from parabola import ActionCtx, MutationCtx, QueryCtx, action, mutation, query

@mutation
async def begin(ctx: MutationCtx, who: str) -> None:
    await ctx.db.insert("began", {"who": who})

@action
async def slow(ctx: ActionCtx, who: str) -> str:
    await ctx.run_mutation("jobs:begin", {"who": who})
    await asyncio.sleep(3600)
    return "done"

@mutation
async def busy(ctx: MutationCtx, rounds: float) -> str:
    await ctx.db.insert("written", {})
    for _ in range(int(rounds)):
        sum(range(100_000))
        await ctx.db.query("written").first()
    return "written"

@query
async def counts(ctx: QueryCtx):
    began = sorted([row["who"] for row in await ctx.db.query("began").collect()])
    return {"began": began, "written": len(await ctx.db.query("written").collect())}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "jobs.py").write_text(FUNCTIONS)
    options = ("--port", str(free_port()), "--site-port", "0", "--user-time", "600", "--log-format", "json")
    server = ServerProcess(tmp_path, "serve", *options, "--shutdown-seconds", "0")
    server.start()
    server.cli("deploy")
    yield server
    server.close()


def test_official_clients_run_nothing_twice(
    server: ServerProcess, node_script: Callable[..., str], tmp_path: Path
) -> None:
    word = tmp_path / "word"
    client = ThreadPoolExecutor(1).submit(node_script, "shutdown.mjs", server.url, WORD=str(word))
    server.wait_for(lambda: word.exists() or client.done(), "the client to have begun")
    if client.done():
        client.result()
    assert server.terminate() == 0
    server.start()
    word.unlink()
    client.result()
    events = [json.loads(line) for line in server.output().splitlines() if line.startswith('{"time"')]
    cut = next(event for event in events if event["event"] == "cut")
    assert {(call["function"], call["kind"]) for call in cut["calls"]} >= {("jobs:slow", "action")}
    assert all(call["requestId"] for call in cut["calls"])
    assert [event["event"] for event in events if event["event"] in ("started", "stopping", "stopped")] == [
        "started",
        "stopping",
        "stopped",
        "started",
    ]
