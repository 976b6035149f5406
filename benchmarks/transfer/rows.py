"""The rows: transfers a second, alone and contended, what they cost the engine, and inserts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.http_client import http_client
from benchmarks.load import percentile, run_clients
from benchmarks.report import Report, Row
from benchmarks.server_process import Server, free_port
from benchmarks.transfer.accounts import ACCOUNTS, BALANCE, pairs
from benchmarks.transfer.processes import cpu_seconds, engine_alone_on_a_core, of_children
from parabola.hosts.node import node_executable

__all__ = ["hand_written_transfers", "inserts", "transfers"]

CLIENTS = 64
FOLDER = Path(__file__).parent
BATCH = 500
WARMING_SECONDS = 12.0
"""Until a server under load has become what it is then: more processes, executors, compiled JavaScript."""


@dataclass(frozen=True)
class Transfers:
    """Transfers a second, and seconds below which half and 99 of 100 of them took."""

    rate: float
    median: float
    slowest: float


async def _run(move: Callable[[int, int], Awaitable[None]], seconds: float, *, skewed: bool) -> Transfers:
    times: list[float] = []
    chosen: list[Iterator[tuple[int, int]]] = [pairs(client, skewed=skewed) for client in range(CLIENTS)]

    async def once(client: int) -> None:
        payer, payee = next(chosen[client])
        started = time.perf_counter()
        await move(payer, payee)
        times.append(time.perf_counter() - started)

    rate = await run_clients(CLIENTS, seconds, once)
    return Transfers(rate, percentile(times, 0.5), percentile(times, 0.99))


@asynccontextmanager
async def _process(command: list[str], url: str) -> AsyncIterator[None]:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(600):
                try:
                    async with session.get(url):
                        break
                except aiohttp.ClientConnectionError:
                    if process.returncode is not None:
                        raise RuntimeError(f"{command[0]} ended with {process.returncode}") from None
                    await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _check(total: float) -> None:
    if total != ACCOUNTS * BALANCE:
        raise RuntimeError(f"money was made or lost: {total} instead of {ACCOUNTS * BALANCE}")


async def hand_written_transfers(folder: Path, seconds: float) -> dict[bool, Transfers]:
    """Those of the server in `hand_written.mjs`, any two accounts (False) and mostly the same few (True)."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [node_executable(), "--no-warnings", str(FOLDER / "hand_written.mjs"), str(port)]
    results = {}
    async with (
        _process([*command, str(folder / "hand_written.sqlite3"), str(ACCOUNTS)], f"{url}/total"),
        http_client(url) as client,
    ):

        async def move(payer: int, payee: int) -> None:
            await client.post("/transfer", {"from": payer, "to": payee, "amount": 1})

        await _run(move, max(seconds, WARMING_SECONDS), skewed=False)
        for skewed in (False, True):
            results[skewed] = await _run(move, seconds, skewed=skewed)
            _check((await client.get("/total"))["total"])
    return results


async def transfers(
    report: Report, server: Server, by_hand: dict[bool, Transfers], seconds: float, language: str
) -> None:
    """Those of Parabola, with the functions of one language. None may fail."""
    module = {"Python": "transfer", "TypeScript": "transfers"}[language]
    async with http_client(server.url) as client:

        async def call(kind: str, function: str, **args: Any) -> Any:
            return await client.call(kind, f"{module}:{function}", args)

        async def move(payer: int, payee: int) -> None:
            await call("mutation", "move", payer=payer, payee=payee, amount=1)

        if await call("query", "count") == 0:
            for first in range(0, ACCOUNTS, BATCH):
                await call("mutation", "open", first=first, count=BATCH, balance=BALANCE)
        await _run(move, max(seconds, WARMING_SECONDS), skewed=False)
        alone = None
        for skewed, what in ((False, "any two of 20,000 accounts"), (True, "mostly the same few (Zipf 1.5)")):
            done, engine, hosts = await _counted(server, move, seconds, skewed=skewed)
            floor = by_hand[skewed]
            name = f"{language} transfers a second, {what}"
            report.add(Row(name, done.rate, "/s", floor.rate, "Node.js and SQLite"))
            for share, own, theirs in (
                ("half of them take no longer than", done.median, floor.median),
                ("99 of 100", done.slowest, floor.slowest),
            ):
                report.add(Row(f"  {share}", own * 1000, "ms", theirs * 1000, "by hand", False))
            report.add(Row("  processor time of the engine, each", engine * 1000, "ms"))
            report.add(Row("  and of what runs functions", hosts * 1000, "ms"))
            if alone is not None:
                report.add(Row("  beside those that do not contend", done.rate, "/s", alone.rate, "uniform"))
            else:
                await _pinned(report, server, move, seconds)
            alone = done
            total = 0.0
            for first in range(0, ACCOUNTS, BATCH):
                total += await call("query", "total", first=first, count=BATCH)
            _check(total)


async def _counted(
    server: Server, move: Callable[[int, int], Awaitable[None]], seconds: float, *, skewed: bool
) -> tuple[Transfers, float, float]:
    """Transfers, and the processor seconds each took of the engine and of the processes that it started."""
    engine_before, hosts_before = cpu_seconds(server.pid), of_children(server.pid)
    done = await _run(move, seconds, skewed=skewed)
    engine = cpu_seconds(server.pid) - engine_before
    hosts = sum(now - hosts_before.get(pid, 0.0) for pid, now in of_children(server.pid).items())
    count = done.rate * seconds
    return done, engine / count, hosts / count


async def _pinned(
    report: Report, server: Server, move: Callable[[int, int], Awaitable[None]], seconds: float
) -> None:
    """The engine on a core of its own: how much of that core so many transfers are."""
    if len(os.sched_getaffinity(0)) < 2:
        return
    with engine_alone_on_a_core(server.pid):
        done, engine, _ = await _counted(server, move, seconds, skewed=False)
    report.add(Row("  with the engine on a core, and all else on the others", done.rate, "/s"))
    report.add(Row("    which keeps that core busy for", 100 * engine * done.rate, "%"))
    report.add(Row("    so that one engine is enough for, given the cores", 1 / engine, "/s"))


async def inserts(report: Report, server: Server, folder: Path, seconds: float) -> None:
    """Inserts over HTTP beside FastAPI and aiosqlite; without a floor where these are not installed."""
    floor = await _inserts_by_hand(folder, seconds)
    async with http_client(server.url) as client:
        for module, language in (("bench", "Python"), ("twin", "TypeScript")):

            async def insert(channel: int, module: str = module) -> None:
                await client.call("mutation", f"{module}:insert", {"channel": channel, "text": "a note"})

            rate = await run_clients(CLIENTS, seconds, insert)
            report.add(Row(f"{language} inserts a second over HTTP", rate, "/s", floor, "FastAPI, aiosqlite"))


async def _inserts_by_hand(folder: Path, seconds: float) -> float | None:
    try:
        import aiosqlite  # noqa: F401
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        return None
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, str(FOLDER / "hand_written.py"), str(port)]
    async with (
        _process([*command, str(folder / "inserts.sqlite3")], f"{url}/docs"),
        http_client(url) as client,
    ):

        async def insert(channel: int) -> None:
            await client.post("/notes", {"channel": channel, "text": "a note"})

        return await run_clients(CLIENTS, seconds, insert)
