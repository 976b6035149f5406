"""How transfers change with the number of documents, and of subscriptions that are open beside them.

    python -m benchmarks.growth [--seconds 5] [--documents 20000,1000000] [--subscriptions 0,1000,10000]

The first row of each list is the floor of the others.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.http_client import HttpClient, http_client
from benchmarks.load import run_clients
from benchmarks.report import Report, Row
from benchmarks.server_process import Server, put_node_of_packages_on_path
from benchmarks.sync_client import SyncClient, connected
from benchmarks.transfer.accounts import BALANCE, pairs
from benchmarks.transfer.processes import cpu_seconds, of_children
from benchmarks.transfer.rows import BATCH, CLIENTS, WARMING_SECONDS

AT_ONCE = 8
"""Mutations under way while accounts are opened."""
OF_A_SOCKET = 500
"""Subscriptions of one client."""


class Transfers:
    """Transfers between the accounts of one server, of which there are more and more."""

    def __init__(self, server: Server, client: HttpClient) -> None:
        self._server = server
        self._client = client
        self._accounts = 0

    async def _call(self, function: str, **args: Any) -> Any:
        return await self._client.call("mutation", f"transfer:{function}", args)

    async def open(self, accounts: int) -> None:
        """See to it that there are so many."""
        firsts = iter(range(self._accounts, accounts, BATCH))

        async def some() -> None:
            for first in firsts:
                await self._call("open", first=first, count=BATCH, balance=BALANCE)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        self._accounts = max(self._accounts, accounts)

    async def run(self, seconds: float) -> tuple[float, float, float]:
        """Transfers a second, and processor seconds of the engine and of its hosts for each."""
        chosen: list[Iterator[tuple[int, int]]] = [
            pairs(client, skewed=False, accounts=self._accounts) for client in range(CLIENTS)
        ]

        async def once(client: int) -> None:
            payer, payee = next(chosen[client])
            await self._call("move", payer=payer, payee=payee, amount=1)

        await run_clients(CLIENTS, WARMING_SECONDS, once)
        pid = self._server.pid
        engine, hosts = cpu_seconds(pid), of_children(pid)
        rate = await run_clients(CLIENTS, seconds, once)
        count = rate * seconds
        used = sum(now - hosts.get(child, 0.0) for child, now in of_children(pid).items())
        return rate, (cpu_seconds(pid) - engine) / count, used / count


@asynccontextmanager
async def _subscribed(url: str, count: int) -> AsyncIterator[list[SyncClient]]:
    """Inside, so many queries are watched, whose results no transfer changes."""
    async with connected(url, -(-count // OF_A_SOCKET)) as clients:
        for number, client in enumerate(clients):
            channels = range(number * OF_A_SOCKET, min((number + 1) * OF_A_SOCKET, count))
            await client.subscribe_all(
                [("bench:latest", {"channel": channel, "count": 5}) for channel in channels]
            )
        yield clients


async def measure(seconds: float, documents: list[int], subscriptions: list[int]) -> Report:
    report = Report()
    print(Report.header())

    def add(name: str, found: tuple[float, float, float], floor: tuple[float, float, float] | None) -> None:
        rate, engine, hosts = found
        report.add(Row(f"transfers a second, {name}", rate, "/s", floor[0] if floor else None, "the first"))
        report.add(Row("  processor time of the engine, each", engine * 1000, "ms"))
        report.add(Row("  and of what runs functions", hosts * 1000, "ms"))

    with tempfile.TemporaryDirectory() as folder:
        async with (
            Server(Path(folder) / "app") as server,
            http_client(server.url) as client,
        ):
            transfers = Transfers(server, client)
            floor = None
            for accounts in documents[:1]:
                await transfers.open(accounts)
            for count in subscriptions:
                async with _subscribed(server.url, count):
                    found = await transfers.run(seconds)
                add(f"{count:,} subscriptions beside", found, floor)
                floor = floor or found
            floor = None
            for accounts in documents:
                await transfers.open(accounts)
                found = await transfers.run(seconds)
                add(f"{accounts:,} accounts", found, floor)
                floor = floor or found
    return report


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    parser.add_argument("--documents", type=_numbers, default=[20_000, 1_000_000])
    parser.add_argument("--subscriptions", type=_numbers, default=[0, 1_000, 10_000])
    options = parser.parse_args()
    put_node_of_packages_on_path()
    uvloop.install()
    asyncio.run(measure(options.seconds, options.documents, options.subscriptions))


if __name__ == "__main__":
    main()
