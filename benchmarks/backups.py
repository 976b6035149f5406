"""What backups cost those who write meanwhile, and how long a restore takes."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from benchmarks.load import percentile
from benchmarks.report import Report, Row
from benchmarks.server_process import Server
from benchmarks.sync_client import SyncClient, connected

CLIENTS: Final = 8
PER_SECOND: Final = 25
"""Of each client: a load that a server carries easily, so that what is measured is who waits for whom."""
ROUNDS: Final = 3
TEXT: Final = "a few words of no meaning " * 800
MB: Final = 1_000_000


async def backups(report: Report, folder: Path, seconds: float, megabytes: int = 100) -> None:
    """What writers of a server of its own feel of a backup and of the log, and how long a restore takes."""
    async with Server(folder / "backed-up") as server, connected(server.url, CLIENTS) as clients:
        await _fill(clients, megabytes)
        await _backup_under_load(report, server, clients, folder / "kept", seconds)
        await _log_under_load(report, server, clients, folder / "followed", seconds)
    await _restores(report, folder)


async def _fill(clients: list[SyncClient], megabytes: int) -> None:
    """Documents of 20 kB."""

    async def insert(client: SyncClient, number: int) -> None:
        for _ in range(number):
            await client.mutation("bench:insert", {"channel": 77, "text": TEXT})

    number = megabytes * MB // len(TEXT) // len(clients) + 1
    await asyncio.gather(*(insert(client, number) for client in clients))


async def _latencies(clients: list[SyncClient], until: Callable[[], Awaitable[object]]) -> list[float]:
    """Of mutations that come evenly, in milliseconds, for as long as `until` takes."""
    took: list[float] = []
    is_over = False

    async def write(client: SyncClient) -> None:
        while not is_over:
            start = time.perf_counter()
            await client.mutation("bench:insert", {"channel": 5, "text": "x"})
            took.append((time.perf_counter() - start) * 1000)
            await asyncio.sleep(max(0.0, start + 1 / PER_SECOND - time.perf_counter()))

    writing = [asyncio.create_task(write(client)) for client in clients]
    await until()
    is_over = True
    await asyncio.gather(*writing)
    return took


async def _backup_under_load(
    report: Report, server: Server, clients: list[SyncClient], place: Path, seconds: float
) -> None:
    quiet: list[float] = []
    under_way: list[float] = []
    times: list[float] = []

    async def backup() -> None:
        shutil.rmtree(place, ignore_errors=True)
        start = time.perf_counter()
        await _parabola("backup", str(place), "--data", str(server.directory / ".parabola"))
        times.append(time.perf_counter() - start)

    for _ in range(ROUNDS):  # by turns, so that whatever else the machine does is shared by both
        quiet += await _latencies(clients, lambda: asyncio.sleep(seconds))
        under_way += await _latencies(clients, backup)
    _add_latencies(report, "while a backup is made", under_way, quiet)
    size = (server.directory / ".parabola" / "parabola.sqlite3").stat().st_size
    report.add(Row("a backup, for each GB of the database", percentile(times, 0.5) / size * 1e9, "s"))


async def _log_under_load(
    report: Report, server: Server, clients: list[SyncClient], place: Path, seconds: float
) -> None:
    quiet: list[float] = []
    followed: list[float] = []
    for _ in range(ROUNDS):
        quiet += await _latencies(clients, lambda: asyncio.sleep(seconds))
        log = await asyncio.create_subprocess_exec(
            *_command("backup", str(place), "--continuous", "--data", str(server.directory / ".parabola")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert log.stdout is not None
        while b"Keeping the log" not in await log.stdout.readline():
            pass
        followed += await _latencies(clients, lambda: asyncio.sleep(seconds))
        await asyncio.sleep(1.5)  # what was written last is in the log as well
        log.terminate()
        await log.wait()
    _add_latencies(report, "while the log is kept", followed, quiet)


def _add_latencies(report: Report, when: str, measured: list[float], quiet: list[float]) -> None:
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        report.add(
            Row(
                f"{name} of a mutation, {CLIENTS * PER_SECOND}/s, {when}",
                percentile(measured, share),
                "ms",
                percentile(quiet, share),
                "quiet",
                higher_is_better=False,
            )
        )


async def _restores(report: Report, folder: Path) -> None:
    kept = folder / "kept"
    times = []
    for number in range(ROUNDS):
        start = time.perf_counter()
        await _parabola("restore", str(kept), "--data", str(folder / f"restored-{number}"))
        times.append(time.perf_counter() - start)
    size = (folder / "restored-0" / "parabola.sqlite3").stat().st_size
    report.add(Row("a restore, for each GB of the database", percentile(times, 0.5) / size * 1e9, "s"))


async def _parabola(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *_command(*arguments), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError(f"parabola {' '.join(arguments)} failed")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "parabola", *arguments]
