"""What it costs a server that somebody looks at it: CPU of the same calls with a page of the dashboard open,
and with none.

A page is what it asks: the queries that it follows, and what it asks for again and again. The browser is left
out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from benchmarks.cpu_of_calls import CALLS_PER_SECOND, cpu_of_calls
from benchmarks.load import percentile
from benchmarks.report import Report, Row
from benchmarks.server_process import Server
from benchmarks.sync_client import SyncClient, connected

CLIENTS: Final = 16
ROUNDS: Final = 3

Query = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Page:
    """What a page follows, by path below `_system/frontend/`, and what it polls, with seconds in between."""

    name: str
    follows: tuple[Query, ...]
    polls: dict[str, float] = field(default_factory=dict)


_FIRST: Final = {"cursor": None, "numItems": 100, "id": 1}
_SHELL: Final[tuple[Query, ...]] = (("components:list", {}), ("backendState:backendState", {}))


def _window() -> str:
    end = int(time.time() // 60 + 1) * 60
    window = {
        "start": {"secs_since_epoch": end - 3600, "nanos_since_epoch": 0},
        "end": {"secs_since_epoch": end, "nanos_since_epoch": 0},
        "num_buckets": 60,
    }
    return quote(json.dumps(window))


def _pages() -> tuple[Page, ...]:
    return (
        Page(
            "Overview",
            tuple(
                (path, {})
                for path in (
                    "convexCloudUrl",
                    "deploymentEvents:lastPushEvent",
                    "modules:list",
                    "getTableMapping",
                    "getVersion",
                )
            ),
            {
                "/api/parabola/attention": 10,
                "/api/parabola/nodes": 10,
                f"/api/app_metrics/function_call_count_top_k?k=8&window={_window()}": 10,
                f"/api/app_metrics/failure_percentage_top_k?k=5&window={_window()}": 10,
            },
        ),
        Page(
            "Data",
            (
                ("getTableMapping", {}),
                ("getSchemas", {}),
                ("indexes", {"tableName": "notes", "tableNamespace": None}),
                ("tableSize", {"tableName": "notes"}),
                ("paginatedTableDocuments", {"table": "notes", "filters": None, "paginationOpts": _FIRST}),
            ),
        ),
        Page("Live", (), {"/api/parabola/live_queries": 2, "/api/parabola/reruns": 2}),
        Page("Contention", (), {"/api/parabola/contention": 3, "/api/parabola/full_scans": 5}),
        Page("Logs", (), {}),
        Page(
            "Schedules",
            (
                ("paginatedScheduledJobs", {"paginationOpts": _FIRST}),
                ("paginatedEndedJobs", {"paginationOpts": _FIRST}),
                ("listCronJobs", {}),
            ),
        ),
    )


async def dashboard_open(report: Report, server: Server, seconds: float) -> None:
    """A row for each of the pages that ask for most."""
    key = (await asyncio.to_thread(server.environment))["CONVEX_SELF_HOSTED_ADMIN_KEY"]
    async with connected(server.url, CLIENTS) as clients:
        for page in _pages():
            closed, opened = [], []
            for _ in range(ROUNDS):  # by turns, so that whatever else the machine does is shared by both
                closed.append(await cpu_of_calls(server, clients, seconds))
                async with _looking(server, page, key):
                    opened.append(await cpu_of_calls(server, clients, seconds))
            name = f"CPU of a mutation, {CALLS_PER_SECOND}/s, dashboard open at {page.name}"
            now, before = percentile(opened, 0.5), percentile(closed, 0.5)
            report.add(Row(name, now, "ms", before, "closed", higher_is_better=False))


@asynccontextmanager
async def _looking(server: Server, page: Page, key: str) -> AsyncIterator[None]:
    """The page is open inside."""
    headers = {"Authorization": f"Convex {key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        client = await SyncClient.connect(session, server.url)
        await client.authenticate_admin(key)
        follows = [
            (f"_system/frontend/{path}", {"componentId": None, **args})
            for path, args in _SHELL + page.follows
        ]
        await client.subscribe_all(follows)
        polls = [
            asyncio.create_task(_poll(session, server.url + path, every))
            for path, every in page.polls.items()
        ]
        if page.name == "Logs":
            polls.append(asyncio.create_task(_follow_log(session, server.url)))
        try:
            yield
        finally:
            for poll in polls:
                poll.cancel()
            await asyncio.gather(*polls, return_exceptions=True)
            await client.close()


async def _poll(session: aiohttp.ClientSession, url: str, every: float) -> None:
    while True:
        async with session.get(url) as answer:
            if answer.status != 200:
                raise RuntimeError(await answer.text())
            await answer.read()
        await asyncio.sleep(every)


async def _follow_log(session: aiohttp.ClientSession, url: str) -> None:
    cursor = 0.0
    while True:
        async with session.get(
            f"{url}/api/app_metrics/stream_function_logs", params={"cursor": cursor}
        ) as answer:
            cursor = (await answer.json())["newCursor"]
