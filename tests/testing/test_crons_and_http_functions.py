"""`crons.py` and `http.py` may have functions of their own: analysed, typed, called, scheduled, due."""

from __future__ import annotations

from pathlib import Path

import pytest

from parabola.cli.commands.codegen import write_declarations
from parabola.project import Project
from parabola.testing import open_backend

CRONS = """
from parabola import MutationCtx, cron_jobs, internal, internal_mutation, mutation

crons = cron_jobs()
crons.interval("tick", internal.crons.tick, {"text": "a tick"}, minutes=10)
crons.interval("tock", internal.http.tock, {"text": "a tock"}, minutes=10)


@internal_mutation
async def tick(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})


@mutation
async def schedule(ctx: MutationCtx) -> None:
    await ctx.scheduler.run_after(1000, internal.crons.tick, {"text": "of crons"})
    await ctx.scheduler.run_after(2000, internal.http.tock, {"text": "of http"})
    await ctx.scheduler.run_after(3000, tick, {"text": "of the function itself"})
"""
HTTP = """
from parabola import ActionCtx, MutationCtx, QueryCtx, Request, Response
from parabola import http_router, internal, internal_mutation, query

http = http_router()


@query
async def hello(ctx: QueryCtx, name: str) -> str:
    return f"hello {name}"


@internal_mutation
async def tock(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})


@http.route(path="/greet", method="GET")
async def greet(ctx: ActionCtx, request: Request) -> Response:
    await ctx.run_mutation(internal.http.tock, {"text": "of a request"})
    return Response(await ctx.run_query(hello, {"name": "web"}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "crons.py").write_text(CRONS)
    (tmp_path / "convex" / "http.py").write_text(HTTP)
    return tmp_path / "convex"


async def test_they_are_called_scheduled_and_due(folder: Path) -> None:
    async with open_backend(folder) as backend:

        async def texts() -> list[str]:
            return [note["text"] for note in await backend.documents("notes")]

        assert await backend.query("http:hello", name="Ada") == "hello Ada"
        assert (await backend.request("GET", "/greet")).body == b"hello web"
        await backend.mutation("crons:schedule")
        await backend.advance(5)
        assert set(await texts()) >= {"of a request", "of crons", "of http", "of the function itself"}
        await backend.advance(600)
        assert set(await texts()) >= {"a tick", "a tock"}


def test_they_are_typed_for_python_and_for_front_ends(folder: Path) -> None:
    write_declarations(Project.at(folder.parent))
    python = (folder / "_generated" / "api.pyi").read_text()
    front_end = (folder / "_generated" / "api.d.ts").read_text()
    for name in ("tick", "schedule", "hello", "tock"):
        assert name in python
        assert name in front_end
    assert "greet" not in python + front_end
