"""The rows of the report, each one question."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.engine_reads import EngineReads
from benchmarks.floors import SqliteReads
from benchmarks.http_client import http_client
from benchmarks.load import percentile, run_clients
from benchmarks.report import Report, Row
from benchmarks.server_process import Server
from benchmarks.sync_client import SyncClient, connected

CLIENTS = 64


@dataclass(frozen=True)
class Floors:
    """Rates a second."""

    websocket: float
    http: float
    commit_alone: float
    commit_grouped: float


async def mutations(
    report: Report,
    server: Server,
    floors: Floors,
    seconds: float,
    module: str = "bench",
    language: str = "Python",
) -> None:
    async with connected(server.url, CLIENTS) as clients:

        async def insert(client: int) -> None:
            await clients[client].mutation(f"{module}:insert", {"channel": client, "text": "a note"})

        rate = await run_clients(CLIENTS, seconds, insert)
        name = f"{language} mutations a second, {CLIENTS} WebSocket clients"
        report.add(Row(name, rate, "/s", floors.websocket, "aiohttp echo"))
        name = "  the same beside durable commits in groups of 50"
        report.add(Row(name, rate, "/s", floors.commit_grouped, "sqlite3"))

        async def increment(client: int) -> None:
            await clients[client].mutation(f"{module}:increment", {"name": "hot"})

        rate = await run_clients(CLIENTS, seconds, increment)
        name = f"{language} mutations a second, all on one document"
        report.add(Row(name, rate, "/s", floors.commit_alone, "one commit each"))


async def queries(
    report: Report,
    server: Server,
    floors: Floors,
    seconds: float,
    module: str = "bench",
    language: str = "Python",
) -> None:
    async with http_client(server.url) as client:
        salts = itertools.count()

        async def executed(_: int) -> None:
            await client.call("query", f"{module}:echo", {"salt": next(salts)})

        async def cached(_: int) -> None:
            await client.call("query", f"{module}:latest", {"channel": 1, "count": 20})

        async def range_read(_: int) -> None:
            await client.call("query", f"{module}:page", {"channel": 3, "count": 20, "salt": next(salts)})

        for name, once in (
            (f"{language} queries a second over HTTP, each executed", executed),
            (f"{language} queries a second over HTTP, 20 documents each", range_read),
            (f"{language} queries a second over HTTP, from the cache", cached),
        ):
            report.add(
                Row(name, await run_clients(CLIENTS, seconds, once), "/s", floors.http, "aiohttp echo")
            )


async def nested_calls(report: Report, server: Server, seconds: float) -> None:
    """Calls within a mutation: into a component of the language, beside as many of a function of the app."""
    async with connected(server.url, 4) as clients:
        for (language, module), count in itertools.product(
            (("Python", "bench"), ("TypeScript", "twin")), (1, 10, 100)
        ):
            rates: dict[str, list[float]] = {"app": [], "component": []}
            # By turns, so that whatever else the machine does is shared by both.
            for where in ("app", "component") * 3:

                async def call(
                    client: int, name: str = f"{module}:calls", where: str = where, count: int = count
                ) -> None:
                    await clients[client].mutation(name, {"count": count, "where": where})

                rates[where].append(await run_clients(4, seconds / 3, call))
            inside, own = (percentile(rates[where], 0.5) * count for where in ("component", "app"))
            calls = "a call" if count == 1 else f"{count} calls"
            name = f"{language} calls a second into a component, {calls} a mutation"
            report.add(Row(name, inside, "/s", own, "calls in the app"))


async def save_to_update(report: Report, server: Server) -> None:
    """From saving a module in an editor to the changed result at a client that watches it."""
    module = server.directory / "convex" / "bench.py"
    source = module.read_text()
    times = []
    async with connected(server.url, 1) as (client,):
        changed = asyncio.Event()
        client.on_update = lambda _updates, _received: changed.set()
        await client.subscribe("bench:echo", {"salt": 7})
        for number in range(5):
            changed.clear()
            start = time.perf_counter()
            module.write_text(source.replace("return salt", f"return salt + {number + 1}"))
            await changed.wait()
            times.append(time.perf_counter() - start)
    module.write_text(source)
    report.add(Row("save of a Python module until the live update", percentile(times, 0.5) * 1000, "ms"))


async def untouched_subscriptions(report: Report, server: Server, seconds: float) -> None:
    """One client writes while another holds queries that the writes do not touch."""
    baseline: float | None = None
    for held in (100, 10_000):
        async with connected(server.url, 2) as (holder, writer):
            queries = [
                ("bench:latest", {"channel": 1_000_000 + number, "count": 5}) for number in range(held)
            ]
            for start in range(0, held, 500):
                await holder.subscribe_all(queries[start : start + 500])

            async def write(_: int, writer: SyncClient = writer) -> None:
                await writer.mutation("bench:insert", {"channel": 5, "text": "x"})

            cost = 1e6 / await run_clients(1, seconds, write)
            report.add(
                Row(
                    f"one write with {held:,} untouched subscriptions",
                    cost,
                    "us",
                    baseline,
                    "with 100",
                    higher_is_better=False,
                )
            )
            baseline = baseline or cost


async def memory_per_subscription(report: Report, server: Server, count: int = 10_000) -> None:
    async with connected(server.url, 1) as (client,):
        before = server.memory()
        queries = [("bench:latest", {"channel": 2_000_000 + number, "count": 5}) for number in range(count)]
        for start in range(0, count, 500):
            await client.subscribe_all(queries[start : start + 500])
        report.add(Row("memory of one idle subscription", (server.memory() - before) / count / 1024, "KiB"))


async def reads(report: Report, folder: Path, count: int) -> None:
    """Reads inside the engine, without functions or sockets, beside raw sqlite3 with as many rows."""
    place = folder / f"reads-{count}"
    place.mkdir()
    floor = SqliteReads(place, count)
    engine = await EngineReads.open(place, count)
    random = Random(1)
    try:
        for name, theirs, ours in (
            ("point read", lambda n: floor.point(n), lambda n: engine.point(n)),
            ("20-row range read", lambda n: floor.range(n // 100, 20), lambda n: engine.range(n // 100, 20)),
        ):
            numbers = [random.randrange(count - 20 if count > 20 else 1) for _ in range(2000)]
            start = time.perf_counter()
            for number in numbers:
                theirs(number)
            floor_cost = (time.perf_counter() - start) / len(numbers) * 1e6
            start = time.perf_counter()
            for number in numbers:
                await ours(number)
            cost = (time.perf_counter() - start) / len(numbers) * 1e6
            report.add(
                Row(f"{name}, {count:,} documents", cost, "us", floor_cost, "sqlite3", higher_is_better=False)
            )
    finally:
        floor.close()
        await engine.close()
