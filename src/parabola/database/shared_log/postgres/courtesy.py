"""Queueing for the end of the log, after it was lost to another node.

Where a disk is slow, nodes that all append at once lose most of their races. Who has lost one takes an
advisory lock before the next attempts, for a moment; so those who have lost come one after the other. It only
saves work: without it, everything is as right.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from parabola.database.model.errors import StorageError, UnusableData
from parabola.database.shared_log.postgres.session import Connection, Session

__all__ = ["Courtesy"]

COURTEOUS_SECONDS: Final = 0.25
"""How long a node queues after it has lost."""
HELD_SECONDS: Final = 0.01
"""How long the lock is kept for the attempts of one node."""
WAIT: Final = "100ms"

TAKE: Final = "SELECT pg_advisory_lock(hashtext($1))"
RELEASE: Final = "SELECT pg_advisory_unlock(hashtext($1))"


class Courtesy:
    """The lock of one node, in the session that appends."""

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self._name = f"{schema}.head"
        self._until = 0.0
        self._taken_at: float | None = None
        self._releasing: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Before an append. What goes wrong here, the append will find as well."""
        now = asyncio.get_running_loop().time()
        if now >= self._until or self._taken_at is not None:
            return

        async def take(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{WAIT}'")
                await connection.execute(TAKE, self._name)

        try:
            await self._session.run(take)
        except (asyncpg.LockNotAvailableError, StorageError, UnusableData):
            return
        self._taken_at = asyncio.get_running_loop().time()

    async def end(self, *, is_ours: bool) -> None:
        """After an append that was answered."""
        now = asyncio.get_running_loop().time()
        if not is_ours:
            self._until = now + COURTEOUS_SECONDS
        if self._taken_at is None:
            return
        if is_ours or now - self._taken_at > HELD_SECONDS:
            await self._release()
        elif self._releasing is None:
            self._releasing = asyncio.get_running_loop().create_task(self._release_later())

    async def _release_later(self) -> None:
        try:
            await asyncio.sleep(HELD_SECONDS)
            await self._release()
        finally:
            self._releasing = None

    async def _release(self) -> None:
        if self._taken_at is None:
            return
        self._taken_at = None
        try:
            await self._session.run(lambda connection: connection.execute(RELEASE, self._name))
        except (asyncpg.LockNotAvailableError, StorageError, UnusableData):
            return  # the lock went with the connection

    async def close(self) -> None:
        """The lock is free, and nothing of this goes on."""
        if self._releasing is not None:
            self._releasing.cancel()
            await asyncio.wait([self._releasing])
        await self._release()
