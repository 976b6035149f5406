"""Time in tests: jobs and crons run when the test moves it there; breakpoints stop in functions."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from parabola.testing import open_backend

FUNCTIONS = """
import datetime
import time
from parabola import ActionCtx, MutationCtx, action, internal_action, internal_mutation, mutation, query


@mutation
async def remind(ctx: MutationCtx, seconds: float, text: str, again: float = 0) -> None:
    await ctx.scheduler.run_after(seconds * 1000, note, {"text": text, "again": again})


@internal_mutation
async def note(ctx: MutationCtx, text: str, again: float = 0) -> None:
    await ctx.db.insert("notes", {"text": text, "at": time.time()})
    if again:
        await ctx.scheduler.run_after(again * 1000, note, {"text": text + "!"})


@internal_action
async def look(ctx: ActionCtx) -> None:
    now = datetime.datetime.now(datetime.UTC).timestamp()
    await ctx.run_mutation(note, {"text": f"action {abs(now - time.time()) < 1}"})
    await ctx.scheduler.run_after(1000, note, {"text": "after the action"})


@mutation
async def act_later(ctx: MutationCtx, seconds: float) -> None:
    await ctx.scheduler.run_after(seconds * 1000, look)


@action
async def clock(ctx: ActionCtx) -> float:
    return time.time()


@query
async def now(ctx) -> float:
    return time.time()
"""
CRONS = """
from parabola import cron_jobs, internal
crons = cron_jobs()
crons.interval("tick", internal.m.note, {"text": "tick"}, minutes=10)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.py").write_text(FUNCTIONS)
    return tmp_path


async def texts(backend) -> list[str]:
    return [note["text"] for note in await backend.documents("notes")]


async def test_what_is_scheduled_runs_when_its_time_has_come(folder: Path) -> None:
    async with open_backend(folder) as backend:
        await backend.mutation("m:remind", seconds=3600, text="tea", again=1800)
        await backend.mutation("m:remind", seconds=0, text="now")
        await backend.settle()
        assert await texts(backend) == ["now"]
        await backend.advance(3599)
        assert await texts(backend) == ["now"]
        await backend.advance(timedelta(seconds=1))
        assert await texts(backend) == ["now", "tea"]
        await backend.advance(10_000)
        assert await texts(backend) == ["now", "tea", "tea!"]
        first, tea, again = [note["at"] for note in await backend.documents("notes")]
        assert 3599 <= tea - first < 3700, "each at its own time"
        assert 1799 <= again - tea < 1900


async def test_actions_see_the_moved_time_and_schedule_from_it(folder: Path) -> None:
    async with open_backend(folder) as backend:
        before = await backend.query("m:now")
        await backend.mutation("m:act_later", seconds=86_400)
        await backend.advance(timedelta(days=1, seconds=10))
        assert await texts(backend) == ["action True", "after the action"]
        assert 86_400 <= await backend.action("m:clock") - before < 86_600


async def test_crons_run_as_often_as_they_are_due(folder: Path) -> None:
    (folder / "crons.py").write_text(CRONS)
    async with open_backend(folder) as backend:
        await backend.settle()
        before = len(await texts(backend))
        await backend.advance(3600)
        assert len(await texts(backend)) == before + 6


async def test_time_is_not_moved_back(folder: Path) -> None:
    async with open_backend(folder) as backend:
        with pytest.raises(ValueError, match="only be moved ahead"):
            await backend.advance(-1)


def test_a_breakpoint_stops_in_a_function(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    body = "    x = n + 1\n    breakpoint()\n    return x\n"
    source = f"from parabola import query\n@query\nasync def f(ctx, n: int) -> int:\n{body}"
    (tmp_path / "convex" / "m.py").write_text(source)
    script = """
import asyncio
from parabola.testing import open_backend

async def main():
    async with open_backend("convex") as backend:
        print("result", await backend.query("m:f", n=41))

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="p 'x is', x\np open('/etc/hosts').name\nc\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "('x is', 42)" in done.stdout
    assert "'/etc/hosts'" in done.stdout
    assert "result 42" in done.stdout
