"""How soon a server answers after its start, and what it holds of the machine's memory, hosts included."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.load import percentile, run_clients
from benchmarks.process_memory import MIB, proportional_bytes
from benchmarks.report import Report, Row
from benchmarks.served_data import ServedData, first_answer
from benchmarks.server_process import free_port
from parabola.backend import open_database
from parabola.database.model.indexes import Index
from parabola.hosts.node import node_executable

LANGUAGES = ("Python", "TypeScript")
STARTS = 5
SETTLE_SECONDS = 10.0
"""From the first answer until memory is looked at."""
BACK_SECONDS = 300.0
"""How long the memory of a burst may take to come back."""
CLIENTS = 64
PUSHES = 100
BATCH = 2000

_AIOHTTP = """
import sys
from aiohttp import web
async def answer(request): return web.Response(text="x")
app = web.Application(); app.add_routes([web.get("/version", answer)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
_NODE = "require('http').createServer((_, answer) => answer.end('x')).listen(+process.argv[1], '127.0.0.1')"


@dataclass(frozen=True)
class BareServer:
    """A server that does nothing: seconds until its first answer, and its bytes."""

    seconds: float
    memory: int
    name: str

    @classmethod
    def measure(cls, language: str) -> BareServer:
        port = str(free_port())
        if language == "Python":
            name, command = "bare aiohttp", [sys.executable, "-c", _AIOHTTP, port]
        else:
            name, command = "bare node:http", [node_executable(), "-e", _NODE, port]
        times, memory = [], 0
        for _ in range(STARTS):
            started = time.perf_counter()
            with subprocess.Popen(command) as process:
                try:
                    first_answer(int(port), "/version")
                    times.append(time.perf_counter() - started)
                    memory = proportional_bytes(process.pid)
                finally:
                    process.terminate()
        return cls(percentile(times, 0.5), memory, name)


async def memory_and_start(report: Report, folder: Path, seconds: float, largest: int) -> None:
    """Every row: small applications first, then one with many documents."""
    floors = {language: await asyncio.to_thread(BareServer.measure, language) for language in LANGUAGES}
    compiled = folder / "compiled"
    for language in LANGUAGES:
        served = ServedData(folder / f"small-{language}", language, compiled)
        await served.start(query=None)
        await asyncio.to_thread(served.deploy)
        await served.stop()
        floor = floors[language]
        report.add(_start_row(f"{language} start to the first answer", await _starts(served), floor))
        await served.start()
        idle = await settled(served)
        report.add(memory_row(f"{language} memory when idle, with all hosts", idle, floor))
        await _burst(report, served, floor, idle, max(seconds, 3.0))
        await _pushes(report, served, floor, idle)
        await served.stop()
    many = folder / "many"
    if largest:
        await _fill(many, largest)
        for language in LANGUAGES:
            served = ServedData(folder / f"many-{language}", language, compiled)
            shutil.copytree(many, served.data)
            await served.start(query=None)
            await asyncio.to_thread(served.deploy)
            await served.stop()
            name = f"{language} start with {largest:,} documents"
            report.add(_start_row(name, await _starts(served), floors[language]))
            times = []
            for _ in range(STARTS):
                await served.start()
                await _insert(served, 100)
                await served.stop(signal.SIGKILL)
                times.append(await served.start())
                await served.stop()
            report.add(_start_row("  the same after kill -9", percentile(times, 0.5), floors[language]))
            await served.start()
            report.add(memory_row("  memory when idle", await settled(served), floors[language]))
            await served.stop()
            shutil.rmtree(served.data)


def _start_row(name: str, seconds: float, floor: BareServer) -> Row:
    return Row(name, seconds * 1000, "ms", floor.seconds * 1000, floor.name, higher_is_better=False)


def memory_row(name: str, memory: int, floor: BareServer) -> Row:
    """Bytes beside those of a server that does nothing."""
    return Row(name, memory / MIB, "MiB", floor.memory / MIB, floor.name, higher_is_better=False)


async def _starts(served: ServedData) -> float:
    """Median seconds to the first answer, after one start that is not counted: it fills the disk's cache."""
    times = []
    for _ in range(STARTS + 1):
        times.append(await served.start())
        await served.stop()
    return percentile(times[1:], 0.5)


async def settled(served: ServedData) -> int:
    """What it holds, with all that it has started, when it has had nothing to do for a while."""
    await asyncio.sleep(SETTLE_SECONDS)
    return proportional_bytes(served.pid)


async def _insert(served: ServedData, count: int, text: str = "note") -> None:
    async with aiohttp.ClientSession() as session:
        for number in range(count):
            await _call(session, served, "mutation", "notes:insert", {"channel": number, "text": text})


async def _call(
    session: aiohttp.ClientSession, served: ServedData, kind: str, path: str, args: dict[str, Any]
) -> None:
    async with session.post(f"{served.url}/api/{kind}", json={"path": path, "args": args}) as answer:
        if (await answer.json())["status"] != "success":
            raise RuntimeError(await answer.text())


async def _burst(report: Report, served: ServedData, floor: BareServer, idle: int, seconds: float) -> None:
    """Large results, each executed, with as many calls in flight as there are clients, and inserts."""
    await _insert(served, 200, "x" * 2000)
    salts = itertools.count()
    peak = idle
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def once(client: int) -> None:
            nonlocal peak
            salt = next(salts)
            if salt % 4 == 0:
                await _call(
                    session, served, "mutation", "notes:insert", {"channel": 1000, "text": "y" * 2000}
                )
            else:
                args = {"channel": 0, "count": 200, "salt": salt}
                await _call(session, served, "query", "notes:page", args)
            if salt % 100 == 0:
                peak = max(peak, proportional_bytes(served.pid))

        await run_clients(CLIENTS, seconds, once)
    ended = time.perf_counter()
    report.add(memory_row("  memory in a burst of large results", peak, floor))
    now = proportional_bytes(served.pid)
    while now > 1.2 * idle and time.perf_counter() - ended < BACK_SECONDS:
        await asyncio.sleep(2.0)
        now = proportional_bytes(served.pid)
    report.add(memory_row(f"  memory {time.perf_counter() - ended:.0f} s after it", now, floor))


async def _pushes(report: Report, served: ServedData, floor: BareServer, idle: int) -> None:
    for change in range(1, PUSHES + 1):
        await asyncio.to_thread(served.deploy, change)
    pushed = time.perf_counter()
    now = proportional_bytes(served.pid)
    while now > 1.2 * idle and time.perf_counter() - pushed < BACK_SECONDS:
        await asyncio.sleep(2.0)
        now = proportional_bytes(served.pid)
    name = f"  memory {time.perf_counter() - pushed:.0f} s after {PUSHES} pushes"
    report.add(memory_row(name, now, floor))


async def _fill(directory: Path, count: int) -> None:
    """A table with so many documents, 100 to a channel."""
    database = await open_database(directory)
    tx = database.begin(writable=True)
    table = tx.create_table("notes")
    fields = ("channel", "_creationTime")
    tx.create_index(Index(database.new_id(), table.tablet_id, "by_channel", fields, "enabled"))
    await database.commit(tx)
    for start in range(0, count, BATCH):
        tx = database.begin(writable=True)
        for number in range(start, min(start + BATCH, count)):
            await tx.insert("notes", {"channel": float(number // 100), "text": "note"})
        await database.commit(tx)
    await database.close()


async def main() -> None:
    """These rows alone: `python -m benchmarks.memory_and_start FOLDER [DOCUMENTS]`."""
    print(Report.header())
    documents = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    await memory_and_start(Report(), Path(sys.argv[1]), 20.0, documents)


if __name__ == "__main__":
    from benchmarks.server_process import put_node_of_packages_on_path

    put_node_of_packages_on_path()
    asyncio.run(main())
