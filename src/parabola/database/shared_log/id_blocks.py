"""Numbers for tables and indexes that no other node gives to anything.

Nothing would notice a clash: what a commit has read does not tell which numbers others have given. So each
node takes whole blocks of them from the log, ahead of the need.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from parabola.database.model.errors import StorageError, TryAgain
from parabola.database.shared_log.log import SharedLog

__all__ = ["IdBlocks"]

_log: Final = logging.getLogger(__name__)

BLOCK: Final = 10_000
"""Numbers taken at once; the next block is asked for when half of them are left."""
RETRY_SECONDS: Final = 0.2


class IdBlocks:
    """The numbers of one node."""

    def __init__(self, log: SharedLog, block: int = BLOCK) -> None:
        self._log = log
        self._block = block
        self._free: list[range] = []
        self._filling: asyncio.Task[None] | None = None

    @property
    def _left(self) -> int:
        return sum(map(len, self._free))

    def take(self) -> int:
        """The next number. Raises `TryAgain` where none is left, which `fill` then waits for."""
        if self._left <= self._block // 2 and self._filling is None:
            self._filling = asyncio.get_running_loop().create_task(self._fill())
        if not self._free:
            raise TryAgain
        first = self._free[0]
        if len(first) == 1:
            del self._free[0]
        else:
            self._free[0] = first[1:]
        return first[0]

    async def fill(self) -> None:
        """Returns when there are numbers to take."""
        while not self._free:
            if self._filling is None:
                self._filling = asyncio.get_running_loop().create_task(self._fill())
            await asyncio.wait([self._filling])

    async def _fill(self) -> None:
        try:
            while True:
                try:
                    first = await self._log.reserve_ids(self._block)
                except StorageError:
                    await asyncio.sleep(RETRY_SECONDS)
                except Exception:
                    _log.exception("taking numbers for tables from the shared log failed")
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._free.append(range(first, first + self._block))
                    return
        finally:
            self._filling = None

    async def close(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
