"""A backend with functions that read and schedule, and what the dashboard asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from client_calls import client_call
from parabola.backend import Backend
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.server.app import create_app
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from services.archive_driver import opened

T = TypeVar("T")
Client = TestClient[web.Request, web.Application]
WORK = """
from parabola import cron_jobs, internal, internal_mutation, mutation, query

@query
async def done(ctx):
    return await ctx.db.query("tasks").filter(lambda q: q.eq(q.field("done"), True)).collect()

@query
async def of_ann(ctx):
    tasks = ctx.db.query("tasks").with_index("by_owner", lambda q: q.eq("owner", "ann"))
    return len(await tasks.filter(lambda q: q.gt(q.field("size"), 900)).collect())

@query
async def by_owner_filtered(ctx):
    return len(await ctx.db.query("tasks").filter(lambda q: q.eq(q.field("owner"), "nobody")).collect())

@query
async def everything(ctx):
    return len(await ctx.db.query("tasks").collect())

@query
async def few(ctx):
    return len(await ctx.db.query("tasks").take(50))

@mutation
async def fail(ctx):
    raise ValueError("this never works")

@mutation
async def plan(ctx):
    return await ctx.scheduler.run_after(3600, internal.work.tick, {"text": "planned"})

@internal_mutation
async def tick(ctx, text: str):
    await ctx.db.insert("tasks", {"text": text})
"""
SCHEMA = """
from parabola import define_schema, define_table, v
schema = define_schema({"tasks": define_table(v.any()).index("by_owner", ["owner"])})
"""
CRONS = """
from parabola import cron_jobs, internal
crons = cron_jobs()
crons.daily("nightly", internal.work.tick, {"text": "by hand"}, hour_utc=3, minute_utc=30)
crons.daily("broken", internal.work.tick, {"txt": 1}, hour_utc=3, minute_utc=30)
"""


@asynccontextmanager
async def asked(directory: Path) -> AsyncIterator[tuple[Backend, Client]]:
    """A backend, and an administrator's client of it."""
    async with opened(directory) as backend:
        texts = {"work.py": WORK, "schema.py": SCHEMA, "crons.py": CRONS}
        await backend.deploy(Push("python", tuple(Module(p, "python", text) for p, text in texts.items())))
        key = make_admin_key(backend.config.instance_name, backend.config.instance_secret)
        headers = {"Authorization": f"Convex {key}"}
        async with TestClient(TestServer(create_app(backend)), headers=headers) as client:
            yield backend, client


async def read(client: Client, path: str, status: int = 200, **query: Any) -> Any:
    answer = await client.get(f"/api/parabola/{path}", params=query)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def system(backend: Backend, path: str, **args: Any) -> Any:
    result = await backend.run_any(client_call(f"_system/frontend/{path}", args, Identity.admin()))
    assert result.error is None, result.error
    return result.value


async def run(backend: Backend, path: str) -> None:
    await backend.run_any(client_call(path, {}))


async def until(backend: Backend, look: Callable[[], Awaitable[T | None]]) -> T:
    """What `look` finds, once it finds something after a commit."""
    committed = asyncio.Event()
    stop = backend.on_commit(lambda _writes, _ts: committed.set())
    try:
        async with asyncio.timeout(30):
            while (found := await look()) is None:
                await committed.wait()
                committed.clear()
            return found
    finally:
        stop()
