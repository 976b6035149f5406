"""The rows: transfers a second, alone and contended, what they cost the engine, and inserts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.http_client import HttpClient, http_client
from benchmarks.load import percentile, run_clients
from benchmarks.report import Report, Row
from benchmarks.server_process import Server, free_port
from benchmarks.transfer.accounts import ACCOUNTS, BALANCE, pairs
from benchmarks.transfer.processes import cpu_seconds, engine_alone_on_a_core, of_children
from parabola.hosts.node import node_executable

__all__ = ["HandWritten", "Turns", "by_turns", "hand_written_transfers", "inserts", "transfers"]

CLIENTS = 64
FOLDER = Path(__file__).parent
BATCH = 500
WARMING_SECONDS = 12.0
"""Until a server under load has become what it is then: more processes, executors, compiled JavaScript."""
TURN_SECONDS = 2.0
"""For which one side is measured, before the other one is: others may be at work on the machine."""


Move = Callable[[int, int], Awaitable[object]]
"""A transfer from one account to another."""


class Turns:
    """What one side has done in its turns, which it takes with others: the machine may be slow for a while.

    `pid` is that of a server of Parabola, whose processor time is counted.
    """

    def __init__(self, once: Callable[[int], Awaitable[object]], pid: int | None = None) -> None:
        self._once = once
        self._pid = pid
        self._times: list[float] = []
        self._calls = 0
        self._seconds = self._engine = self._hosts = 0.0

    async def take(self, seconds: float) -> None:
        """One turn."""
        pid = self._pid
        engine, hosts = (0.0, {}) if pid is None else (cpu_seconds(pid), of_children(pid))
        end = time.perf_counter() + seconds

        async def once(client: int) -> None:
            began = time.perf_counter()
            await self._once(client)
            ended = time.perf_counter()
            self._calls += 1
            if ended <= end:  # the last ones end beside fewer and fewer others
                self._times.append(ended - began)

        await run_clients(CLIENTS, seconds, once, warm_up=0)
        self._seconds += seconds
        if pid is not None:
            self._engine += cpu_seconds(pid) - engine
            self._hosts += sum(now - hosts.get(one, 0.0) for one, now in of_children(pid).items())

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self._times) / self._seconds

    def below(self, share: float) -> float:
        """Seconds in which this share of the calls (0 to 1) was done."""
        return percentile(self._times, share)

    @property
    def engine(self) -> float:
        """Processor seconds of the engine, each."""
        return self._engine / self._calls

    @property
    def hosts(self) -> float:
        """Processor seconds of the processes that it started, each."""
        return self._hosts / self._calls


def transferring(move: Move, *, skewed: bool, pid: int | None = None) -> Turns:
    """Transfers between any two accounts, or mostly the same few."""
    chosen: list[Iterator[tuple[int, int]]] = [pairs(client, skewed=skewed) for client in range(CLIENTS)]
    return Turns(lambda client: move(*next(chosen[client])), pid)


async def by_turns(sides: Sequence[Turns], seconds: float) -> None:
    """So many seconds of each side."""
    turns = max(1, round(seconds / TURN_SECONDS))
    for turn in range(turns):
        for side in sides if turn % 2 == 0 else reversed(sides):
            await side.take(seconds / turns)


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


@dataclass(frozen=True)
class HandWritten:
    """The server in `hand_written.mjs`, warm."""

    client: HttpClient

    async def move(self, payer: int, payee: int) -> None:
        """One transfer."""
        await self.client.post("/transfer", {"from": payer, "to": payee, "amount": 1})

    async def check(self) -> None:
        """That no money was made or lost."""
        _check((await self.client.get("/total"))["total"])


@asynccontextmanager
async def hand_written_transfers(folder: Path, seconds: float) -> AsyncIterator[HandWritten]:
    """Started; it does nothing between its turns."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [node_executable(), "--no-warnings", str(FOLDER / "hand_written.mjs"), str(port)]
    async with (
        _process([*command, str(folder / "hand_written.sqlite3"), str(ACCOUNTS)], f"{url}/total"),
        http_client(url) as client,
    ):
        by_hand = HandWritten(client)
        await transferring(by_hand.move, skewed=False).take(max(seconds, WARMING_SECONDS))
        yield by_hand


async def transfers(
    report: Report, server: Server, by_hand: HandWritten, seconds: float, language: str
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
        await transferring(move, skewed=False).take(max(seconds, WARMING_SECONDS))
        alone = None
        for skewed, what in ((False, "any two of 20,000 accounts"), (True, "mostly the same few (Zipf 1.5)")):
            own = transferring(move, skewed=skewed, pid=server.pid)
            floor = transferring(by_hand.move, skewed=skewed)
            await by_turns((floor, own), seconds)
            name = f"{language} transfers a second, {what}"
            report.add(Row(name, own.rate, "/s", floor.rate, "Node.js and SQLite"))
            for words, share in (("half of them take no longer than", 0.5), ("99 of 100", 0.99)):
                theirs = floor.below(share) * 1000
                report.add(Row(f"  {words}", own.below(share) * 1000, "ms", theirs, "by hand", False))
            report.add(Row("  processor time of the engine, each", own.engine * 1000, "ms"))
            report.add(Row("  and of what runs functions", own.hosts * 1000, "ms"))
            if alone is not None:
                report.add(Row("  beside those that do not contend", own.rate, "/s", alone.rate, "uniform"))
            else:
                await _pinned(report, server, move, seconds)
            alone = own
            total = 0.0
            for first in range(0, ACCOUNTS, BATCH):
                total += await call("query", "total", first=first, count=BATCH)
            _check(total)
            await by_hand.check()


async def _pinned(report: Report, server: Server, move: Move, seconds: float) -> None:
    """The engine on a core of its own: how much of that core so many transfers are."""
    if len(os.sched_getaffinity(0)) < 2:
        return
    done = transferring(move, skewed=False, pid=server.pid)
    with engine_alone_on_a_core(server.pid):
        await done.take(seconds)
    report.add(Row("  with the engine on a core, and all else on the others", done.rate, "/s"))
    report.add(Row("    which keeps that core busy for", 100 * done.engine * done.rate, "%"))
    report.add(Row("    so that one engine is enough for, given the cores", 1 / done.engine, "/s"))


async def inserts(report: Report, server: Server, folder: Path, seconds: float) -> None:
    """Inserts over HTTP beside FastAPI and aiosqlite; without a floor where these are not installed."""
    async with _inserts_by_hand(folder) as by_hand, http_client(server.url) as client:

        def inserting(module: str) -> Turns:
            return Turns(
                lambda channel: client.call(
                    "mutation", f"{module}:insert", {"channel": channel, "text": "a note"}
                )
            )

        python, typescript = inserting("bench"), inserting("twin")
        floor = None if by_hand is None else Turns(by_hand)
        await by_turns([side for side in (floor, python, typescript) if side is not None], seconds)
        floor_rate = None if floor is None else floor.rate
        for language, own in (("Python", python), ("TypeScript", typescript)):
            name = f"{language} inserts a second over HTTP"
            report.add(Row(name, own.rate, "/s", floor_rate, "FastAPI, aiosqlite"))


@asynccontextmanager
async def _inserts_by_hand(folder: Path) -> AsyncIterator[Callable[[int], Awaitable[object]] | None]:
    try:
        import aiosqlite  # noqa: F401
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        yield None
        return
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, str(FOLDER / "hand_written.py"), str(port)]
    async with (
        _process([*command, str(folder / "inserts.sqlite3")], f"{url}/docs"),
        http_client(url) as client,
    ):
        yield lambda channel: client.post("/notes", {"channel": channel, "text": "a note"})
