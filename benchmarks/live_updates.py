"""Live updates: from a write to what other clients see, beside a stub of the protocol (`sync_stub`)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks.load import percentile
from benchmarks.report import Report, Row
from benchmarks.server_process import Server, free_port
from benchmarks.sync_client import connected

__all__ = ["live_updates"]

WATCHED = 777
"""The channel whose updates are timed."""
SUBSCRIBERS = 1_000
SET_UP = 2_000
"""Subscriptions that are set up at once, none of which the server has a result for."""


@dataclass(frozen=True)
class Latencies:
    """Seconds below which half and 99 of 100 updates took."""

    median: float
    slowest: float


class Stub:
    """The stub as a process."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Stub:
        self._process = self._start()
        async with aiohttp.ClientSession() as session:
            for _ in range(200):
                try:
                    async with session.get(self.url):
                        return self
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)
        raise RuntimeError("the stub did not start")

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "benchmarks.sync_stub", str(self.port)])

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 10)


async def _latencies(url: str, module: str, writes: int, seconds: float, idle: int = 0) -> Latencies:
    """So many writes a second until another client's update shows them; `idle` subscriptions sit beside."""
    async with connected(url, 3) as (reader, writer, holder):
        for start in range(0, idle, 500):
            channels = range(10_000 + start, 10_000 + min(start + 500, idle))
            await holder.subscribe_all(
                [(f"{module}:latest", {"channel": channel, "count": 5}) for channel in channels]
            )
        sent: dict[str, float] = {}
        latencies: list[float] = []

        def updated(updates: dict[int, Any], received: float) -> None:
            for text in next(iter(updates.values())):
                if text in sent:
                    latencies.append(received - sent.pop(text))

        await reader.subscribe(f"{module}:latest", {"channel": WATCHED, "count": 5})
        reader.on_update = updated
        pending = []
        began = time.perf_counter()
        for number in range(int(seconds * writes)):
            text = f"{url} {writes} {number}"
            await asyncio.sleep(max(0.0, began + number / writes - time.perf_counter()))
            sent[text] = time.perf_counter()
            note = {"channel": WATCHED, "text": text}
            pending.append(asyncio.create_task(writer.mutation(f"{module}:insert", note)))
        await asyncio.gather(*pending)
        return Latencies(percentile(latencies, 0.5), percentile(latencies, 0.99))


async def _last_of(url: str, module: str, subscribers: int, rounds: int = 20) -> float:
    """Median seconds from a write until the last of so many subscribers has it."""
    async with connected(url, subscribers) as clients:
        for client in clients:
            await client.subscribe(f"{module}:latest", {"channel": 888, "count": 5})
        times = []
        for number in range(rounds):
            waiting = set(range(len(clients)))
            everyone = asyncio.Event()

            def seen(index: int, waiting: set[int] = waiting, everyone: asyncio.Event = everyone) -> None:
                waiting.discard(index)
                if not waiting:
                    everyone.set()

            for index, client in enumerate(clients):
                client.on_update = lambda _updates, _received, index=index, seen=seen: seen(index)
            start = time.perf_counter()
            await clients[0].mutation(f"{module}:insert", {"channel": 888, "text": f"wave {number}"})
            await everyone.wait()
            times.append(time.perf_counter() - start)
        return percentile(times, 0.5)


async def _set_up(url: str, module: str, first: int) -> float:
    """Seconds until so many subscriptions have their first results."""
    async with connected(url, 4) as clients:
        channels = range(first, first + SET_UP)
        queries = [(f"{module}:latest", {"channel": channel, "count": 5}) for channel in channels]
        start = time.perf_counter()
        share = SET_UP // len(clients)
        await asyncio.gather(
            *(client.subscribe_all(queries[i * share : (i + 1) * share]) for i, client in enumerate(clients))
        )
        return time.perf_counter() - start


async def live_updates(report: Report, server: Server, seconds: float) -> None:
    """The rows; latencies in milliseconds."""
    seconds = max(seconds, 4)
    async with Stub() as stub:
        floor = await _latencies(stub.url, "stub", 50, seconds)
        floor_last = await _last_of(stub.url, "stub", SUBSCRIBERS)
        floor_set_up = await _set_up(stub.url, "stub", 100_000)
    beside = "stub"

    def milliseconds(name: str, own: float, floor: float) -> None:
        report.add(Row(name, own * 1000, "ms", floor * 1000, beside, higher_is_better=False))

    for number, (module, language) in enumerate((("bench", "Python"), ("twin", "TypeScript"))):
        own = await _latencies(server.url, module, 50, seconds)
        milliseconds(
            f"{language} write to another client's update, 50/s, half of them", own.median, floor.median
        )
        milliseconds("  99 of 100", own.slowest, floor.slowest)
        busy = await _latencies(server.url, module, 200, seconds, idle=SUBSCRIBERS)
        report.add(
            Row(
                f"{language} update, 200 writes/s, 1,000 subscriptions beside, 99 of 100",
                busy.slowest * 1000,
                "ms",
                busy.median * 1000,
                "half of them",
                higher_is_better=False,
            )
        )
        last = await _last_of(server.url, module, SUBSCRIBERS)
        milliseconds(f"{language} write until the last of 1,000 subscribers has it", last, floor_last)
        set_up = await _set_up(server.url, module, 200_000 + number * SET_UP)
        milliseconds(f"{language} subscriptions without a result at hand, 2,000 set up", set_up, floor_set_up)
