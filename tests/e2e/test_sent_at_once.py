"""What a client sends without waiting takes effect in its order, and once, over kills of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from free_port import free_port
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

COUNT = 600
KILLS = 3

FUNCTIONS = """
from parabola import MutationCtx, QueryCtx, mutation, query

@mutation
async def add(ctx: MutationCtx, number: float) -> float:
    before = await ctx.db.query("log").order("desc").first()
    await ctx.db.insert("log", {"number": number, "after": before["number"] if before else -1})
    return number

@mutation
async def addBlindly(ctx: MutationCtx, number: float) -> float:
    await ctx.db.insert("log", {"number": number, "after": -1})
    return number

@query
async def all(ctx: QueryCtx):
    return await ctx.db.query("log").collect()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "log.py").write_text(FUNCTIONS)
    server = ServerProcess(tmp_path, "serve", "--port", str(free_port()), "--site-port", "0").start()
    server.cli("deploy")
    yield server
    server.close()


def test_mutations_sent_at_once_take_effect_in_their_order_and_once(
    server: ServerProcess, node_script: Callable[..., str], tmp_path: Path
) -> None:
    progress = tmp_path / "progress"
    progress.touch()
    variables = {"PROGRESS": str(progress), "COUNT": str(COUNT)}
    client = ThreadPoolExecutor(1).submit(node_script, "sent_at_once.mjs", server.url, **variables)
    seen = 0
    for _ in range(KILLS):
        server.wait_for(
            lambda seen=seen: len(progress.read_text().splitlines()) > seen or client.done(),
            "mutations to be answered",
        )
        if client.done():
            client.result()
        server.kill()
        seen = len(progress.read_text().splitlines())
        server.start()
    client.result()
