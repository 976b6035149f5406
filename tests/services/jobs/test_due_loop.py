"""The loop behind scheduler and crons: it ends when it is told to, whatever happens at that moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from parabola.backend import open_database
from parabola.services.jobs.due_loop import Due, DueLoop


async def test_closing_while_work_ends_does_not_lose_the_cancellation(tmp_path: Path) -> None:
    database = await open_database(tmp_path)
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.sleep(3600)

    async def look(*_: object) -> Due:
        return Due([("only", work)])

    for _ in range(20):
        loop = DueLoop(database, look, 1, "test")
        started.clear()
        loop.start()
        await started.wait()
        await asyncio.sleep(0.01)  # lets the loop go to sleep; too short would only test less
        loop.wake()  # something changes in the very turn in which the loop is cancelled
        async with asyncio.timeout(10):
            await loop.close()
    await database.close()
