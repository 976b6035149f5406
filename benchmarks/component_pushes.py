"""An app of ten components from npm, and those they use in turn: what a push asks of the server, and the
memory it takes.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import Report, Row
from benchmarks.server_process import Server

APPLICATION = Path(__file__).parent.parent / "tests" / "e2e" / "projects" / "npm_components"


async def component_pushes(report: Report, folder: Path) -> None:
    """A push that is new, the same push again, and the server's memory, beside that before."""
    async with Server(folder / "components", APPLICATION) as server:
        before = server.memory()
        body, key = await asyncio.to_thread(_request_of_push, server, folder)
        count = len(body["componentDefinitions"])
        async with aiohttp.ClientSession(headers={"Authorization": f"Convex {key}"}) as session:
            for what in ("new", "known"):
                seconds = await _start_push(session, server, body)
                report.add(Row(f"analysis of a {what} push with {count} definitions", seconds, "s"))
        await asyncio.to_thread(server.push_typescript)
        name = f"memory of the server with {count} definitions of components"
        now = server.memory()
        report.add(Row(name, now / 2**20, "MiB", before / 2**20, "before the push", higher_is_better=False))


def _request_of_push(server: Server, folder: Path) -> tuple[Any, str]:
    """What the command line would send for the application, and the key it would send it with."""
    server.push_typescript("--write-push-request", str(folder / "push"))
    (file,) = folder.glob("push*.json")
    key = server.environment()["CONVEX_SELF_HOSTED_ADMIN_KEY"]
    return {**json.loads(file.read_text()), "adminKey": key}, key


async def _start_push(session: aiohttp.ClientSession, server: Server, body: Any) -> float:
    start = time.perf_counter()
    async with session.post(f"{server.url}/api/deploy2/start_push", json=body) as response:
        if response.status != 200:
            raise RuntimeError(await response.text())
        await response.read()
    return time.perf_counter() - start
