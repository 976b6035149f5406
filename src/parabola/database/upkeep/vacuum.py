"""Removing history that no read can need: old index entries and revisions, dropped indexes and tables.

Reads within the index retention (4 minutes) see every index as it was; the log of documents reaches back
further (an hour). What is older goes, a small chunk at a time, and the file uses its room again. Ages are by
the time in which the server runs (`running_time`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parabola.database.model.errors import StorageError

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["RUNNING_TIME", "Retention", "Vacuum"]

_log: Final = logging.getLogger(__name__)

CHUNK: Final = 200
"""Rows removed in one step: a few milliseconds of the event loop."""

RUNNING_TIME: Final = "running_time"
"""Instance property: the readings of `RunningTime`."""


@dataclass(frozen=True)
class Retention:
    """How far back reads may go, in seconds (semantics 13)."""

    indexes: float = 4 * 60.0
    documents: float = 3600.0
    """What an export reads is kept for as long as it runs (`Database.keep_history`). The official server
    keeps 14 days, for streaming exports that follow the log; with those in a file on one disk, a row that is
    written 200 times a second would take a hundred gigabytes."""
    interval: float = 15.0
    """Pause between two passes."""


class Vacuum:
    """Passes over the store, one after another, until closed."""

    def __init__(self, database: Database, retention: Retention) -> None:
        self._database = database
        self._retention = retention
        self._stored_ts = database.durable_ts
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._retention.interval)
            try:
                await self.run_once()
            except StorageError:
                pass  # it has been said in the log; the next pass tries again
            except Exception:
                _log.exception("removing old history failed; the next pass tries again")

    async def run_once(self) -> int:
        """Removes all that is old enough now; returns how many rows that were."""
        database, persistence = self._database, self._database.persistence
        running = database.running_time
        running.observe()
        # Never past what is durable: queries begin there.
        entries_before = min(running.reading_before(self._retention.indexes), database.durable_ts)
        documents_before = database.kept_before(
            min(running.reading_before(self._retention.documents), entries_before)
        )
        database.forget_before(entries_before, documents_before)
        live = database.live_indexes()
        gone = [
            table
            for table in database.registry.tables()
            if table.state == "deleting" and table.tablet_id not in live
        ]
        total = 0
        while True:
            await persistence.ready()
            removed = await persistence.vacuum(
                entries_before=entries_before,
                documents_before=documents_before,
                live_indexes=live,
                limit=CHUNK,
                properties=self._properties(),
            )
            total += removed
            if not removed:
                break
            await asyncio.sleep(0)
        await persistence.flush()
        if gone:
            await self._remove_rows([table.document_id for table in gone])
        return total

    def _properties(self) -> dict[str, bytes]:
        """What the next run wants to know, if anything has happened since it was stored."""
        durable_ts = self._database.durable_ts
        if durable_ts == self._stored_ts:
            return {}
        self._stored_ts = durable_ts
        return {RUNNING_TIME: self._database.running_time.to_bytes()}

    async def _remove_rows(self, ids: list[str]) -> None:
        """The tables whose documents have gone are no more; their numbers are free."""

        async def write(tx: Transaction) -> None:
            for id in ids:
                if await tx.get_system(id) is not None:
                    await tx.delete_system(id)

        await self._database.transact(write, source="vacuum")

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
