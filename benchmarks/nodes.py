"""Several servers on one PostgreSQL: what they do together, and what that costs PostgreSQL.

    python -m benchmarks.nodes [--nodes 1,2,4] [--seconds 3] [--documents 100000]

Everything is on this machine, so nodes share its cores: what to read is PostgreSQL's time per call, which
must be nothing for reads of sockets, and how the rest changes with the number of nodes where there are cores
for them. PostgreSQL syncs its disk.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.load import percentile, run_clients
from benchmarks.report import Report, Row
from benchmarks.server_process import APPLICATION, NODE_MODULES, free_port
from benchmarks.sync_client import SyncClient

ROOT = Path(__file__).parents[1]
SECRET = "b0" * 32
CLIENTS = 64
FOLLOWERS = 200
BATCH = 500
"""Documents that one mutation inserts before a node joins."""
CHECKPOINT_LOOKS = 60


class Node:
    """One `parabola serve`."""

    def __init__(self, name: str, directory: Path, database: str) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory / name
        self._files = (directory / "files").as_uri()
        self._database = database
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> float:
        """Returns when it is ready: how many seconds that took."""
        self._directory.mkdir()
        began = time.perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parabola", "serve", "--node", self.name, "--instance-name", "bench"),
            *("--port", str(self.port), "--site-port", "0", "--file-storage", self._files),
            cwd=self._directory,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PARABOLA_DATABASE": self._database, "INSTANCE_SECRET": SECRET},
        )
        async with aiohttp.ClientSession() as session:
            while self._process.returncode is None:
                try:
                    async with session.get(f"{self.url}/healthz/ready") as answer:
                        if answer.status == 200:
                            return time.perf_counter() - began
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)
        raise RuntimeError(f"node {self.name} has ended")

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()


class Cluster:
    """Nodes on a PostgreSQL of their own."""

    def __init__(self, directory: Path, postgres: Any) -> None:
        self.directory = directory
        self.nodes: list[Node] = []
        self._postgres = postgres

    @classmethod
    @asynccontextmanager
    async def running(cls, count: int) -> AsyncIterator[Cluster]:
        """With the application deployed."""
        sys.path.insert(0, str(ROOT / "tests"))
        from postgres_server import PostgresServer, find_postgres

        programs = find_postgres()
        if programs is None:
            raise SystemExit("There is no PostgreSQL: run `python tools/setup.py postgres`.")
        postgres = PostgresServer(programs, syncs=True)
        with tempfile.TemporaryDirectory() as folder:
            cluster = cls(Path(folder), postgres)
            try:
                for number in range(count):
                    await cluster.add(f"n{number}")
                await cluster._deploy()
                yield cluster
            finally:
                await asyncio.gather(*(node.close() for node in cluster.nodes))
                postgres.stop()

    async def add(self, name: str) -> float:
        """One more node; how many seconds it took until it was ready."""
        node = Node(name, self.directory, self._postgres.url)
        self.nodes.append(node)
        return await node.start()

    async def _deploy(self) -> None:
        from parabola.services.sign_in.admin_keys import make_admin_key

        project = self.directory / "app"
        ignored = shutil.ignore_patterns("_generated", "__pycache__", "*.ts")
        shutil.copytree(APPLICATION, project, ignore=ignored)
        (project / "node_modules").symlink_to(NODE_MODULES)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parabola", "deploy", "--url", self.nodes[0].url),
            *("--admin-key", make_admin_key("bench", SECRET)),
            cwd=project,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            raise RuntimeError(said.decode())

    def postgres_seconds(self) -> float:
        """The CPU time of all processes of PostgreSQL, those that have ended too."""
        postmaster = self._postgres.pid
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat.parent.name) == postmaster:
                total += sum(map(int, fields[11:15]))
            elif int(fields[1]) == postmaster:
                total += sum(map(int, fields[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def url(self, number: int) -> str:
        return self.nodes[number % len(self.nodes)].url


async def measured(
    report: Report,
    cluster: Cluster,
    name: str,
    seconds: float,
    once: Callable[[int], Awaitable[object]],
) -> None:
    """Adds the rate of calls, and what each took of PostgreSQL."""
    before = cluster.postgres_seconds()
    began = time.perf_counter()
    rate = await run_clients(CLIENTS, seconds, once)
    spent = cluster.postgres_seconds() - before
    calls = rate * (time.perf_counter() - began)
    nodes = len(cluster.nodes)
    report.add(Row(f"{name}, {nodes} node{'s' * (nodes > 1)}", rate, "/s"))
    report.add(Row("  PostgreSQL's time for each", spent / calls * 1e6, "µs", higher_is_better=False))


async def reads(report: Report, cluster: Cluster, seconds: float) -> None:
    salts = itertools.count()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(client: int, salt: int) -> None:
            body = {"path": "bench:echo", "args": {"salt": salt}}
            async with session.post(f"{cluster.url(client)}/api/query", json=body) as response:
                if (await response.json())["status"] != "success":
                    raise RuntimeError("the query failed")

        await measured(report, cluster, "cached queries over HTTP", seconds, lambda client: call(client, -1))
        await measured(
            report, cluster, "executed queries over HTTP", seconds, lambda client: call(client, next(salts))
        )


@asynccontextmanager
async def sockets(cluster: Cluster, count: int) -> AsyncIterator[list[SyncClient]]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        clients = []
        for number in range(count):
            client = await SyncClient.connect(session, cluster.url(number))
            stack.push_async_callback(client.close)
            clients.append(client)
        yield clients


async def subscriptions(report: Report, cluster: Cluster, seconds: float) -> None:
    salts = itertools.count(1_000_000)
    async with sockets(cluster, CLIENTS) as clients:
        await measured(
            report,
            cluster,
            "queries of sockets, each executed",
            seconds,
            lambda client: clients[client].subscribe("bench:echo", {"salt": next(salts)}),
        )
    async with sockets(cluster, FOLLOWERS) as clients, sockets(cluster, 1) as [writer]:
        seen: list[float] = []
        sent = 0.0

        all_seen = asyncio.Event()

        def update(_: dict[int, Any], at: float) -> None:
            seen.append(at - sent)
            if len(seen) % FOLLOWERS == 0:
                all_seen.set()

        for client in clients:
            await client.subscribe("bench:latest", {"channel": -1, "count": 1})
            client.on_update = update
        end = time.perf_counter() + seconds
        rounds = 0
        while time.perf_counter() < end:
            sent = time.perf_counter()
            all_seen.clear()
            await writer.mutation("bench:insert", {"channel": -1, "text": f"note {rounds}"})
            await all_seen.wait()
            rounds += 1
        nodes = len(cluster.nodes)
        for share in (0.5, 0.99):
            name = (
                f"a write shown to {FOLLOWERS} sockets, p{share * 100:.0f}, {nodes} node{'s' * (nodes > 1)}"
            )
            report.add(Row(name, percentile(seen, share) * 1000, "ms", higher_is_better=False))


async def mutations(report: Report, cluster: Cluster, seconds: float) -> None:
    async with sockets(cluster, CLIENTS) as clients:
        await measured(
            report,
            cluster,
            "mutations that touch nothing in common",
            seconds,
            lambda client: clients[client].mutation("bench:insert", {"channel": client, "text": "a note"}),
        )
        await measured(
            report,
            cluster,
            "mutations of one document",
            seconds,
            lambda client: clients[client].mutation("bench:increment", {"name": "hot"}),
        )


async def joining(report: Report, cluster: Cluster, documents: int) -> None:
    """How long a node takes that begins with nothing."""
    async with sockets(cluster, 4) as clients:

        async def fill(client: SyncClient) -> None:
            for _ in range(documents // BATCH // len(clients)):
                await client.mutation("bench:insert_many", {"channel": 7, "count": BATCH})

        await asyncio.gather(*(fill(client) for client in clients))
    for _ in range(CHECKPOINT_LOOKS):
        if not await cluster_checkpoint_lag(cluster):
            break
        await asyncio.sleep(1)
    seconds = await cluster.add("joining")
    report.add(
        Row(f"a new node, {documents:,} documents: until it serves", seconds, "s", higher_is_better=False)
    )
    report.add(Row("  documents a second", documents / seconds, "/s"))


async def cluster_checkpoint_lag(cluster: Cluster) -> int:
    """Entries that the checkpoint does not have."""
    import asyncpg

    connection = await asyncpg.connect(cluster._postgres.url)
    try:
        lag: int = await connection.fetchval(
            "SELECT h.seq - coalesce((SELECT seq FROM parabola.checkpoint), 0) FROM parabola.head AS h"
        )
    finally:
        await connection.close()
    return lag if lag > 10 else 0


async def measure(counts: list[int], seconds: float, documents: int) -> Report:
    report = Report()
    print(Report.header())
    for count in counts:
        async with Cluster.running(count) as cluster:
            await reads(report, cluster, seconds)
            await subscriptions(report, cluster, seconds)
            await mutations(report, cluster, seconds)
            if count == counts[0] and documents:
                await joining(report, cluster, documents)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="1,2,4", help="how many nodes, one after another")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--documents", type=int, default=1_000_000, help="of the data that a new node reads")
    parser.add_argument("--markdown", type=Path, help="also write the report to this file")
    options = parser.parse_args()
    counts = [int(each) for each in options.nodes.split(",")]
    report = asyncio.run(measure(counts, options.seconds, options.documents))
    if options.markdown:
        options.markdown.write_text(report.markdown())


if __name__ == "__main__":
    main()
