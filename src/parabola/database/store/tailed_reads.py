"""Reading a store from another process: the file as it was at some moment, and the commits since then."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from parabola.database.model.documents import Revision
from parabola.database.model.errors import StorageDamaged, StorageError
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.store import sqlite_statements as sql
from parabola.database.store.completed_scan import completed_scan
from parabola.database.store.persistence import Order, ReadsAtOnce, Rows
from parabola.database.store.revision_cache import RevisionCache
from parabola.database.store.sqlite_reads import SqliteReads
from parabola.database.store.tail import Tail
from parabola.values.limits import KIB

__all__ = ["TailedReads"]

BUSY_SECONDS: Final = 0.2


class TailedReads(ReadsAtOnce):
    """The reads of a `Persistence` over a read-only connection, completed by a tail.

    What is read must be covered: `covered_ts` is the newest commit that is known, from the file or from the
    tail.
    """

    derived_directory: Path | None = None

    def __init__(self, path: Path, cache_bytes: int) -> None:
        self.covered_ts = 0
        self.file_ts = 0
        self._tail = Tail()
        # When, and by which number, revisions came that may be of commits which are taken back.
        self._doubtful: deque[tuple[int, int]] = deque()
        self._cache = RevisionCache(cache_bytes)
        self._db = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
            timeout=BUSY_SECONDS,
        )
        self._db.execute(f"PRAGMA cache_size = -{cache_bytes // KIB}")
        self._reads = SqliteReads(self._db, self._cache, self._has_superseded)

    @property
    def tail_length(self) -> int:
        """Commits that are held in memory."""
        return len(self._tail)

    @property
    def tail_bytes(self) -> int:
        """How large the documents in them are."""
        return self._tail.bytes

    def look_again(self) -> None:
        """Sees the file as it is now; what it holds need not be held in memory any more."""
        self.let_go()
        db = self._db
        db.execute("BEGIN")
        try:
            row = db.execute(sql.SELECT_LAST_REVISION).fetchone()
        except BaseException:
            self.let_go()  # else what is seen later would be taken for older than it is
            raise
        self.file_ts = self._reads.opened_ts = 0 if row is None else row[1]
        self._tail.forget_through(self.file_ts)
        self.covered_ts = max(self.covered_ts, self.file_ts)

    @property
    def is_looking(self) -> bool:
        """Whether the file is held as it was at some moment."""
        return self._db.in_transaction

    def let_go(self) -> None:
        """Does not hold the file as it was any more: its log could not begin anew."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def _look(self) -> None:
        if not self._db.in_transaction:
            self.look_again()  # else each statement would see another moment

    def take(self, commits: Sequence[Any]) -> None:
        """Takes the next commits; those that are known already are passed over."""
        for ts, writes in commits:
            if ts > self.covered_ts:
                for revision in self._tail.add(ts, writes):
                    assert revision.number is not None
                    self._cache.add(revision.number, revision)
                    self._doubtful.append((ts, revision.number))
                self.covered_ts = ts

    def cut(self, ts: int) -> None:
        """The commits after a timestamp are no more. The file never held one of them, though it may hold
        later ones of others by now.
        """
        self._tail.cut(ts)
        while self._doubtful and self._doubtful[-1][0] > ts:
            self._cache.forget(self._doubtful.pop()[1])
        self.covered_ts = min(self.covered_ts, ts)

    def confirm(self, ts: int) -> None:
        """The commits up to a timestamp are in the file for certain."""
        while self._doubtful and self._doubtful[0][0] <= ts:
            self._doubtful.popleft()

    def cover(self, ts: int) -> None:
        """Sees the file as it is now, of which it is known that it has all commits up to a timestamp."""
        self.look_again()
        self.covered_ts = max(self.covered_ts, ts)

    def forget(self) -> None:
        """Nothing that was told is certain any more."""
        self.let_go()
        self._tail.clear()
        self._doubtful.clear()
        self._cache.forget_from(0)
        self.covered_ts = self.file_ts = 0

    def _has_superseded(self, index_id: int) -> bool:
        """Whether what was removed from an index is where that of tables' own indexes is. Where nothing is,
        it may as well be looked for elsewhere.
        """
        return self._db.execute(sql.SELECT_ANY_SUPERSEDED, (index_id,)).fetchone() is not None

    # What a transaction reads

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        if len(self._tail):
            version = self._tail.at(tablet_id, id_key(id), ts)
            if version is not None:
                return version[1]
        if not self._db.in_transaction:
            self._look()
        return self._reads.get(tablet_id, id, ts)

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        if not self._db.in_transaction:
            self._look()
        tail = self._tail
        if not tail.touches(index_id, interval):
            return self._reads.scan(index_id, interval, ts, order, limit)

        def stored(part: Interval) -> Rows[tuple[bytes, Revision]]:
            return self._reads.scan(index_id, part, ts, order, limit)

        def changes(part: Interval) -> dict[bytes, Revision | None]:
            return self._tail.changes(index_id, part, ts)

        return completed_scan(stored, changes, interval, order, limit)

    def damaged(self, what: str) -> StorageError:
        return StorageDamaged(what)

    def close(self) -> None:
        """Ends the connection."""
        self._db.close()
