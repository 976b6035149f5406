"""What is not wanted for a while is not kept, and everything is found again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from database.stores import Clock, opened
from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.database.database import Database
from parabola.database.model.errors import ConflictError
from parabola.services.idle_memory import IdleMemory


async def insert(database: Database, text: str) -> None:
    tx = database.begin(writable=True)
    await tx.insert("notes", {"text": text})
    await database.commit(tx)


async def test_results_and_documents_are_forgotten_by_the_second_look(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.query("n:all")
    async def everything(run: ScriptedRun, args: dict) -> list:
        return [row["text"] for row in await run.all("notes")]

    async with running(tmp_path, world) as engine:
        await insert(engine.database, "a")
        await engine.query("n:all")
        cache = engine.runner.query_cache
        assert cache._families
        memory = IdleMemory(engine.database, cache, seconds=0.01)
        memory.start()
        async with asyncio.timeout(10):
            while cache._families:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await memory.close()
        runs = len(world.runs)
        await engine.query("n:all")
        assert len(world.runs) == runs + 1


async def test_commits_are_forgotten_once_there_were_none_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        await insert(database, "a")
        clock.advance(50)
        began = database.begin(writable=True)
        await began.insert("notes", {"text": "b"})
        await database.forget_unused(100)
        assert database._committer.log.start_ts < database.durable_ts, "the last one is not old enough"
        await insert(database, "c")
        clock.advance(200)
        await database.forget_unused(100)
        assert database._committer.log.start_ts == database.durable_ts
        with pytest.raises(ConflictError):
            await database.commit(began)
        await insert(database, "d")
