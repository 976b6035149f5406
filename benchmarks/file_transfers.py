"""Uploads and downloads of a large file, beside the same file through plain aiohttp."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks.peak_memory import PeakMemory
from benchmarks.report import Report, Row
from benchmarks.server_process import Server, free_port

PIECE = 1024 * 1024


def _serve_files(directory: str, port: int) -> None:
    import uvloop

    path = Path(directory) / "floor"

    async def upload(request: web.Request) -> web.Response:
        with path.open("wb") as file:
            async for chunk in request.content.iter_chunked(256 * 1024):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())  # as durable as what is measured beside it
        return web.Response()

    async def download(_: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    app = web.Application()
    app.add_routes([web.post("/file", upload), web.get("/file", download)])
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, print=lambda *_: None, handle_signals=True)


class FileServer:
    """aiohttp on uvloop, writing a body to a file and sending it back: the floor of file storage."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/file"
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve_files, args=(str(directory), port), daemon=True)

    async def __aenter__(self) -> FileServer:
        self._process.start()
        async with aiohttp.ClientSession() as session:
            for _ in range(200):
                try:
                    async with session.get(self.url):
                        return self
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        raise RuntimeError("the file server did not start")

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(5)


async def transfers(report: Report, server: Server, folder: Path, size: int) -> None:
    """Rows of MB/s, each with the peak of the server's memory while the file passes through."""
    directory = folder / "file-floor"
    directory.mkdir()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        async with FileServer(directory) as floor:
            floor_in, _ = await _upload(session, floor.url, size)
            floor_out = await _download(session, floor.url, size)
        (directory / "floor").unlink()
        peak = PeakMemory(server.pid)
        url = await _call(session, server, "mutation", "bench:upload_url", {})
        rate_in, storage_id = await _upload(session, url, size)
        _add(report, "upload", size, rate_in, floor_in, "aiohttp to a file")
        _add_memory(report, "upload", peak)
        peak = PeakMemory(server.pid)
        url = await _call(session, server, "query", "bench:file_url", {"id": storage_id})
        rate_out = await _download(session, url, size)
        _add(report, "download", size, rate_out, floor_out, "aiohttp from a file")
        _add_memory(report, "download", peak)
        await _call(session, server, "mutation", "bench:delete_file", {"id": storage_id})


def _add(report: Report, name: str, size: int, rate: float, floor: float, floor_name: str) -> None:
    report.add(Row(f"{name} of a file of {size // 1_000_000:,} MB", rate, "MB/s", floor, floor_name))


def _add_memory(report: Report, name: str, peak: PeakMemory) -> None:
    report.add(Row(f"  the server's peak memory in the {name}, beyond what it had", peak.growth(), "MiB"))
    report.add(Row(f"  the server's peak memory in the {name}, in all", peak.total(), "MiB"))


async def _upload(session: aiohttp.ClientSession, url: str, size: int) -> tuple[float, str]:
    piece = os.urandom(PIECE)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(size // PIECE):
            yield piece

    start = time.perf_counter()
    headers = {"Content-Length": str(size)}
    async with session.post(url, data=body(), headers=headers) as response:
        response.raise_for_status()
        text = await response.text()
        id = (await response.json())["storageId"] if text else ""
    return size / 1e6 / (time.perf_counter() - start), id


async def _download(session: aiohttp.ClientSession, url: str, size: int) -> float:
    start, received = time.perf_counter(), 0
    async with session.get(url) as response:
        async for chunk in response.content.iter_any():
            received += len(chunk)
    if received != size:
        raise RuntimeError(f"{received} bytes came of {size}")
    return size / 1e6 / (time.perf_counter() - start)


async def _call(
    session: aiohttp.ClientSession, server: Server, kind: str, path: str, args: dict[str, str]
) -> str:
    async with session.post(f"{server.url}/api/{kind}", json={"path": path, "args": args}) as response:
        answer = await response.json()
    if answer["status"] != "success":
        raise RuntimeError(answer["errorMessage"])
    return str(answer["value"])
