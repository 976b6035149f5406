"""Removing bytes that no stored file owns: after deletions and imports at once, after crashes by a look at
everything.

A look compares the keys in the store with the rows. Where the store belongs to this server alone, all that
was there before it started is settled; elsewhere bytes are left alone for a day, since whoever writes them
may still be about it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from parabola.database.model.errors import ConflictError, StorageError
from parabola.database.model.intervals import Interval
from parabola.database.model.shown_rows import StoredFile
from parabola.database.model.system_tables import TABLES
from parabola.database.model.tables import table_of_row
from parabola.functions.deployed.component_rows import components_with_tables
from parabola.services.files.file_rows import by_storage_id, is_uuid
from parabola.services.files.file_store import FileStore
from parabola.services.files.passed_files import is_passed
from parabola.services.files.stored_files import FILES
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database

__all__ = ["FileGarbage"]

SETTLED_SECONDS: Final = 24 * 3600.0
"""Bytes without a row are left alone for this long where others may write."""
PASSED_SECONDS: Final = 60 * 24 * 3600.0
"""What nodes leave for each other is removed by them; what a crash has left of it, after so much longer."""
SWEEP_INTERVAL_SECONDS: Final = 24 * 3600.0
_UUID_LENGTH: Final = 36

_log: Final = logging.getLogger(__name__)


class FileGarbage:
    """Collects for one database and the store of its files."""

    def __init__(self, database: Database, store: FileStore) -> None:
        self._database = database
        self._store = store
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop_listening = database.on_commit(self._committed, of_system=True)

    def start(self) -> None:
        """Look at everything now, and from time to time."""
        self._spawn(self._sweep_for_ever())

    async def close(self) -> None:
        """Stop. What is left is found by the next look."""
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def collect_unless_owned(self, key: str, after: float = 0.0) -> None:
        """Remove bytes in so many seconds, unless a file owns them by then."""

        async def collect() -> None:
            await asyncio.sleep(after)
            try:
                # Whoever was interrupted may have a commit on its way, which cannot be read yet.
                await self._database.wait_durable(self._database.latest_ts)
            except ConflictError:
                pass  # there is none
            except StorageError:
                return  # nobody knows; the next look will
            if not await self._is_owned(key):
                await self._remove(key)

        self._spawn(collect())

    async def sweep(self, settled: float) -> None:
        """Remove what no file owns and was stored before `settled` (seconds since the epoch)."""
        if any(table.name == FILES and table.state == "hidden" for table in self._database.registry.tables()):
            return  # an import brings rows along that cannot be found yet
        try:
            async for batch in self._store.keys():
                for key, stored_at in batch:
                    if is_passed(key):
                        if stored_at < settled - PASSED_SECONDS:
                            await self._remove(key)
                        continue
                    name = key.rpartition("/")[2]
                    if stored_at < settled and is_uuid(name[:_UUID_LENGTH]) and not await self._is_owned(key):
                        await self._remove(key)
        except ParabolaError as error:
            _log.warning("The store of files could not be looked through: %s", error)

    async def _sweep_for_ever(self) -> None:
        settled = None if self._database.is_shared else self._store.left_before
        while True:
            if await self._database.members.is_keeper():
                await self.sweep(self._settled() if settled is None else settled)
            await asyncio.sleep(SWEEP_INTERVAL_SECONDS)
            settled = None

    def _settled(self) -> float:
        return self._database.clock_before(SETTLED_SECONDS) / 1e9

    def _committed(self, writes: WriteSet, ts: int) -> None:
        for change in writes.changes:
            if change.old is None or change.table.name not in (FILES, TABLES):
                continue
            if change.table.name == FILES:
                if change.new is None and self._database.members.owns(change.id):
                    self._spawn(self._remove(StoredFile.of(change.old).key))
                continue
            old = table_of_row(change.old.value)
            is_kept = change.new is not None and table_of_row(change.new.value).state in ("active", "hidden")
            if old.name == FILES and not is_kept and self._database.members.owns(change.id):
                self._spawn(self._collect_table(old.tablet_id, ts - 1))

    async def _collect_table(self, tablet_id: int, ts: int) -> None:
        """Remove the bytes of a table of files as it was before an import took its place, or was given up."""
        with self._database.keep_history(ts):
            rest: Interval | None = Interval.everything()
            while rest is not None:
                rows = await self._database.documents_at(tablet_id, rest, ts, 256)
                rest = None if rows.exhausted else rest.after(rows[-1][0])
                for _, revision in rows:
                    key = StoredFile.of(revision).key
                    if not await self._is_owned(key):
                        await self._remove(key)

    async def _remove(self, key: str) -> None:
        try:
            await self._store.delete(key)
        except ParabolaError as error:
            _log.warning("The bytes of a deleted file stay until the next look: %s", error)

    async def _is_owned(self, key: str) -> bool:
        storage_id = key.rpartition("/")[2][:_UUID_LENGTH]
        snapshot = self._database.begin()
        for component_id in components_with_tables(snapshot.registry):
            row = await by_storage_id(snapshot.view(component_id), storage_id)
            if row is not None and row.key == key:
                return True
        return False

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
