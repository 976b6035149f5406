"""The write-ahead log of a SQLite file: made durable and moved away from threads of our own choosing.

SQLite writes the log when a transaction commits and, with `synchronous=NORMAL`, leaves syncing it to the next
checkpoint. Here the log is synced before anything is acknowledged, but in a thread, so that the event loop
never waits for the disk. That gives the durability of `synchronous=FULL`.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from parabola.database.store.private_file import keep_private
from parabola.values.limits import KIB, MIB

if sys.platform == "darwin":
    import fcntl

__all__ = ["WriteAheadLog"]

PAGE_BYTES: Final = 2048
"""Of a new file. What changes here and there is written page by page: a bank transfer takes 12 KiB of the log
and not 20 as with pages of 4 KiB; the processor has as much to do, also with reads and large documents."""

BUSY_SECONDS: Final = 0.2
"""How long a write waits for another program that holds a lock; the event loop waits with it."""

CHECKPOINT_BYTES: Final = 64 * MIB
"""What the log has, by a generous estimate, when it is moved into the database file."""

RESTART_BYTES: Final = 128 * MIB
"""From where on writes wait for a moment so that the log can begin anew. Under constant load it could not
otherwise: there is always a write that came after the last checkpoint began."""

KEPT_BYTES: Final = RESTART_BYTES + CHECKPOINT_BYTES
"""What is left of a longer log when it begins anew: all, but after uncommonly large writes. To overwrite is
less work than to append, for whoever writes and for the disk (a sync of 12 KiB takes 0.17 ms and not 0.25),
and to cut 100 MB off would hold up the event loop for 20 ms. What a start finds it cuts to nothing."""


class WriteAheadLog:
    """The log beside one database file. `cache_bytes` are for pages of the file that were used lately."""

    def __init__(self, path: Path, cache_bytes: int) -> None:
        self._database = path
        self._cache_kib = cache_bytes // KIB
        self.path = path.with_name(path.name + "-wal")
        self._file: int | None = None
        self._pages = 0
        self._page_bytes = PAGE_BYTES
        self._checkpointer: sqlite3.Connection | None = None

    def connect(self) -> sqlite3.Connection:
        """A connection with no transactions, syncs or checkpoints of its own."""
        keep_private(self._database)
        db = sqlite3.connect(
            self._database,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            timeout=BUSY_SECONDS,
        )
        for setting in (
            f"page_size = {PAGE_BYTES}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "wal_autocheckpoint = 0",
            f"journal_size_limit = {KEPT_BYTES}",
            "temp_store = MEMORY",
            f"cache_size = -{self._cache_kib}",
        ):
            db.execute(f"PRAGMA {setting}")
        self._page_bytes = db.execute("PRAGMA page_size").fetchone()[0]  # older files have pages of 4 KiB
        return db

    def count(self, rows: int, revisions: Sequence[tuple[Any, ...]]) -> None:
        """Notes rows written, to guess the length of the log: a page a row at most, plus the content."""
        self._pages += rows + sum([row[5] for row in revisions]) // self._page_bytes

    @property
    def wants_checkpoint(self) -> bool:
        return self._pages * self._page_bytes >= CHECKPOINT_BYTES

    def sync(self) -> None:
        """Returns when all that was committed before the call is on the disk. Raises `OSError`."""
        file = self._open()
        if file is None:
            return
        if sys.platform == "darwin":
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # fsync alone leaves it in the drive's cache
        else:
            os.fdatasync(file)

    def _open(self) -> int | None:
        """Our own descriptor of the log. While a connection is open SQLite makes no new file, and when
        somebody else puts one there that is noticed (`DataPlace`).
        """
        if self._file is None:
            try:
                # SQLite locks the database and the -shm file, never the log, so closing this drops no lock.
                self._file = os.open(self.path, os.O_RDWR)
            except FileNotFoundError:
                return None
            _sync_directory(self.path.parent)
        return self._file

    def checkpoint(self, mode: Literal["PASSIVE", "RESTART", "TRUNCATE"]) -> bool:
        """Moves what it can into the database file; True if the log has grown so long that it must restart.

        But for `PASSIVE` no transaction may be open: then the next one writes from the log's beginning.
        `TRUNCATE` cuts the file as well.
        """
        self._pages = 0  # should this fail, it is tried again only after as many pages more
        if self._checkpointer is None:
            self._checkpointer = sqlite3.connect(
                self._database, isolation_level=None, check_same_thread=False, timeout=1.0
            )
            self._checkpointer.execute("PRAGMA synchronous = NORMAL")
        _, pages, moved = self._checkpointer.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        self._pages = max(0, pages - moved)
        return bool(pages * self._page_bytes > RESTART_BYTES)

    def close(self) -> None:
        if self._checkpointer is not None:
            self._checkpointer.close()
            self._checkpointer = None
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _sync_directory(directory: Path) -> None:
    """Makes the names of new files durable, not only their content."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
