"""What it costs a server that others are told what it does: CPU of the same calls with and without a scrape
every second, a log stream, traces by OpenTelemetry.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from benchmarks.cpu_of_calls import CALLS_PER_SECOND, cpu_of_calls
from benchmarks.report import Report, Row
from benchmarks.server_process import Server, free_port
from benchmarks.sync_client import SyncClient, connected

CLIENTS: Final = 16
ROUNDS: Final = 5
SCRAPE_SECONDS: Final = 1.0

Watched = Callable[[], AbstractAsyncContextManager[object]]


async def observed(report: Report, server: Server, folder: Path, seconds: float) -> None:
    """A row for each way."""
    key = (await asyncio.to_thread(server.environment))["CONVEX_SELF_HOSTED_ADMIN_KEY"]
    async with (
        _taking_all() as receiver,
        aiohttp.ClientSession(headers={"Authorization": f"Convex {key}"}) as http,
    ):
        async with connected(server.url, CLIENTS) as clients:
            await _row(
                report,
                "/metrics scraped every second",
                seconds,
                (server, clients),
                lambda: _scraping(http, server),
            )
            await _row(
                report, "a log stream", seconds, (server, clients), lambda: _streaming(http, server, receiver)
            )
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver}
        for name, more in (
            (
                "OpenTelemetry, one trace of a hundred",
                {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"},
            ),
            ("OpenTelemetry, every trace", {}),
        ):
            other = Server(
                folder / f"otel-{len(more)}", options=("--otel",), variables={**environment, **more}
            )
            async with (
                other,
                connected(server.url, CLIENTS) as clients,
                connected(other.url, CLIENTS) as told,
            ):
                await _row(report, name, seconds, (server, clients), nullcontext, (other, told))


async def _row(
    report: Report,
    name: str,
    seconds: float,
    plain: tuple[Server, list[SyncClient]],
    watched: Watched,
    other: tuple[Server, list[SyncClient]] | None = None,
) -> None:
    without, with_it = [], []
    for _ in range(ROUNDS):  # by turns, so that whatever else the machine does is shared by both
        without.append(await cpu_of_calls(*plain, seconds))
        async with watched():
            with_it.append(await cpu_of_calls(*(other or plain), seconds))
    now, before = min(with_it), min(without)  # what else the machine does only adds
    title = f"CPU of a mutation, {CALLS_PER_SECOND}/s, {name}"
    report.add(Row(title, now, "ms", before, "without", higher_is_better=False))


@asynccontextmanager
async def _scraping(http: aiohttp.ClientSession, server: Server) -> AsyncIterator[None]:
    async def scrape() -> None:
        while True:
            async with http.get(f"{server.url}/metrics") as answer:
                answer.raise_for_status()
                await answer.read()
            await asyncio.sleep(SCRAPE_SECONDS)

    task = asyncio.create_task(scrape())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _streaming(http: aiohttp.ClientSession, server: Server, receiver: str) -> AsyncIterator[None]:
    async def ask(path: str, body: object = None) -> dict[str, str]:
        async with http.post(f"{server.url}/api/v1/{path}", json=body) as answer:
            answer.raise_for_status()
            text = await answer.text()
            return {} if not text else await answer.json()

    async def until(holds: Callable[[list[dict[str, object]]], bool]) -> None:
        while True:
            async with http.get(f"{server.url}/api/v1/list_log_streams") as answer:
                if holds(await answer.json()):
                    return
            await asyncio.sleep(0.05)

    made = await ask("create_log_stream", {"logStreamType": "webhook", "url": receiver, "format": "json"})
    await until(lambda streams: "delivery" in streams[0])
    try:
        yield
    finally:
        await ask(f"delete_log_stream/{made['id']}")
        await until(lambda streams: not streams)


@asynccontextmanager
async def _taking_all() -> AsyncIterator[str]:
    """A server that takes whatever it is sent; its address."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    app = web.Application(client_max_size=2**28)
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
