"""Bringing the checkpoint of a shared log forward, and letting go of the entries that nobody needs then.

One node does it at a time, whichever that is: the checkpoint is made of the log alone.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from parabola.database.model.errors import StorageError
from parabola.database.shared_log.checkpoint import EMPTY, change_by
from parabola.database.shared_log.log import SharedLog

__all__ = ["Checkpointing"]

_log: Final = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 10.0
"""Between two passes."""
STEP_BYTES: Final = 512 * 1024
"""Of entries taken in by one transaction on the log's server, which is to be short."""
KEPT_ENTRIES: Final = 100_000
"""Entries before the checkpoint that are kept: a node that was away for a while is quicker with them."""


class Checkpointing:
    """Passes over what is new in the log, one after another, until closed."""

    def __init__(self, log: SharedLog) -> None:
        self._shared_log = log
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                if await self._shared_log.is_keeper():
                    await self.run_once()
            except StorageError as error:
                _log.warning("the checkpoint of the shared log was not brought forward: %s", error)
            except Exception:
                _log.exception("bringing the checkpoint of the shared log forward failed")

    async def run_once(self) -> None:
        """Brings the checkpoint to the end of the log, unless another node does."""
        log = self._shared_log
        while True:
            before = await log.checkpoint() or EMPTY
            entries = await log.entries_after(before.position, STEP_BYTES)
            if not entries:
                break
            change = await asyncio.to_thread(change_by, before, entries)
            if not await log.advance_checkpoint(before.position, change):
                return
        await log.forget_before(before.position.seq - KEPT_ENTRIES)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
