"""CPU of calls that come at a given pace."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Final

from benchmarks.process_memory import tree_of
from benchmarks.server_process import Server
from benchmarks.sync_client import SyncClient

CALLS_PER_SECOND: Final = 200
TICKS: Final = os.sysconf("SC_CLK_TCK")


async def cpu_of_calls(server: Server, clients: list[SyncClient], seconds: float) -> float:
    """Milliseconds of CPU, of the server and all that it has started, for each of the calls."""
    calls = 0
    begun = time.perf_counter()
    before = _cpu_seconds(server.pid)

    async def call(number: int) -> None:
        nonlocal calls
        while (at := begun + (calls + 1) / CALLS_PER_SECOND) < begun + seconds:
            calls += 1
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            await clients[number].mutation("bench:insert", {"channel": number, "text": "a note"})

    await asyncio.gather(*map(call, range(len(clients))))
    return (_cpu_seconds(server.pid) - before) * 1000 / calls


def _cpu_seconds(pid: int) -> float:
    total = 0
    for each in tree_of(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # it has ended
        total += int(fields[11]) + int(fields[12])
    return total / TICKS
