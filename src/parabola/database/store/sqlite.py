"""The embedded store: one SQLite file in a data directory, durable by group commit.

One connection serves all reads and writes, from the event loop. Appended commits gather in an open SQL
transaction, where reads of the same connection see them at once. `flush` commits it, which writes the
write-ahead log without waiting, and then syncs the log in a thread while the next transaction gathers: one
sync for everything that arrived meanwhile. A second connection moves the log into the database file now and
then, also in a thread.

Layout, and why (100,000 documents of 200 bytes, two indexes):

- `entry` holds only the *live* keys. All entries of a document have the same number, that of the revision
  which it was when the first of them was written; `newest` tells by this number which revision it is now, if
  that is another one. So a change that leaves the keys as they are touches no index: a bank transfer writes 6
  rows and 12 KiB of log, and not 14 rows and 22 KiB as when entries named the newest revision (layout 2; what
  that has written is right as it is).
- What a commit removes from an index goes to `removed_entry`, and what a document was before to `superseded`,
  with the interval of time it was valid. So a row that is written a thousand times a second, or a queue that
  is emptied at its head, stays one live row to step over, and a read at the newest timestamp needs no
  history. A read a little in the past looks at what was removed since, and only if something was.
- A range read takes keys and revision numbers from the index alone and the documents from a cache of
  revisions, which never change; only what is missing there is read, all at once. 100 documents: 110 µs from
  the cache, of which 15 µs are `newest`, by a number (60 to 150 µs if it were the id at the end of each key),
  300 µs when all are missing; 195 µs with a join per row; 145 µs with the JSON in the index rows, but then
  the file is 1.7 times as large and every write too.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, Final

from parabola.database.model.documents import Revision
from parabola.database.model.errors import (
    DataDirectoryLost,
    StorageBusy,
    StorageDamaged,
    StorageError,
    StorageFailed,
    StorageFull,
    UnusableData,
)
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.settings import DatabaseSettings
from parabola.database.store import sqlite_statements as sql
from parabola.database.store.checksums import Damage, revision_checksum
from parabola.database.store.commit_tail import CommitTail
from parabola.database.store.data_place import DataPlace
from parabola.database.store.directory_lock import DirectoryLock
from parabola.database.store.high_mark import HighMark
from parabola.database.store.persistence import (
    NO_PROPERTIES,
    Commit,
    KeyOf,
    Order,
    PersistedState,
    ReadsAtOnce,
    Rows,
    TableSize,
    TailEntry,
)
from parabola.database.store.revision_cache import RevisionCache
from parabola.database.store.sqlite_inspection import (
    Inspection,
    check_end,
    check_length,
    check_newest,
    check_pages,
    damage_text,
)
from parabola.database.store.sqlite_reads import SqliteReads
from parabola.database.store.sqlite_vacuum import OldRows
from parabola.database.store.sync_thread import SyncThread
from parabola.database.store.table_sizes import TableSizes
from parabola.database.store.write_ahead_log import WriteAheadLog

__all__ = ["FILE_NAME", "LAYOUT_VERSION", "SqlitePersistence"]

_log: Final = logging.getLogger(__name__)

FILE_NAME: Final = "parabola.sqlite3"

LAYOUT_VERSION: Final = 3

DAMAGE: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
"""What SQLite reports when the disk does not give back what was written: primary codes."""

READ_FAILURES: Final = frozenset(
    (
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_IOERR_DATA,
    )
)
"""The same, extended codes. Other failures of input and output are those of a write, a lock or memory."""

DAMAGED: Final = (
    "Stored data is damaged, so no more writes are taken. The server's log says what is wrong and what to do."
)

DERIVED_NAME: Final = "derived"
"""Where beside the database the files of text and vector indexes are. Nothing is lost with them."""

FORGOTTEN_AT_A_TIME: Final = 500
"""Documents of the cache that are freed before others get a turn of the event loop."""

QUIET_REVISIONS: Final = 1000
"""While fewer documents are read from one age of the cache to the next, pages of the file are not kept."""

INSPECTION_PAUSE: Final = 30.0
"""The background check rests so many times as long as it worked."""


class SqlitePersistence(ReadsAtOnce):
    """The store in one data directory. See `Persistence` for the contract; `open` makes one."""

    def __init__(self, directory: Path, lock: DirectoryLock, settings: DatabaseSettings) -> None:
        self.newest_ts = 0
        self.rollbacks = 0
        self._lock = lock
        self._path = directory / FILE_NAME
        self.file: Path | None = self._path
        self.derived_directory: Path | None = directory / DERIVED_NAME
        self._mark = HighMark(directory)
        check_end(self._path, self._mark, newest_ts=None)
        check_length(self._path)
        self._log = WriteAheadLog(self._path, settings.page_cache_bytes)
        self._db = self._log.connect()
        self._syncer = SyncThread("parabola-sync")
        self._checkpointer = ThreadPoolExecutor(1, thread_name_prefix="parabola-checkpoint")
        self._looker = ThreadPoolExecutor(1, thread_name_prefix="parabola-look")
        self._cache = RevisionCache(settings.document_cache_bytes)
        self._next_number = 1
        self._synced_ts = 0
        self._fault: StorageFailed | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        # Not set while the open SQL transaction holds a part of a commit.
        self._whole = asyncio.Event()
        self._whole.set()
        self._checkpointing: asyncio.Task[None] | None = None

    @classmethod
    def open(
        cls, directory: Path | str, settings: DatabaseSettings = DatabaseSettings()
    ) -> SqlitePersistence:
        """Opens or creates the store in a directory and locks it against other servers. It takes the memory
        that `settings` give its caches.

        Raises `DataDirectoryLocked` or `UnusableData`.
        """
        directory = Path(directory)
        lock = DirectoryLock(directory)
        try:
            store = cls(directory, lock, settings)
            try:
                store._prepare()
            except BaseException:
                store._let_go()
                raise
        except (sqlite3.Error, TypeError, ValueError) as error:  # the latter two: rows of another kind
            lock.release()
            advice = (
                "Free some space and start again; nothing is lost."
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
                else "Look at the disk and the file's permissions, restore it from a backup, or start with "
                "another data directory."
            )
            raise UnusableData(
                f"{directory / FILE_NAME} cannot be opened as a database of Parabola: {error}. {advice}"
            ) from error
        except BaseException:
            lock.release()
            raise
        return store

    @staticmethod
    def remove(directory: Path | str) -> None:
        """Removes the store in a directory, if there is one, and nothing else that is there.

        Raises `DataDirectoryLocked`.
        """
        directory = Path(directory)
        lock = DirectoryLock(directory)
        try:
            shutil.rmtree(directory / DERIVED_NAME, ignore_errors=True)
            HighMark(directory).path.unlink(missing_ok=True)
            for suffix in ("-wal", "-shm", ""):
                (directory / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)
        finally:
            lock.release()

    def _prepare(self) -> None:
        db = self._db
        db.executescript(sql.CREATE)
        self._upgrade()
        self._sizes = TableSizes(db)
        self._reads = SqliteReads(db, self._cache, self._sizes.__contains__)
        self._recall()
        check_newest(db, self._path)
        check_end(self._path, self._mark, self.newest_ts)
        # A process that was killed may have left commits that the system holds and the disk does not.
        self._log.sync()
        try:
            # What it left in the log is of unknown length, and would be read again at every start.
            self._log.checkpoint("TRUNCATE")
        except sqlite3.OperationalError as error:
            _log.warning("the write-ahead log of %s could not be moved into it yet: %s", self._path, error)
        check_pages(db, self._path)
        db.execute("PRAGMA shrink_memory")  # the check has read all of them
        self._place = DataPlace((self._path, self._log.path, self._lock.path))
        self._old_rows = OldRows(db, self._reads.removed_ts, self.newest_ts)
        self._reads.opened_ts = self._synced_ts = self.newest_ts
        self._mark.advance(self.newest_ts)
        self._tail = CommitTail(self.newest_ts)
        self.commit_tail: CommitTail | None = self._tail

    def _upgrade(self) -> None:
        db = self._db
        properties = dict(db.execute(sql.SELECT_PROPERTIES))
        version = int(properties.get("layout", LAYOUT_VERSION))
        if version > LAYOUT_VERSION:
            db.close()
            raise UnusableData(
                f"{self._path} was written by a newer version of Parabola (layout {version}, this one reads "
                f"{LAYOUT_VERSION}). Start that version, or use another data directory."
            )
        if "layout" in properties and version == LAYOUT_VERSION:
            return
        db.execute("BEGIN")  # all of it or nothing: half of it could not be opened again
        if version < 2:
            db.execute(sql.ADD_CHECKSUM)
        db.execute(sql.UPSERT_PROPERTY, ("layout", str(LAYOUT_VERSION).encode()))
        db.execute("COMMIT")

    def _recall(self) -> None:
        """Takes the state of the in-memory counters from the file."""
        row = self._db.execute(sql.SELECT_LAST_REVISION).fetchone()
        number, self.newest_ts = row or (0, 0)
        self._cache.forget_from(number + 1)
        self._next_number = max(self._next_number, number + 1)
        self._sizes.recall()

    async def load(self) -> PersistedState:
        properties = dict(self._db.execute(sql.SELECT_PROPERTIES))
        return PersistedState(self.newest_ts, properties)

    @property
    def next_number(self) -> int:
        return self._next_number

    # Reads

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        try:
            return self._reads.get(tablet_id, id, ts)
        except (Damage, sqlite3.DatabaseError) as error:
            raise self._unreadable(error) from error

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        try:
            return self._reads.scan(index_id, interval, ts, order, limit)
        except (Damage, sqlite3.DatabaseError) as error:
            raise self._unreadable(error) from error

    async def revision_times(
        self, tablet_id: int, interval: Interval, ts: int, limit: int
    ) -> Rows[tuple[bytes, int]]:
        try:
            return self._reads.revision_times(tablet_id, interval, ts, limit)
        except (Damage, sqlite3.DatabaseError) as error:
            raise self._unreadable(error) from error

    async def tail(self, after_ts: int, limit: int) -> Rows[TailEntry]:
        try:
            return self._reads.tail(after_ts, limit)
        except (Damage, sqlite3.DatabaseError) as error:
            raise self._unreadable(error) from error

    def size(self, tablet_id: int) -> TableSize:
        return self._sizes.of(tablet_id)

    # Writes

    async def ready(self) -> None:
        while not self._writable.is_set():
            await self._writable.wait()

    def append(self, commit: Commit) -> None:
        self._check_fault()
        try:
            self._begin()
            self._append(commit)
        except sqlite3.Error as error:
            raise self._rolled_back(error) from error
        self.newest_ts = commit.ts
        self._tail.append(commit)

    async def append_parts(self, parts: Iterable[Commit]) -> None:
        self._writable.clear()
        self._whole.clear()
        ts = self.newest_ts
        try:
            self._begin()
            for part in parts:
                self._check_fault()
                self._append(part)
                self._tail.append(part)
                ts = part.ts
                await asyncio.sleep(0)
            self._check_fault()
        except sqlite3.Error as error:
            raise self._rolled_back(error) from error
        except BaseException as error:
            self._roll_back(error)
            raise
        finally:
            self._whole.set()
            self._writable.set()
        self.newest_ts = ts

    def _append(self, commit: Commit) -> None:
        """Adds the rows of a commit, document by document whole: reads are right between two calls."""
        ts = commit.ts
        revisions: list[tuple[Any, ...]] = []
        removed: list[tuple[Any, ...]] = []
        ended: list[tuple[int, bytes]] = []
        deleted: list[tuple[int, bytes]] = []
        added: list[tuple[Any, ...]] = []
        further: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        superseded: list[tuple[Any, ...]] = []
        removed_ts = self._reads.removed_ts
        number = self._next_number if commit.number is None else commit.number
        for tablet, id, old, new, entries in commit.writes:
            previous, old_size = (None, 0) if old is None else (old.number, old.size)
            size, raw = (0, None) if new is None else (new.size, new.raw)
            own_key = id_key(id)
            checksum = revision_checksum(number, tablet, id.encode(), ts, previous, size, raw)
            revisions.append((number, tablet, id, ts, previous, size, raw, checksum))
            if new is not None:
                new.number = number
                self._cache.add(number, new)
            self._sizes.add(tablet, (new is not None) - (old is not None), size - old_size)
            if old is None:
                for index_id, _, new_key in entries:
                    if new_key is not None:
                        added.append((index_id, new_key, ts, size, number))
            else:
                superseded.append((tablet, ts, own_key, old.ts, old_size, previous))
                if new is None:
                    ended.append((tablet, own_key))
                else:
                    changed.append((ts, size, number, tablet, own_key))
                for index_id, old_key, new_key in entries:
                    if old_key is not None:
                        removed_ts[index_id] = ts
                    if old_key == new_key:
                        continue  # the key leads to the document, whatever that is now
                    if old_key is not None:
                        deleted.append((index_id, old_key))
                        if index_id != tablet:
                            removed.append((ts, old_size, previous, index_id, old_key))
                    if new_key is not None:
                        further.append((index_id, new_key, ts, size, tablet, own_key))
            number += 1
        execute = self._db.executemany
        execute(sql.INSERT_REVISION, revisions)
        # What is found by the document's own entry comes before that is deleted.
        for statement, rows in (
            (sql.INSERT_ENTRY, added),
            (sql.UPSERT_NEWEST, changed),
            (sql.INSERT_SUPERSEDED, superseded),
            (sql.INSERT_FURTHER_ENTRY, further),
            (sql.INSERT_REMOVED_ENTRY, removed),
            (sql.DELETE_NEWEST_OF, ended),
            (sql.DELETE_ENTRY, deleted),
            (sql.UPSERT_PROPERTY, list(commit.properties.items())),
        ):
            if rows:
                execute(statement, rows)
        self._next_number = number
        rows_written = (
            len(revisions) + len(added) + len(changed) + len(superseded) + len(further) + 2 * len(deleted)
        )
        self._log.count(rows_written, revisions)

    def add_entries(self, index_id: int, entries: Sequence[tuple[bytes, Revision]]) -> None:
        self._check_fault()
        try:
            self._begin()
            self._db.executemany(
                sql.INSERT_MISSING_ENTRY,
                [(index_id, key, id_key(revision.id), revision.number) for key, revision in entries],
            )
        except sqlite3.Error as error:
            raise self._rolled_back(error) from error
        self._log.count(len(entries), ())

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")

    def _check_fault(self) -> None:
        if self._fault is not None:
            raise copy(self._fault)

    def _commit(self) -> None:
        """Hands the open SQL transaction to the operating system."""
        if not self._db.in_transaction:
            return
        try:
            if self._sizes.is_due(self._next_number - 1):
                self._sizes.store(self._next_number - 1)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._rolled_back(error) from error
        self._tail.handed_over(self.newest_ts)

    def _rolled_back(self, error: sqlite3.Error) -> StorageError:
        """Drops the open SQL transaction, and says why."""
        self._roll_back(error)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the extended codes refine the primary ones
        if code == sqlite3.SQLITE_FULL:
            return StorageFull(
                "No room for the write: the disk is full. Nothing of it was kept. Free some space and try "
                "again; reading goes on meanwhile."
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StorageBusy(
                "Another program holds a lock on the database, so nothing was written. "
                "Stop it or let it finish, then try again."
            )
        if is_damage(error):
            return self.damaged(str(error))
        return self._failed(f"The write failed ({error}); nothing of it was kept.")

    def _roll_back(self, error: BaseException) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self.rollbacks += 1
        self._recall()
        if self._fault is not None:
            self.newest_ts = self._synced_ts
        self._tail.take_back(self.newest_ts)
        _log.error("a write to %s failed and was undone: %s", self._path, error)

    def _failed(self, what: str) -> StorageFailed:
        """From here on no write is taken."""
        return self._stopped(
            StorageFailed(
                f"{what} No more writes are taken. Check the disk, then start the server again: it goes on "
                "from the last write that was confirmed."
            )
        )

    def _unreadable(self, error: Damage | sqlite3.DatabaseError) -> Exception:
        """What a failed read is to be reported as."""
        return self.damaged(str(error)) if is_damage(error) else error

    def damaged(self, what: str) -> StorageFailed:
        """The file is not as it was written: nothing more may be built on it."""
        return self._stopped(StorageDamaged(DAMAGED, detail=damage_text(self._path, what)))

    def _stopped(self, fault: StorageFailed) -> StorageFailed:
        if self._fault is None:
            self._fault = fault
            self.newest_ts = self._synced_ts
            _log.critical("%s: %s", self._path, fault)
        return fault

    async def inspect(self, key_of: KeyOf) -> None:
        inspection = Inspection(self._path, key_of)
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._check_fault()  # others may have met the damage first
                began = loop.time()
                if not await loop.run_in_executor(self._checkpointer, inspection.step):
                    return
                await asyncio.sleep((loop.time() - began) * INSPECTION_PAUSE)
        except (Damage, sqlite3.DatabaseError) as error:
            raise self._unreadable(error) from error
        finally:
            # In the same thread, where a step may be under way that nobody waits for any more.
            self._checkpointer.submit(inspection.close)

    async def flush(self) -> None:
        while not self._whole.is_set():
            await self._whole.wait()
        self._check_fault()
        self._commit()
        target = self.newest_ts
        try:
            lost = await self._syncer.run(partial(self._sync, target))
        except OSError as error:
            raise self._failed(
                f"The disk did not confirm a write ({error.strerror}), so it is not known what it kept."
            ) from error
        if lost is not None:
            raise self._stopped(_lost(lost))
        self._synced_ts = max(self._synced_ts, target)
        if self._log.wants_checkpoint and self._checkpointing is None:
            self._checkpointing = asyncio.create_task(self._checkpoint())

    def _sync(self, ts: int) -> Path | None:
        """Makes everything up to `ts` durable, and remembers that it is. The file that is lost, if one is."""
        self._log.sync()
        lost = self._place.lost()
        if lost is None:
            self._mark.advance(ts)
        return lost

    async def forget_unused(self) -> None:
        forgotten = self._cache.begin_age()
        is_quiet = len(self._cache) < QUIET_REVISIONS
        while forgotten:
            for _ in range(min(FORGOTTEN_AT_A_TIME, len(forgotten))):
                forgotten.popitem()
            await asyncio.sleep(0)
        if is_quiet:
            self._tail.forget()
            self._db.execute("PRAGMA shrink_memory")

    async def look_for_files(self) -> None:
        loop = asyncio.get_running_loop()
        lost = await loop.run_in_executor(self._looker, self._place.lost)
        if lost is not None:
            raise self._stopped(_lost(lost))

    def _store_sizes(self) -> None:
        """So that the next start has nothing to add up; it does where there is no room for them."""
        if self._db.in_transaction:
            return
        try:
            self._db.execute("BEGIN")
            self._sizes.store(self._next_number - 1)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    async def _checkpoint(self) -> None:
        """Moves the log into the database file; writers wait only when the log has grown past all measure."""
        loop = asyncio.get_running_loop()
        try:
            grown = await loop.run_in_executor(self._checkpointer, self._log.checkpoint, "PASSIVE")
            if grown:
                await self.ready()
                self._writable.clear()
                try:
                    self._commit()
                    await self._syncer.run(self._log.sync)
                    await loop.run_in_executor(self._checkpointer, self._log.checkpoint, "RESTART")
                finally:
                    self._writable.set()
        except (sqlite3.Error, OSError, StorageError):
            _log.exception("moving the write-ahead log into %s failed; it will be tried again", self._path)
        finally:
            self._checkpointing = None

    # The end

    async def vacuum(
        self,
        *,
        entries_before: int,
        documents_before: int,
        live_indexes: frozenset[int],
        limit: int,
        properties: Mapping[str, bytes] = NO_PROPERTIES,
    ) -> int:
        self._check_fault()
        try:
            self._begin()
            self._sizes.store(self._next_number - 1)  # what is removed could not be added up any more
            if properties:
                self._db.executemany(sql.UPSERT_PROPERTY, list(properties.items()))
            removed = self._old_rows.remove(
                entries_before, documents_before, live_indexes, self._sizes.tablets(), limit
            )
        except sqlite3.Error as error:
            raise self._rolled_back(error) from error
        self._log.count(removed, ())
        return removed

    async def close(self) -> None:
        """Makes everything durable and lets the directory go; again does nothing."""
        if self._lock.is_released:
            return
        try:
            if self._checkpointing is not None:
                await self._checkpointing
            if self._fault is None:
                await self.flush()
                self._store_sizes()
            if self._checkpointing is None:
                # Closing the last connection does what is left of this, and on the event loop.
                await self._checkpoint()
            else:
                await self._checkpointing
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._syncer.close()
        self._checkpointer.shutdown(wait=True)
        self._looker.shutdown(wait=False)
        self._db.close()
        self._log.close()
        self._mark.close()
        self._lock.release()


def _lost(file: Path) -> DataDirectoryLost:
    return DataDirectoryLost(
        "The server's data is gone, so nothing more is acknowledged. Its log says what to do.",
        detail=f"The data directory {file.parent} was deleted or replaced while it was in use: {file.name} "
        "is not the file any more that was opened. Nothing more is acknowledged. Put the directory back as "
        "it was, or restore a backup, then start the server.",
    )


def is_damage(error: Damage | sqlite3.Error) -> bool:
    """True if the disk did not give back what was written."""
    code = getattr(error, "sqlite_errorcode", 0)
    if isinstance(error, Damage) or code & 0xFF in DAMAGE or code in READ_FAILURES:
        return True
    return "Could not decode to UTF-8" in str(error)
