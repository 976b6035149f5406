"""Sending one entry until it is known what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from parabola.database.shared_log.errors import LogUnreachable
from parabola.database.shared_log.log import Appended, Position, SharedLog

__all__ = ["RETRY_SECONDS", "append_until_known", "until_reached"]

RETRY_SECONDS: Final = 0.05
"""Pause before a log that did not answer is asked again."""

T = TypeVar("T")


async def append_until_known(log: SharedLog, after: Position, name: bytes, ts: int, payload: bytes) -> bool:
    """Whether an entry is in the log, right behind another one. False if it is not, though where the position
    is still free it may be sent there again.
    """
    asked = False
    while True:
        appended = await log.append(after, name, ts, payload)
        if appended is Appended.OURS:
            return True
        if appended is Appended.MOVED and not asked:
            return False
        # Nobody answered, now or before. Whatever is on its way, only this one entry can still come of it.
        asked = True
        taken_by = await until_reached(lambda: log.name_at(after.seq + 1))
        if taken_by is not None:
            return taken_by == name
        if appended is Appended.MOVED:
            return False
        await asyncio.sleep(RETRY_SECONDS)


async def until_reached(ask: Callable[[], Awaitable[T]]) -> T:
    """What the log answers, however long it takes until it does."""
    while True:
        try:
            return await ask()
        except LogUnreachable:
            await asyncio.sleep(RETRY_SECONDS)
