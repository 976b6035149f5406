"""`make bench`: one report of figures and their floors, all measured in this run.

Load comes from this process over the loopback, and stops by itself. Ratios are what to read: the machine may
be shared and slow, but the floor beside each figure ran on the same one a moment before or after.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import tempfile
from pathlib import Path

import uvloop

from benchmarks import rows
from benchmarks.backups import backups
from benchmarks.component_pushes import component_pushes
from benchmarks.dashboard_open import dashboard_open
from benchmarks.file_transfers import transfers
from benchmarks.floors import EchoServer, sqlite_durable_commits
from benchmarks.large_app import large_app
from benchmarks.live_searches import acknowledged_inserts, live_searches
from benchmarks.live_updates import live_updates
from benchmarks.memory_and_start import memory_and_start
from benchmarks.observability import observed
from benchmarks.report import Report
from benchmarks.scheduling import scheduled_calls
from benchmarks.search import text_searches, vector_searches
from benchmarks.server_process import Server, free_port, put_node_of_packages_on_path
from benchmarks.transfer.rows import hand_written_transfers, inserts
from benchmarks.transfer.rows import transfers as bank_transfers


async def measure(seconds: float, largest: int, file_size: int) -> Report:
    report = Report()
    print(Report.header())
    with tempfile.TemporaryDirectory() as folder:
        async with EchoServer(free_port()) as echo:
            floors = rows.Floors(
                websocket=await echo.websocket_round_trips(64, seconds),
                http=await echo.http_round_trips(64, seconds),
                commit_alone=sqlite_durable_commits(1, seconds / 2),
                commit_grouped=sqlite_durable_commits(50, seconds / 2),
            )
        async with Server(Path(folder) / "app") as server:
            for module, language in (("bench", "Python"), ("twin", "TypeScript")):
                await rows.mutations(report, server, floors, seconds, module, language)
                await rows.queries(report, server, floors, seconds, module, language)
            async with hand_written_transfers(Path(folder), seconds) as by_hand:
                for language in ("Python", "TypeScript"):
                    await bank_transfers(report, server, by_hand, seconds, language)
            await inserts(report, server, Path(folder), seconds)
            await live_updates(report, server, seconds)
            await rows.nested_calls(report, server, seconds)
            await scheduled_calls(report, server, seconds)
            await transfers(report, server, Path(folder), file_size)
            await rows.save_to_update(report, server)
            await rows.untouched_subscriptions(report, server, seconds)
            await rows.memory_per_subscription(report, server)
            await dashboard_open(report, server, seconds)
            await observed(report, server, Path(folder), seconds)
            await live_searches(report, server)
        await backups(report, Path(folder), seconds)
        await component_pushes(report, Path(folder))
        await memory_and_start(report, Path(folder), seconds, largest)
        await large_app(report, Path(folder))
        for count in (1_000, 100_000, 1_000_000):
            if count <= largest:
                await rows.reads(report, Path(folder), count)
        await acknowledged_inserts(report, Path(folder))
        for count in (10_000, 100_000):
            if count <= largest:
                await text_searches(report, Path(folder), count)
                await vector_searches(report, Path(folder), count)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--largest", type=int, default=1_000_000, help="largest table for the read rows")
    parser.add_argument("--file-mib", type=int, default=1024, help="size of the file for the storage rows")
    parser.add_argument("--markdown", type=Path, help="also write the report to this file")
    options = parser.parse_args()
    put_node_of_packages_on_path()
    uvloop.install()
    report = asyncio.run(measure(options.seconds, options.largest, options.file_mib << 20))
    if options.markdown is not None:
        machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        options.markdown.write_text(f"{machine}\n\n{report.markdown()}\n")


if __name__ == "__main__":
    main()
