"""Following what functions log, at any node."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from backend_nodes import backend_nodes
from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.database.upkeep import membership
from parabola.functions.deployed.deployment import Module
from parabola.functions.outcomes.execution_history import LogSearch
from parabola.functions.processes.host_set import HostConfig
from parabola.services.deploys.push import Push
from parabola.testing.in_process_host import InProcessHosts

SAYING = """
from parabola import QueryCtx, query

@query
async def say(ctx: QueryCtx, text: str) -> None:
    print(text)
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "BEAT_SECONDS", 0.02)


async def say(node: Backend, text: str) -> None:
    assert (await node.query(client_call("app:say", {"text": text}))).error is None


async def deployed(node: Backend) -> None:
    await node.deploy(Push("python", (Module("app.py", "python", SAYING),)))


async def test_whoever_follows_at_whichever_node_hears_of_all_nodes_once(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b", "c") as nodes:
        await deployed(nodes[0])
        for at, node in enumerate(nodes):
            await say(node, f"before {at}")
        entries, cursor = await nodes[0].followed_log.begin()
        said = [str(line) for entry in entries for line in entry.log_lines]
        assert [text for text in said if "before" in text] == [f"[LOG] before {at}" for at in range(3)]
        heard: list[str] = []
        at = 0
        for turn in range(4):
            for node in nodes:
                await say(node, f"{turn} {node.config.node.name}")  # type: ignore[union-attr]
        while len(heard) < 12:
            at += 1  # every poll comes to another node
            entries, cursor = await nodes[at % 3].followed_log.wait_after(cursor, 30)
            heard += [str(line) for entry in entries for line in entry.log_lines]
        assert sorted(heard) == sorted(f"[LOG] {turn} {name}" for turn in range(4) for name in "abc")
        assert len({entry.execution_id for node in nodes for entry in node.log.after(0.0)}) == 15


async def test_nothing_is_shared_while_nobody_follows(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        await deployed(a)
        await say(b, "unheard")
        for _ in range(3):
            await a.database.members.until_all(lambda status: True)
        assert a.database.shared_log is not None
        assert await a.database.shared_log.shared_after(0, 10) == []


async def test_a_poll_without_news_ends(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        _, cursor = await a.followed_log.begin()
        assert await a.followed_log.wait_after(cursor, 0.0) == ([], cursor)


async def test_a_server_alone_follows_its_own_log(tmp_path: Path) -> None:
    hosts = HostConfig(in_process=InProcessHosts(tmp_path))
    backend = await Backend.open(BackendConfig(data_dir=tmp_path, hosts=hosts))
    await deployed(backend)
    entries, cursor = await backend.followed_log.begin()
    waiting = asyncio.create_task(backend.followed_log.wait_after(cursor, 30))
    await say(backend, "hello")
    entries, after = await waiting
    assert [str(line) for entry in entries for line in entry.log_lines] == ["[LOG] hello"]
    assert after == entries[-1].timestamp
    await backend.close()


async def test_a_search_finds_what_ran_on_any_node(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as nodes:
        await deployed(nodes[0])
        for turn in range(3):
            for node in nodes:
                await say(node, f"{turn} {node.config.node.name}")  # type: ignore[union-attr]
        for node in nodes:
            found = await node.search_log(LogSearch(limit=4))
            said = [line["messages"][0] for entry in found for line in entry["logLines"]]
            assert said == ["1 a", "1 b", "2 a", "2 b"]
