"""Nodes, PostgreSQL with a standby, a balancer, and official clients: what the worst happens to."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from chaos.balancer import Balancer
from chaos.record import History, Record, read_history
from chaos.servers import Node, push
from database.nodes import joined_to
from node_packages import PACKAGES, node_environment
from postgres_server import PostgresServer

__all__ = ["Client", "Cluster"]

HERE = Path(__file__).parent
START_SECONDS = 90.0
QUIET_SECONDS = 60.0
KINDS = ("sum", "first", "count")


class Client:
    """An official client in a process of its own."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, record: Record) -> None:
        self.name = name
        self.done = asyncio.Event()
        self._process = process
        self._record = record
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, kind: str, url: str, name: str, record: Record) -> Client:
        npm, pypi = ["node", str(HERE / "client.mjs")], [sys.executable, str(HERE / "client.py")]
        process = await asyncio.create_subprocess_exec(
            *(npm if kind == "npm" else pypi),
            *(url, name, str(Random().randrange(1 << 30))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**node_environment(), "PARABOLA_NODE_MODULES": str(PACKAGES)},
            limit=1 << 24,
            start_new_session=True,
        )
        return cls(name, process, record)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if said["kind"] == "done":
                self.done.set()
            else:
                self._record.take(said)

    def finish(self) -> None:
        """It begins nothing more."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"stop\n")

    async def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        await self._reading


class Cluster:
    """`primary` is the PostgreSQL that takes writes, `standby` the one that follows it, if there is one."""

    def __init__(self, directory: Path, programs: Path) -> None:
        self.directory = directory
        self.programs = programs
        self.primary = PostgresServer(programs)
        self.standby: PostgresServer | None = None
        self.nodes: list[Node] = []
        self.record = Record()
        self.longest_pause = 1.5
        """Seconds for which a process may be stopped."""
        self.clients: list[Client] = []
        self.silences: dict[str, list[float]] = {}
        """By fault, each time the longest time without an acknowledged write."""
        self._asking: list[asyncio.Task[None]] = []
        self._number = 0

    balancer: Balancer

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        directory: Path,
        programs: Path,
        names: str = "abc",
        *,
        flags: dict[str, tuple[str, ...]] | None = None,
        with_standby: bool = False,
    ) -> AsyncIterator[Cluster]:
        """With the functions deployed, and no clients yet."""
        cluster = await asyncio.to_thread(cls, directory, programs)
        try:
            if with_standby:
                await cluster.add_standby()
            databases = [each.url for each in (cluster.primary, cluster.standby) if each is not None]
            cluster.nodes = [Node(name, directory, databases, *(flags or {}).get(name, ())) for name in names]
            for node in cluster.nodes:
                await node.start()
            cluster.balancer = await Balancer.start([node.port for node in cluster.nodes])
            await cluster.until_ready()
            await push(cluster.balancer.url, directory)
            yield cluster
        finally:
            await cluster.close()

    async def until_ready(self) -> None:
        """Returns when every node is."""
        deadline = time.monotonic() + START_SECONDS
        while len(self.balancer.ready) < len(self.nodes):
            if time.monotonic() > deadline:
                await self.ask_where()
                raise AssertionError(f"the nodes are not ready\n{self.said()}")
            await asyncio.sleep(0.05)

    async def ask_where(self) -> None:
        """Has every node say where its tasks and threads wait."""
        for node in self.nodes:
            node.send(signal.SIGUSR1)
            node.send(signal.SIGUSR2)
        await asyncio.sleep(1)

    def said(self) -> str:
        """What the nodes have said lately."""
        return "\n".join(f"--- {node.name} ({node.url})\n{node.said()[-60_000:]}" for node in self.nodes)

    # Clients

    async def begin(self, *kinds: str) -> None:
        """Clients call from here on. Returns when each has been answered."""
        for kind in kinds:
            name = f"{kind}{len(self.clients)}"
            self.clients.append(await Client.start(kind, self.balancer.url, name, self.record))
        self._asking = [asyncio.create_task(self._ask()), asyncio.create_task(self._act())]
        await self.progress(2 * len(kinds))

    async def progress(self, count: int = 5) -> None:
        """Returns when so many more writes have been acknowledged."""
        wanted = len(self.record.answers) + count
        deadline = time.monotonic() + QUIET_SECONDS
        while len(self.record.answers) < wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing was acknowledged any more\n{self.said()}")
            await asyncio.sleep(0.02)

    async def _call(self, http: aiohttp.ClientSession, endpoint: str, **body: Any) -> Any:
        async with http.post(f"{self.balancer.url}{endpoint}", json=body) as response:
            if response.status != 200:
                return None
            return await response.json()

    async def _ask(self) -> None:
        """Queries at the newest timestamp, of whichever node answers."""
        random = Random()
        timeout = aiohttp.ClientTimeout(total=8)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                program = json.dumps([[random.choice(KINDS), random.randrange(4)]])
                call = {"path": "chaos:look", "args": {"program": program}}
                began = time.time() * 1000
                with suppress(aiohttp.ClientError, TimeoutError):
                    ts = await self._call(http, "/api/query_ts")
                    if ts is not None:
                        answer = await self._call(http, "/api/query_at_ts", ts=ts["ts"], **call)
                        if answer is not None and answer["status"] == "success":
                            from parabola.server.sync.messages import decode_ts

                            self.record.reads.append((began, decode_ts(ts["ts"]), program, answer["value"]))
                await asyncio.sleep(0.02)

    async def _act(self) -> None:
        """Actions, which nobody sends again."""
        timeout = aiohttp.ClientTimeout(total=8)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                self._number += 1
                key = f"act{self._number}"
                with suppress(aiohttp.ClientError, TimeoutError):
                    answer = await self._call(http, "/api/action", path="chaos:act", args={"key": key})
                    if answer is not None and answer["status"] == "success":
                        self.record.acts.append(key)
                await asyncio.sleep(0.1)

    # The end

    async def history(self, *, settled: bool = True) -> History:
        """Clients end, everything settles if it is to, and the log is read."""
        for task in self._asking:
            if not task.cancel():
                await task  # it has failed
        await asyncio.gather(*self._asking, return_exceptions=True)
        for client in self.clients:
            client.finish()
        waiting = [asyncio.create_task(client.done.wait()) for client in self.clients]
        _, stuck = await asyncio.wait(waiting, timeout=QUIET_SECONDS)
        if stuck:
            names = [client.name for client in self.clients if not client.done.is_set()]
            for task in stuck:
                task.cancel()
            await self.ask_where()
            names += [str(self.record.began.get(name)) for name in names]
            raise AssertionError(f"{names} wait for an answer that does not come\n{self.said()}")
        from parabola.database.shared_log.postgres.postgres_log import PostgresLog

        log = await PostgresLog.open(self.primary.url, "reader", clock=time.time_ns)
        try:
            deadline = time.monotonic() + QUIET_SECONDS
            while True:
                # Jobs end, and live queries show what there is.
                observer_log = await PostgresLog.open(self.primary.url, "observer", clock=time.time_ns)
                observer = await joined_to(observer_log)
                tablets = {table.tablet_id: table.name for table in observer.registry.tables()}
                await observer.close()
                history = await read_history(log, tablets)
                if not settled or not history.check(self.record) or time.monotonic() > deadline:
                    return history
                await asyncio.sleep(0.5)
                deadline = min(deadline, time.monotonic() + 10)
        finally:
            await log.close()

    # PostgreSQL

    async def add_standby(self) -> None:
        """A standby follows the primary."""
        self.standby = await asyncio.to_thread(lambda: PostgresServer(self.programs, standby_of=self.primary))

    async def sql(self, statement: str) -> list[Any]:
        """Rows of a statement on the primary."""
        import asyncpg

        connection = await asyncpg.connect(self.primary.url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def until(self, statement: str) -> None:
        """Returns when a statement has a row on the primary."""
        deadline = time.monotonic() + QUIET_SECONDS
        while not await self.sql(statement):
            assert time.monotonic() < deadline, statement
            await asyncio.sleep(0.02)

    async def fail_over(self) -> None:
        """The primary is gone; the standby takes its place, and gets one of its own."""
        assert self.standby is not None
        before, self.primary, self.standby = self.primary, self.standby, None
        await asyncio.to_thread(self.primary.promote)
        await asyncio.to_thread(before.stop)

    async def renew_standby(self) -> None:
        """Where the old primary was, there is a standby now."""
        await self.add_standby()
        assert self.standby is not None
        for node in self.nodes:
            for proxy in node.proxies:
                if proxy.port != self.primary.port:
                    proxy.lead_to(self.standby.port)

    async def close(self) -> None:
        for task in self._asking:
            task.cancel()
        ending = (each.close() for each in (*self.clients, *self.nodes))
        await asyncio.gather(*ending, return_exceptions=True)
        if hasattr(self, "balancer"):
            await self.balancer.close()
        for server in (self.standby, self.primary):
            if server is not None:
                await asyncio.to_thread(server.stop)
