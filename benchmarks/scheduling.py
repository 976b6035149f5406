"""Scheduled mutations a second, beside the same mutations called by clients."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

from benchmarks.load import percentile, run_clients
from benchmarks.report import Report, Row
from benchmarks.server_process import Server
from benchmarks.sync_client import SyncClient

CLIENTS = 64
JOBS_PER_MUTATION = 500
MILLISECONDS_TO_SCHEDULE = 5
"""For each job, generously: none may be due before all are scheduled."""


async def scheduled_calls(report: Report, server: Server, seconds: float) -> None:
    """Jobs that are due at once: how many run a second, and what a client's call takes meanwhile."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        clients = [await SyncClient.connect(session, server.url) for _ in range(CLIENTS)]

        async def plain(client: int) -> None:
            await clients[client].mutation("bench:insert", {"channel": 4000, "text": "plain"})

        floor = await run_clients(CLIENTS, seconds, plain)
        count = max(1, int(floor * seconds) // JOBS_PER_MUTATION) * JOBS_PER_MUTATION
        # They run in the order in which they were scheduled: when the last has ended, the others have.
        at = time.time() * 1000 + count * MILLISECONDS_TO_SCHEDULE + 1000
        for _ in range(count // JOBS_PER_MUTATION):
            last = await clients[0].mutation("bench:schedule", {"count": JOBS_PER_MUTATION, "at": at})
        if time.time() * 1000 > at:
            raise RuntimeError("scheduling took so long that the jobs have begun")
        finished = asyncio.Event()

        def updated(updates: dict[int, Any], _received: float) -> None:
            if "success" in updates.values():
                finished.set()

        await clients[1].subscribe("bench:job_state", {"id": last})
        clients[1].on_update = updated
        await asyncio.sleep(at / 1000 - time.time())
        start = time.perf_counter()
        latencies = []
        while not finished.is_set():
            began = time.perf_counter()
            await clients[2].mutation("bench:insert", {"channel": 4001, "text": "meanwhile"})
            latencies.append(time.perf_counter() - began)
        rate = count / (time.perf_counter() - start)
        await asyncio.gather(*(client.close() for client in clients))
    name = f"scheduled mutations a second, {count:,} due at once"
    report.add(Row(name, rate, "/s", floor, "called by 64 clients"))
    middle = sorted(latencies)[len(latencies) // 2] * 1000
    middle = percentile(latencies, 0.5) * 1000
    floor_ms = CLIENTS / floor * 1000
    name = "  a client's mutation meanwhile, p50"
    report.add(Row(name, middle, "ms", floor_ms, "beside 63 clients", higher_is_better=False))
