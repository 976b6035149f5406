"""Nodes in processes of their own on a real PostgreSQL: killed, stopped, and PostgreSQL crashed under them.

What each transaction saw is in the same commit as what it wrote, so the log tells whether it was right.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from database.cluster import State, Step, replay
from database.nodes import joined_to
from database.searching import create_indexes
from database.shared_log.logs import PostgresLogs
from database.stores import create_index
from parabola.database.shared_log.log import START
from parabola.database.shared_log.payload import decode

PROGRAM = Path(__file__).with_name("node_process.py")
CLIENTS, REQUESTS = 6, 12
PATIENCE_SECONDS = 3.0
"""After that a client sends again, to another node."""


class NodeProcess:
    """A node that is started again whenever it has ended."""

    def __init__(self, directory: Path, logs: PostgresLogs, name: str) -> None:
        self._arguments = [str(directory), logs.server.url, logs.schema, name]
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._serving = asyncio.create_task(self._serve())
        self._id = 0
        self.is_wanted = True

    async def _serve(self) -> None:
        while self.is_wanted:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(PROGRAM),
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            self._process = process
            assert process.stdout is not None
            while line := await process.stdout.readline():
                done = json.loads(line)
                waiting = self._waiting.pop(done["id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(done)
            await process.wait()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result({"error": "the node has ended"})
            self._waiting.clear()

    async def ask(self, **request: Any) -> dict[str, Any]:
        """The answer; an error where there is none in time."""
        process = self._process
        if process is None or process.returncode is not None:
            await asyncio.sleep(0.02)
            return {"error": "the node is not there"}
        assert process.stdin is not None
        self._id += 1
        waiting = self._waiting[self._id] = asyncio.get_running_loop().create_future()
        with suppress(OSError):
            process.stdin.write(json.dumps({"id": self._id, **request}).encode() + b"\n")
        try:
            return await asyncio.wait_for(waiting, PATIENCE_SECONDS)
        except TimeoutError:
            return {"error": "no answer"}

    def send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)

    async def close(self) -> None:
        self.is_wanted = False
        self.send(signal.SIGKILL)
        await self._serving


async def client(
    name: str, nodes: list[NodeProcess], random: Random, done: dict[str, int], queries: list[Any]
) -> None:
    kinds = ["add", "add", "remove", "sum", "first", "search", "count"]
    for at in range(REQUESTS):
        key = f"{name}.{at}"
        program = [(random.choice(kinds), random.randrange(4)) for _ in range(random.randint(1, 4))]
        while True:
            answer = await random.choice(nodes).ask(kind="mutation", key=key, program=program)
            if "ts" in answer:
                break
        done[key] = answer["ts"]
        at_least = max(done.values())
        shown: list[Step] = [("sum", 0), ("search", random.randrange(3)), ("count", 0)]
        answer = await random.choice(nodes).ask(kind="query", program=shown)
        if "ts" in answer:
            assert answer["ts"] >= at_least
            queries.append((answer["ts"], shown, answer["seen"]))


async def trouble(nodes: list[NodeProcess], logs: PostgresLogs, random: Random) -> None:
    for kind in ("kill", "stop", "crash", "kill", "stop"):
        await asyncio.sleep(random.uniform(0.1, 0.4))
        node = random.choice(nodes)
        if kind == "kill":
            node.send(signal.SIGKILL)
        elif kind == "stop":
            node.send(signal.SIGSTOP)
            await asyncio.sleep(0.4)
            node.send(signal.SIGCONT)
        else:
            await asyncio.to_thread(logs.server.kill)
            await asyncio.to_thread(logs.server.start)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_whatever_ends_or_stops_nothing_is_lost_doubled_or_misread(tmp_path: Path) -> None:
    random = Random()
    async with PostgresLogs() as logs:
        observer = await joined_to(await logs.node("observer"))
        await create_index(observer, "t", "by_slot", "slot")
        await create_index(observer, "requests", "by_key", "key")
        await create_indexes(observer, "t")
        nodes = [NodeProcess(tmp_path / name, logs, name) for name in "abc"]
        done: dict[str, int] = {}
        queries: list[Any] = []
        async with asyncio.timeout(120):
            await asyncio.gather(
                *(client(f"c{at}", nodes, random, done, queries) for at in range(CLIENTS)),
                trouble(nodes, logs, random),
            )
        for node in nodes:
            await node.close()
        await observer.catch_up()
        tables = {name: observer.registry.table(name) for name in ("t", "requests")}
        state: State = {}
        rows: dict[str, tuple[float, float]] = {}
        states: list[tuple[int, State]] = [(0, {})]
        found: dict[str, int] = {}
        log = await logs.node("reader")
        position = START
        while entries := await log.entries_after(position, 1_000_000):
            for entry in entries:
                for commit, _ in decode(entry.payload).commits:
                    for write in commit.writes:
                        value = None if write.new is None else orjson.loads(write.new.raw)
                        if write.tablet_id == tables["requests"].tablet_id:  # type: ignore[union-attr]
                            assert value["key"] not in found
                            found[value["key"]] = commit.ts
                            expected = dict(state)
                            right = replay(expected, json.loads(value["program"]))
                            assert json.loads(json.dumps(right)) == json.loads(value["seen"])
                    for write in commit.writes:
                        if write.tablet_id == tables["t"].tablet_id:  # type: ignore[union-attr]
                            rows.pop(write.id, None)
                            if write.new is not None:
                                value = orjson.loads(write.new.raw)
                                rows[write.id] = value["slot"], value["n"]
                    state = dict(rows.values())
                    states.append((commit.ts, state))
                position = entry.position
        assert set(found) >= set(done)
        assert len(done) == CLIENTS * REQUESTS
        for ts, program, seen in queries:
            known = [state for at, state in states if at <= ts]
            assert json.loads(json.dumps(replay(dict(known[-1]), program))) == seen
        assert queries
        await observer.close()
