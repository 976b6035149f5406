"""The endpoints of pushes, on a real backend: what is wrong with a push never touches what is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parabola.backend import Backend, BackendConfig, host_processes
from parabola.server.app import Server
from parabola.services.admin_keys import make_admin_key

SECRET = "cd" * 32
KEY = make_admin_key("happy-animal", SECRET)


def query(result: str, args: str = '{"type":"any"}') -> str:
    """A module with a query `one`, as the official library and bundler make it, in the fewest words."""
    return f"""const one = () => {{}};
one.isQuery = true;
one.isPublic = true;
one.exportArgs = () => {json.dumps(args)};
one.exportReturns = () => "null";
one.invokeQuery = async () => JSON.stringify({result});
export {{ one }};
"""


def module(path: str, source: str) -> dict[str, Any]:
    """A module as it is sent; `"use node"` says where it runs."""
    environment = "node" if source.startswith('"use node"') else "isolate"
    return {"path": path, "source": source, "environment": environment}


EMPTY_APP = module("convex.config.js", "export default { export: () => ({}) };")


def push_of(sources: dict[str, str], schema: str | None = None, **more: Any) -> dict[str, Any]:
    """The request of a push (deploy-api 6.3)."""
    return {
        "adminKey": KEY,
        "dryRun": False,
        "functions": "convex/",
        "appDefinition": {
            "definition": EMPTY_APP,
            "dependencies": [],
            "schema": None if schema is None else module("schema.js", schema),
            "changedModules": [module(path, source) for path, source in sources.items()],
            "unchangedModuleHashes": [],
            "udfServerVersion": "1.48.0",
        },
        "componentDefinitions": [],
        "nodeDependencies": [],
        "forCodegen": False,
        **more,
    }


class Pusher:
    """Calls the endpoints as the command line does."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        async with self.http.post(path, json=body) as response:
            answer = await response.json()
            assert response.status == status, answer
            return answer

    async def start(self, sources: dict[str, str], status: int = 200, **more: Any) -> Any:
        return await self.post("/api/deploy2/start_push", push_of(sources, **more), status)

    async def finish(self, started: Any, status: int = 200) -> Any:
        body = {"adminKey": KEY, "startPush": started, "dryRun": False, "message": None}
        return await self.post("/api/deploy2/finish_push", body, status)

    async def push(self, sources: dict[str, str]) -> None:
        await self.finish(await self.start(sources))

    async def one(self) -> Any:
        """The value of the query that is served."""
        body = {"path": "served:one", "args": {}, "format": "json"}
        return (await self.post("/api/query", body))["value"]


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    config = BackendConfig(
        data_dir=tmp_path,
        instance_name="happy-animal",
        instance_secret=SECRET,
        hosts=replace(host_processes(), processes=1),
    )
    backend = await Backend.open(config)
    yield backend
    await backend.close()


@pytest.fixture
async def server(backend: Backend) -> AsyncIterator[Server]:
    server = Server(backend, port=0, site_port=None)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def pusher(server: Server) -> AsyncIterator[Pusher]:
    headers = {"Authorization": f"Convex {KEY}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as http:
        yield Pusher(http)


async def test_whoever_waits_for_news_is_answered_when_the_server_stops(
    backend: Backend, server: Server, pusher: Pusher
) -> None:
    async with pusher.http.get("/api/stream_function_logs?cursor=0") as response:
        cursor = (await response.json())["newCursor"]
    waiting = asyncio.create_task(pusher.http.get(f"/api/stream_function_logs?cursor={cursor}"))
    while not backend.log._waiting:
        await asyncio.sleep(0)
    await server.stop()
    async with await waiting as response:
        assert await response.json() == {"entries": [], "newCursor": cursor}
