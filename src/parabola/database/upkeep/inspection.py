"""Comparing what is stored with what was written, in the background and again and again.

A disk that forgets tells nobody. Rows that are read are checked as they are read; those that nobody asks for
are found here, before the last good backup has been replaced by bad ones.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from parabola.database.model.errors import StorageError
from parabola.values.encoding import loads

if TYPE_CHECKING:
    from parabola.database.database import Database

__all__ = ["Inspection"]

_log: Final = logging.getLogger(__name__)

FIRST_SECONDS: Final = 5.0
"""Pause before the first pass: a start has other things to do."""


class Inspection:
    """Passes over everything stored, with so many seconds `between` two, until closed or until something is
    wrong.
    """

    def __init__(self, database: Database, between: float) -> None:
        self._database = database
        self._between = between
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.run_once()
            except StorageError:
                return  # it has been said in the log, and stands there for whoever tries to write
            except Exception:
                _log.exception("checking what is stored failed; it is tried again at the next pass")
            await asyncio.sleep(self._between)

    async def run_once(self) -> None:
        """One pass. Raises `StorageDamaged`."""
        await self._database.persistence.inspect(self._key)

    def _key(self, tablet_id: int, index_id: int, raw: bytes) -> bytes | None:
        for index in self._database.registry.indexes(tablet_id):
            if index.index_id == index_id:
                document = loads(raw)
                assert isinstance(document, dict)
                return index.key(document)
        return None

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
