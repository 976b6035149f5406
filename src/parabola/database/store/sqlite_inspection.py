"""Whether a database file still holds what was written.

SQLite notices a damaged page only when it happens to read it, and a changed byte inside a row never. So at a
start the file's end is compared with the mark beside it, its length with what it says of itself, and a file
that is not large is checked page by page. Every row is looked at later, in the background.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from parabola.database.model.errors import UnusableData
from parabola.database.model.indexes import id_key
from parabola.database.store import sqlite_statements as sql
from parabola.database.store.checksums import Damage, check_revision
from parabola.database.store.high_mark import HighMark
from parabola.database.store.persistence import KeyOf

__all__ = [
    "CHECKED_BYTES",
    "Inspection",
    "check_end",
    "check_length",
    "check_newest",
    "check_pages",
    "damage_text",
]

CHECKED_BYTES: Final = 128 * 1024 * 1024
"""A file up to this length is checked page by page at a start: 60 ms for 50 MiB."""

ROWS: Final = 100
"""Rows of one step: about a millisecond."""


NEW_ENTRIES: Final = 2_000
"""After so many entries in a row that came during the pass, the rest of an index is left to the next one."""


def damage_text(path: Path, what: str) -> str:
    """Says that a file is damaged, and what to do."""
    return (
        f"{path} is damaged: {what}. No more writes are taken, so that nothing is built on it. Stop the "
        "server, keep a copy of the data directory, check the disk, and restore the last backup."
    )


def check_end(path: Path, mark: HighMark, newest_ts: int | None) -> None:
    """Raises `UnusableData` if the file ends before what was acknowledged.

    `newest_ts` is its newest commit; None before it has been opened, to see whether it is there at all.
    """
    if not mark.ts or (newest_ts is not None and newest_ts >= mark.ts):
        return
    until = _time(mark.ts)
    if newest_ts is not None:
        found = (
            f"ends at {_time(newest_ts)}, but writes up to {until} were acknowledged. Its end is missing: "
            f"most often the write-ahead log beside it ({path.name}-wal) was removed, cut, or left out of a "
            "copy"
        )
    elif not path.exists():
        found = f"is not there, but writes up to {until} were acknowledged in this directory"
    elif not path.stat().st_size:
        found = f"is empty, but writes up to {until} were acknowledged in this directory"
    else:
        return
    raise UnusableData(
        f"{path} {found}. Put the whole data directory back as it was, or restore a backup. To go on without "
        f"what is missing, remove {mark.path}."
    )


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6] + " UTC"


def check_length(path: Path) -> None:
    """Raises `UnusableData` if the file is shorter than it says, before SQLite fills it up with zeros.

    A process killed while it moved the log into the file leaves it so too; then the log has what is missing.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    if not header.startswith(b"SQLite format 3\0"):
        return  # SQLite will say what it thinks of it
    page_bytes = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    size = path.stat().st_size
    if not page_bytes or size >= page_bytes * pages:
        return
    in_file, in_log = size // page_bytes, _pages_in_log(path, page_bytes)
    if pages - in_file > len(in_log) or not in_log.issuperset(range(in_file + 1, pages + 1)):
        raise UnusableData(
            damage_text(path, f"it has {size:,} bytes of {page_bytes * pages:,}; the rest was cut off")
        )


def _pages_in_log(path: Path, page_bytes: int) -> set[int]:
    """The numbers of the pages that the write-ahead log holds (https://sqlite.org/walformat.html)."""
    pages: set[int] = set()
    try:
        with path.with_name(path.name + "-wal").open("rb") as log:
            salt = log.read(32)[16:24]
            while len(frame := log.read(24)) == 24 and frame[8:16] == salt:
                pages.add(int.from_bytes(frame[:4], "big"))
                log.seek(page_bytes, os.SEEK_CUR)
    except FileNotFoundError:
        pass
    return pages


def check_newest(db: sqlite3.Connection, path: Path) -> None:
    """Raises `UnusableData` if the newest revision is damaged: its timestamp is where everything goes on."""
    row = db.execute(sql.SELECT_NEWEST).fetchone()
    if row is not None:
        try:
            check_revision(row)
        except Damage as damage:
            raise UnusableData(damage_text(path, str(damage))) from None


def check_pages(db: sqlite3.Connection, path: Path) -> None:
    """Raises `UnusableData` if the file is not large and a page of it is damaged."""
    if path.stat().st_size <= CHECKED_BYTES:
        # Not the quick check, which takes as long here and does not see keys that are out of order.
        found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise UnusableData(damage_text(path, " ".join(found.split())))


class Inspection:
    """One pass over the rows of a database file, through a connection of its own.

    Belongs to one thread at a time. Reading them all makes SQLite look at every page that is in use.
    """

    def __init__(self, path: Path, key_of: KeyOf) -> None:
        self._key_of = key_of
        self._db = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        self._db.text_factory = lambda text: text.decode(errors="replace")
        # What is written meanwhile is for the next pass: this one would never catch up with a busy writer.
        self._newest = self._db.execute(sql.SELECT_LAST_REVISION_NUMBER).fetchone()[0]
        self._new_entries = 0
        self._parts = [
            (sql.SCAN_LOG, sql.SELECT_REVISION, (0,), self._revisions),
            (sql.INSPECT_ENTRIES, sql.FIND_ENTRY, (-1, b""), self._entries),
            (sql.INSPECT_REMOVED_ENTRIES, sql.FIND_REMOVED_ENTRY, (-1, -1, b""), self._removed),
            (sql.INSPECT_SUPERSEDED, sql.FIND_SUPERSEDED, (-1, b"", -1), self._removed),
        ]

    def step(self) -> bool:
        """Looks at the next rows; False when there are no more.

        Raises `Damage` or `sqlite3.DatabaseError`.
        """
        statement, find, after, check = self._parts[0]
        self._db.execute("BEGIN")
        try:
            rows = self._db.execute(statement, (*after, ROWS)).fetchall()
            last = check(rows, after) if rows else None
            # A page that took another one's place could lead past everything between the two. Its rows are in
            # order, but a search for one of them goes elsewhere; the last one tells for all of this step.
            if rows and self._db.execute(find, rows[-1][: find.count("?")]).fetchone() is None:
                raise Damage("a row that is there cannot be found by its key")
        except (TypeError, ValueError, AttributeError, AssertionError) as error:
            raise Damage(f"a row is of another kind than was written ({error})") from error
        finally:
            self._db.execute("ROLLBACK")
        if last is None:
            del self._parts[0]
        else:
            self._parts[0] = (statement, find, last, check)
        return bool(self._parts)

    def _revisions(self, rows: list[tuple[Any, ...]], after: tuple[Any, ...]) -> tuple[Any, ...] | None:
        expected = after[0]
        for row in rows:
            check_revision(row)
            if row[0] < expected:
                raise Damage("the revisions are not in order")
            expected = row[0] + 1
        last = rows[-1][0]
        return (last + 1,) if last < self._newest else None

    def _entries(self, rows: list[tuple[Any, ...]], after: tuple[Any, ...]) -> tuple[Any, ...]:
        for row in rows:
            (
                index_id,
                key,
                since,
                number,
                ts,
                size,
                later,
                found,
                tablet,
                id,
                written_ts,
                written_size,
                raw,
            ) = row
            if (index_id, key) <= after:
                raise Damage(f"the entries of index {index_id} are not in order")
            after = (index_id, key)
            if found is None or raw is None:
                raise Damage(f"an entry of index {index_id} names revision {number}, which is not there")
            expected = id_key(id) if tablet == index_id else self._key_of(tablet, index_id, raw)
            self._new_entries = self._new_entries + 1 if number > self._newest else 0
            is_newest = since <= ts and later is None and (ts, size) == (written_ts, written_size)
            if not is_newest or expected not in (key, None):
                raise Damage(f'the entry of document "{id}" in index {index_id} is not what was committed')
        if self._new_entries >= NEW_ENTRIES:
            return (after[0], b"\xff")
        return after

    def _removed(self, rows: list[tuple[Any, ...]], after: tuple[Any, ...]) -> tuple[Any, ...]:
        for row in rows:
            if row[:3] <= after:
                raise Damage(f"the history of index {row[0]} is not in order")
            after = row[:3]
        return after

    def close(self) -> None:
        """Lets the connection go."""
        self._db.close()
