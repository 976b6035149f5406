"""Searches through a server: 1,000 that are live, and what a write into a searched table costs."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.load import percentile
from benchmarks.report import Report, Row
from benchmarks.search import CHANNELS, articles
from benchmarks.server_process import Server
from benchmarks.sync_client import SyncClient
from parabola.database.database import Database
from parabola.database.model.indexes import Index
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.transaction import Transaction

DOCUMENTS = 10_000
LIVE = 1000
WRITES = 300
AT_ONCE = 200


async def live_searches(report: Report, server: Server) -> None:
    """1,000 live searches of 10,000 documents, in 50 channels, beside the same writes without any."""
    documents = [
        {"channel": document["channel"], "body": document["body"]}
        for document in articles(DOCUMENTS + 4 * WRITES)
    ]
    written = itertools.islice(iter(documents), DOCUMENTS, None)
    async with aiohttp.ClientSession() as session:
        holder = await SyncClient.connect(session, server.url)
        writer = await SyncClient.connect(session, server.url)
        for start in range(0, DOCUMENTS, AT_ONCE):
            await writer.mutation("articles:add", {"articles": documents[start : start + AT_ONCE]})
        updates: list[dict[int, Any]] = []
        awaited: dict[str, asyncio.Future[float]] = {}

        def updated(changed: dict[int, Any], received: float) -> None:
            updates.append(changed)
            for found in changed.values():
                if found and found[0] in awaited:
                    awaited.pop(found[0]).set_result(received)

        holder.on_update = updated

        async def write_all() -> float:
            times = []
            for document in itertools.islice(written, WRITES):
                started = time.perf_counter()
                await writer.mutation("articles:add", {"articles": [document]})
                times.append(time.perf_counter() - started)
            return statistics.median(times)

        alone = await write_all()
        chance = random.Random(4)
        queries = [
            (
                "articles:search",
                {
                    "text": " ".join(chance.sample(documents[number]["body"].split(), 2)),
                    "channel": float(number % CHANNELS),
                },
            )
            for number in range(LIVE)
        ]
        for start in range(0, LIVE, AT_ONCE):
            await holder.subscribe_all(queries[start : start + AT_ONCE])
        updates.clear()
        watched = await write_all()
        await asyncio.sleep(0.5)
        changed = sum(map(len, updates))
        title = f"one write with {LIVE:,} live searches in {CHANNELS} channels, of {DOCUMENTS:,} documents"
        report.add(Row(title, watched * 1e6, "us", alone * 1e6, "with none", higher_is_better=False))
        report.add(Row("  searches that show something else after it", 100 * changed / WRITES / LIVE, "%"))
        latencies = []
        for number in range(50):
            text, channel = f"unheard{number}", float(number % CHANNELS)
            await holder.subscribe_all([("articles:search", {"text": text, "channel": channel})])
            awaited[text] = asyncio.get_running_loop().create_future()
            update = awaited[text]
            started = time.perf_counter()
            await writer.mutation("articles:add", {"articles": [{"channel": channel, "body": text}]})
            latencies.append(await update - started)
        title = "  write to the update of a live search, p50"
        report.add(Row(title, percentile(latencies, 0.5) * 1000, "ms"))
        await asyncio.gather(holder.close(), writer.close())


async def acknowledged_inserts(report: Report, folder: Path) -> None:
    """What an insert into a searched table takes until it is acknowledged, beside one into a plain one."""
    database = await Database.open(SqlitePersistence.open(folder / "acknowledged"))

    async def create(tx: Transaction) -> None:
        tx.create_table("plain")
        options = (("filterFields", ("channel",)), ("searchField", "body"))
        tablet_id = tx.create_table("searched").tablet_id
        tx.create_index(
            Index(database.new_id(), tablet_id, "by_words", (), "enabled", kind="search", options=options)
        )

    await database.transact(create, source="bench")
    times: dict[str, list[float]] = {"plain": [], "searched": []}
    for document in articles(4000):
        value = {"channel": document["channel"], "body": document["body"]}
        for table, taken in times.items():
            started = time.perf_counter()
            tx = database.begin(writable=True)
            await tx.insert(table, value)
            await database.commit(tx)
            taken.append(time.perf_counter() - started)
    searched, plain = (statistics.median(times[table]) * 1e6 for table in ("searched", "plain"))
    title = "an insert into a searched table, until it is acknowledged"
    report.add(Row(title, searched, "us", plain, "a plain table", higher_is_better=False))
    report.add(Row("  more than into a plain one", searched - plain, "us"))
    await database.close()
