"""Reading a SQLite store at a timestamp: documents by id, ranges of indexes, the log.

Everything here raises `Damage` or `sqlite3.DatabaseError` for what cannot be read as it was written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from struct import error as StructError
from typing import Any, Final
from zlib import crc32

import orjson

from parabola.database.model.documents import Revision
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.store import sqlite_statements as sql
from parabola.database.store.checksums import PLACE, Damage, RevisionRow, check_revision
from parabola.database.store.persistence import Order, Rows, TailEntry
from parabola.database.store.revision_cache import RevisionCache

__all__ = ["SqliteReads", "first_number_after"]

CHUNK_BYTES: Final = 4 * 1024 * 1024
"""A scan ends early once it has read documents of this many bytes."""

MAX_KEY: Final = b"\xff"
"""Above every index key: no encoded value begins with it."""

LED_ASTRAY: Final = "among the entries of one index are those of another"


class SqliteReads:
    """The reads of one connection. See `Persistence` for what they answer."""

    def __init__(
        self, db: sqlite3.Connection, cache: RevisionCache, is_tablet: Callable[[int], bool]
    ) -> None:
        self._db = db
        self._cache = cache
        self._is_tablet = is_tablet
        self.removed_ts: dict[int, int] = {}
        """For each index the newest commit that removed a key from it or changed a document of it; those from
        before the start may be missing."""
        self.opened_ts = 0

    def get(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        """The document as of `ts`, or None."""
        key = id_key(id)
        row = self._db.execute(sql.SELECT_ENTRY, (tablet_id, key)).fetchone()
        if row is None or row[1] > ts:
            if self.removed_ts.get(tablet_id, self.opened_ts) <= ts:
                return None
            row = self._db.execute(sql.SELECT_SUPERSEDED, (tablet_id, key, ts, ts)).fetchone()
            if row is None:
                return None
        number = row[0]
        revision = self._cache.get(number)
        if revision is None:
            revision = self._named(tablet_id, key, number)
        if revision.id != id:
            raise misled(tablet_id, revision)
        return revision

    def scan(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        """The next at most `limit` entries of an index as of `ts`, in key order; fewer large ones."""
        start, end = interval
        if end is None:
            end = MAX_KEY
        if self.removed_ts.get(index_id, self.opened_ts) > ts:
            return self._scan_past(index_id, Interval(start, end), ts, order, limit)
        found: list[tuple[bytes, int, int]] = self._db.execute(
            sql.SCAN_LIVE[order], (index_id, index_id, start, end, ts, limit)
        ).fetchall()
        exhausted = len(found) < limit
        if len(found) == 1:  # as look-ups by equality find
            ((key, number, _),) = found
            revision = self._cache.get(number)
            if revision is None:
                revision = self._named(index_id, key, number)
            return Rows([(key, revision)], exhausted=exhausted)
        return self._with_revisions(index_id, found, exhausted)

    def _scan_past(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        """The same where something has been removed or changed since `ts`."""
        start, end = interval
        query = index_id, index_id, start, end, ts, limit
        query_past = index_id, index_id, ts, start, end, ts, limit
        is_tablet = self._is_tablet(index_id)
        if is_tablet:
            live, history = sql.SCAN_UNCHANGED, sql.SCAN_SUPERSEDED
        else:
            live, history = sql.SCAN_LIVE_DATED, sql.SCAN_REMOVED
        found: list[tuple[Any, ...]] = self._db.execute(live[order], query).fetchall()
        exhausted = len(found) < limit
        past = self._db.execute(history[order], query_past).fetchall()
        if past:
            found = sorted(found + past, reverse=order == "desc")
            exhausted = exhausted and len(past) < limit and len(found) <= limit
            del found[limit:]
        if is_tablet:
            return self._with_revisions(index_id, found, exhausted)
        then = [row for each in found if (row := self._as_of(each, ts)) is not None]
        if found and not then and not exhausted:
            last = found[-1][0]
            rest = interval.after(last) if order == "asc" else interval.before(last)
            return self._scan_past(index_id, rest, ts, order, limit)
        return self._with_revisions(index_id, then, exhausted)

    def _as_of(self, row: tuple[Any, ...], ts: int) -> tuple[bytes, int, int] | None:
        """Key, number and size of the revision of a document that was there at `ts`, from those of one that
        came then or later, and when something came after that. None where it is not kept any more.
        """
        key, number, size, changed_ts = row
        if changed_ts <= ts:
            return key, number, size
        place = self._db.execute(sql.SELECT_PLACE, (number,)).fetchone()
        if place is None or place[2] <= ts:
            return key, number, size  # what is not there, whoever reads it says so
        tablet, id, _ = place
        past = self._db.execute(sql.SELECT_SUPERSEDED, (tablet, id_key(id.decode()), ts, ts)).fetchone()
        return None if past is None else (key, *past)

    def revision_times(
        self, tablet_id: int, interval: Interval, ts: int, limit: int
    ) -> Rows[tuple[bytes, int]]:
        """The keys of the next at most `limit` documents as of `ts`, and when each was written."""
        start, end = interval.start, MAX_KEY if interval.end is None else interval.end
        found: list[tuple[bytes, int]] = self._db.execute(
            sql.SCAN_LIVE_TIMES, (tablet_id, tablet_id, start, end, ts, limit)
        ).fetchall()
        exhausted = len(found) < limit
        if self.removed_ts.get(tablet_id, self.opened_ts) > ts:
            past = self._db.execute(
                sql.SCAN_SUPERSEDED_TIMES, (tablet_id, tablet_id, ts, start, end, ts, limit)
            ).fetchall()
            if past:
                exhausted = exhausted and len(past) < limit and len(found) + len(past) <= limit
                found = sorted(found + past)[:limit]
        if any(written_ts == sql.FOREIGN for _, written_ts in found):
            raise Damage(LED_ASTRAY)
        return Rows(found, exhausted=exhausted)

    def _with_revisions(
        self, index_id: int, found: list[tuple[bytes, int, int]], exhausted: bool
    ) -> Rows[tuple[bytes, Revision]]:
        if sum([size for _, _, size in found]) > CHUNK_BYTES:
            total = 0
            for at, (_, _, size) in enumerate(found):
                total += size
                if total > CHUNK_BYTES and at:
                    exhausted = False
                    del found[at:]
                    break
        cache = self._cache
        revisions = {number: cache.get(number) for _, number, _ in found}
        missing = [number for number, revision in revisions.items() if revision is None]
        if len(revisions) < len(found):
            raise Damage(f"two entries of index {index_id} name the same revision")
        if missing:
            rows = self._db.execute(sql.SELECT_REVISIONS, (orjson.dumps(missing).decode(),)).fetchall()
            keys = {number: key for key, number, _ in found}
            pack = PLACE.pack
            add = cache.add
            for row in rows:
                number, tablet, id, written_ts, previous, size, raw, checksum = row
                try:  # `_revision` without its calls, as this is for every row that is read
                    place = pack(number, tablet, written_ts, previous or 0, size, id)
                    intact = checksum == crc32(raw, crc32(place)) and id in keys[number]
                except (TypeError, StructError):
                    intact = False
                if intact:
                    revision = Revision(id.decode(), written_ts, raw, size, number)
                    add(number, revision)
                else:
                    revision = self._revision(row, number)
                    if id not in keys[number]:  # every key ends with the document's id
                        raise misled(index_id, revision)
                revisions[number] = revision
            if len(rows) < len(missing):
                self._revision(None, next(number for number in missing if revisions[number] is None))
        return Rows(((key, revisions[number]) for key, number, _ in found), exhausted=exhausted)  # type: ignore[misc]

    def _named(self, index_id: int, key: bytes, number: int) -> Revision:
        """The stored revision that an entry of an index names."""
        row = self._db.execute(sql.SELECT_REVISION, (number,)).fetchone()
        try:  # `_revision` without its calls
            _, tablet, id, written_ts, previous, size, raw, checksum = row
            place = PLACE.pack(number, tablet, written_ts, previous or 0, size, id)
            if checksum == crc32(raw, crc32(place)) and id in key:
                revision = Revision(id.decode(), written_ts, raw, size, number)
                self._cache.add(number, revision)
                return revision
        except (TypeError, StructError):
            pass
        revision = self._revision(row, number)
        if row[2] not in key:  # every key ends with the document's id
            raise misled(index_id, revision)
        return revision

    def _revision(self, row: RevisionRow | None, number: int) -> Revision:
        """A stored revision that has content, from its row."""
        raw = None if row is None else row[6]
        if number == sql.FOREIGN:
            raise Damage(LED_ASTRAY)
        if row is None or raw is None:
            raise Damage(f"revision {number} is not there, although an index names it")
        check_revision(row)
        _, _, id, written_ts, _, size, _, _ = row
        revision = Revision(id.decode(), written_ts, raw, size, number)
        self._cache.add(number, revision)
        return revision

    def tail(self, after_ts: int, limit: int) -> Rows[TailEntry]:
        """The log after a timestamp, by (ts, id); never ends in the middle of a commit."""
        number = first_number_after(self._db, after_ts)
        rows = self._db.execute(sql.SCAN_LOG, (number, limit + 1)).fetchall()
        exhausted = len(rows) <= limit
        if not exhausted:
            # A commit is never split: whole ones up to the limit, or the first one however large it is.
            last_ts = rows[-1][3]
            if rows[0][3] != last_ts:
                rows = [row for row in rows if row[3] != last_ts]
            else:
                rows = self._db.execute(
                    sql.SELECT_COMMIT, (number, first_number_after(self._db, last_ts))
                ).fetchall()
        for row in rows:
            check_revision(row)
        entries = [TailEntry(ts, tablet, id.decode(), raw) for _, tablet, id, ts, _, _, raw, _ in rows]
        return Rows(sorted(entries, key=lambda entry: (entry.ts, entry.id)), exhausted=exhausted)


def first_number_after(db: sqlite3.Connection, ts: int) -> int:
    """The first revision of a later commit; numbers ascend with timestamps, so it is found by halves."""
    first = db.execute(sql.SELECT_FIRST_REVISION).fetchone()
    after_last = int(db.execute(sql.SELECT_LAST_REVISION_NUMBER).fetchone()[0]) + 1
    low, high = int(first[0] if first else after_last), after_last
    while low < high:
        middle = (low + high) // 2
        found = db.execute(sql.SELECT_REVISION_AT_OR_AFTER, (middle,)).fetchone()
        if found is None or found[1] > ts:
            high = middle
        else:
            low = int(found[0]) + 1
    return low


def misled(index_id: int, revision: Revision) -> Damage:
    """An entry of an index names the revision of another document than its own."""
    return Damage(
        f'an entry of index {index_id} names document "{revision.id}" (revision {revision.number}), which is '
        "not the one it is of"
    )
