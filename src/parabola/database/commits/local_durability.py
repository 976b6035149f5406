"""Durability on the store's own disk: those who come together are made durable together."""

from __future__ import annotations

import asyncio
import logging
from copy import copy
from typing import Final

from parabola.database.commits.committer import Committer, fail
from parabola.database.model.errors import StorageError, StorageFailed
from parabola.database.store.persistence import Persistence

__all__ = ["LocalDurability"]

_log: Final = logging.getLogger(__name__)


class LocalDurability:
    """Flushes the store while anybody waits. See `Durability`."""

    takes_back = False

    def __init__(self, committer: Committer, persistence: Persistence) -> None:
        self._committer = committer
        self._persistence = persistence
        self._flusher: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """See `Durability`."""
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_all())

    async def refresh(self) -> None:
        """Nobody else writes here."""

    async def _flush_all(self) -> None:
        committer = self._committer
        loop = asyncio.get_running_loop()
        try:
            while committer.waiting:
                target = committer.latest_ts
                expecting = loop.call_soon(committer.expect, target)  # while the disk works
                try:
                    await self._persistence.flush()
                except StorageFailed as error:
                    # What the store still holds is durable, and nothing more can become so.
                    self._take_back(error)
                    committer.confirm(committer.latest_ts)
                    return
                except StorageError as error:
                    self._take_back(error)
                except Exception as error:
                    # A bug. Whether the commits are stored is not known; the next flush will show.
                    _log.exception("making commits durable failed")
                    for waiting in committer.waiting:
                        fail(
                            waiting, StorageError(f"It is not known whether the write was stored: {error!r}")
                        )
                    return
                else:
                    await committer.prepare(target)
                    committer.confirm(min(target, committer.latest_ts))
                finally:
                    expecting.cancel()
                    committer.expected()
        finally:
            self._flusher = None

    def _take_back(self, error: StorageError) -> None:
        """Undoes every validated commit that the store does not hold."""
        committer = self._committer
        for waiting in committer.take_back(max(self._persistence.newest_ts, committer.durable_ts)):
            fail(waiting, copy(error))

    async def close(self) -> None:
        """Returns when everything validated is durable or taken back."""
        while self._flusher is not None:
            await asyncio.shield(self._flusher)
