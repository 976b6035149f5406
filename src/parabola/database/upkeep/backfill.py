"""Filling new indexes with the documents that are there already, while writes go on.

Every commit maintains an index from the moment its row exists, so only documents that nobody has written
since need an entry from here. They are taken in order of their ids, a chunk at a time; between two chunks
everything else has its turn. A crash starts over: an entry that is there already is left alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from parabola.database.commits.write_set import WriteSet
from parabola.database.model.errors import StorageError, StorageFailed
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval
from parabola.database.model.system_tables import INDEXES
from parabola.database.model.tables import index_of_row
from parabola.values.encoding import loads

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["Backfill", "mark_backfilled"]

_log: Final = logging.getLogger(__name__)

CHUNK: Final = 200
"""Documents in one step: a few milliseconds of the event loop."""

RETRY_SECONDS: Final = 1.0
"""Pause after the store refused a write."""


class Backfill:
    """Fills every database index in state *backfilling* and then marks it *backfilled*, on its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None
        self._filled: set[int] = set()
        """Indexes that are filled here and not marked yet."""
        self._marking: set[asyncio.Task[None]] = set()
        self._stop_listening = database.on_commit(self._notice, of_system=True)
        self._start()

    def _notice(self, write_set: WriteSet, ts: int) -> None:
        if any(change.table.name == INDEXES for change in write_set.changes):
            self._start()

    def _start(self) -> None:
        if self._task is None and self._next_tablet() is not None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while (tablet_id := self._next_tablet()) is not None:
                try:
                    filled = await self._fill(tablet_id, self._to_fill(tablet_id))
                    if filled:
                        await self._mark(filled)
                except StorageFailed:
                    return  # it has been said in the log; the next start goes on
                except StorageError:
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._task = None

    def _next_tablet(self) -> int | None:
        registry = self._database.durable_registry
        for table in registry.tables():
            if self._to_fill(table.tablet_id):
                return table.tablet_id
        return None

    def _to_fill(self, tablet_id: int) -> list[Index]:
        return [index for index in self._waiting(tablet_id) if index.index_id not in self._filled]

    async def _mark(self, filled: list[Index]) -> None:
        """Stores that indexes have been filled, as soon as they are on all nodes: one on which they are not
        would be behind until then.
        """
        if not self._database.is_shared:
            await mark_backfilled(self._database, filled)
            return
        ids = {index.index_id for index in filled}
        self._filled |= ids
        self._database.members.tell_now()
        task = asyncio.get_running_loop().create_task(self._mark_with_others(filled, ids))
        self._marking.add(task)
        task.add_done_callback(self._marking.discard)

    async def _mark_with_others(self, filled: list[Index], ids: set[int]) -> None:
        try:
            # Or until another node has marked them, and says it no more.
            await self._database.members.until_all(
                lambda status: ids <= set(status.get("filled", ())) or not self._are_waiting(filled)
            )
            while True:
                try:
                    await mark_backfilled(self._database, filled)
                    return
                except StorageFailed:
                    return
                except StorageError:
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._filled -= ids

    def _are_waiting(self, indexes: list[Index]) -> bool:
        present = {index.index_id for each in indexes for index in self._waiting(each.tablet_id)}
        return any(index.index_id in present for index in indexes)

    def filled_here(self) -> list[int]:
        """The indexes that are filled on this node and wait for other nodes to be marked."""
        return sorted(self._filled)

    def _waiting(self, tablet_id: int) -> list[Index]:
        return [
            index
            for index in self._database.durable_registry.indexes(tablet_id)
            if index.state == "backfilling" and index.kind == "database"
        ]

    async def fill(self, indexes: Sequence[Index]) -> None:
        """Returns when these indexes are filled here, of a node on which that may still be under way."""
        for tablet_id in {index.tablet_id for index in indexes}:
            await self._fill(tablet_id, [index for index in indexes if index.tablet_id == tablet_id])

    async def _fill(self, tablet_id: int, wanted: list[Index]) -> list[Index]:
        """Fills some indexes of a table in one pass; those that are not dropped meanwhile are returned."""
        persistence = self._database.confirmed
        rest: Interval | None = Interval.everything()
        while rest is not None:
            present = {index.index_id for index in self._waiting(tablet_id)}
            wanted = [index for index in wanted if index.index_id in present]
            if not wanted:
                return []
            await persistence.ready()
            rollbacks = persistence.rollbacks
            # On the newest state, and no commit comes between: what is stale would stay in the index.
            rows = await persistence.scan(tablet_id, rest, persistence.newest_ts, "asc", CHUNK)
            # Decoded here and not in the revision, where it would stay: most are not asked for again soon.
            values = [loads(revision.raw) for _, revision in rows]
            for index in wanted:
                keys = [index.key(value) for value in values]
                entries = zip(keys, (revision for _, revision in rows), strict=True)
                persistence.add_entries(index.index_id, list(entries))
            await persistence.flush()
            if persistence.rollbacks == rollbacks:
                rest = None if rows.exhausted else rest.after(rows[-1][0])
            await asyncio.sleep(0)
        return wanted

    async def wait(self) -> None:
        """Returns when no index waits to be filled."""
        while tasks := [*self._marking, *([] if self._task is None else [self._task])]:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stops where it is; the next start begins again."""
        self._stop_listening()
        if tasks := [*self._marking, *([] if self._task is None else [self._task])]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def mark_backfilled(database: Database, filled: Sequence[Index]) -> None:
    """Stores that these indexes have been filled; of those that are gone by now nothing."""

    async def write(tx: Transaction) -> None:
        for index in filled:
            row = await tx.get_system(index.document_id)
            if row is None:
                if any(index.index_id == i.index_id for i in tx.registry.indexes(index.tablet_id)):
                    # Going on would fill it again and again.
                    raise database.persistence.damaged(
                        f'the row "{index.document_id}" of index {index.index_id} is not there'
                    )
            elif index_of_row(row.value).state == "backfilling":
                await tx.patch_system(row.id, {"state": "backfilled"})

    await database.transact(write, source="index backfill")
