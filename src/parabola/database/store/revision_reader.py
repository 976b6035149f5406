"""Reading the log of a database's file beside whoever writes it: revisions as they were committed, in order.

What follows the log from here, in the server or in another process, has to see whole commits that are durable
and nothing else. A connection of its own sees the log as of one moment, which is always a beginning of it:
commits come in order, and the parts of a large one together. How far it is durable the caller says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import orjson

from parabola.database.model.system_tables import TABLES_TABLET
from parabola.database.store import sqlite_statements as sql
from parabola.database.store.checksums import check_revision
from parabola.database.store.persistence import DOCUMENTS_BEFORE
from parabola.database.store.sqlite_reads import first_number_after

__all__ = ["HistoryGone", "LoggedRevision", "ReadPart", "RevisionReader"]

_BUSY_SECONDS: Final = 30.0
_ROWS: Final = 500


class HistoryGone(Exception):
    """What came right after a timestamp is not kept any more."""


class LoggedRevision(NamedTuple):
    """One document's change. `raw` is its canonical JSON, None for a deletion; `was_there` says whether it
    existed before.
    """

    ts: int
    tablet: int
    id: str
    size: int
    was_there: bool
    raw: bytes | None


class ReadPart(NamedTuple):
    """Whole commits in their order, of which there is at least one, and the number that the next tablet or
    index gets after them.
    """

    revisions: Sequence[LoggedRevision]
    next_id: int

    @property
    def last_ts(self) -> int:
        """Of the newest of them."""
        return self.revisions[-1].ts


class RevisionReader:
    """A connection that only reads, for one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(
            f"file:{quote(str(file))}?mode=ro",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        self._tables: dict[int, str] = {}
        self._live_json = ""

    def read(self, after_ts: int, through_ts: int, max_bytes: int, next_id_name: str) -> ReadPart | None:
        """The commits after a timestamp up to another one: about so many bytes of them, at least one commit.

        `next_id_name` names the instance property with the next number. Raises `HistoryGone`, and `Damage`
        for a revision that is not what was committed.
        """
        db = self._db
        db.execute("BEGIN")
        try:
            properties = dict(db.execute(sql.SELECT_PROPERTIES))
            if int(properties.get(DOCUMENTS_BEFORE, b"0")) > after_ts:
                raise HistoryGone
            found: list[LoggedRevision] = []
            taken = 0
            number = first_number_after(db, after_ts)
            while rows := db.execute(sql.SCAN_LOG, (number, _ROWS)).fetchall():
                for row in rows:
                    ts = row[3]
                    if ts > through_ts or (taken >= max_bytes and ts != found[-1].ts):
                        rows = []
                        break
                    check_revision(row)
                    _, tablet, id, _, previous, size, raw, _ = row
                    found.append(LoggedRevision(ts, tablet, id.decode(), size, previous is not None, raw))
                    taken += len(raw or b"") + 64
                if not rows:
                    break
                number = rows[-1][0] + 1
            if not found:
                return None
            return ReadPart(found, int(properties.get(next_id_name, b"0")))
        finally:
            db.execute("COMMIT")

    def holds(self, revision: LoggedRevision) -> bool:
        """Whether the log has this very revision."""
        number = first_number_after(self._db, revision.ts - 1)
        for row in self._db.execute(sql.SCAN_LOG, (number, -1)):
            if row[3] != revision.ts:
                return False
            if (row[1], row[2].decode(), row[6]) == (revision.tablet, revision.id, revision.raw):
                return True
        return False

    def holds_commit(self, ts: int) -> bool:
        """Whether there was a commit with this timestamp, and it is still known."""
        number = first_number_after(self._db, ts - 1)
        row = self._db.execute(sql.SELECT_REVISION_AT_OR_AFTER, (number,)).fetchone()
        return row is not None and row[1] == ts

    def counts(self) -> dict[int, int]:
        """How many keys each index has."""
        return dict(self._db.execute(sql.COUNT_ENTRIES))

    def table_of(self, tablet: int) -> str | None:
        """The name of the table that a tablet belongs to; None for one that is no more."""
        if tablet not in self._tables:
            rows = [orjson.loads(raw) for raw in self.rows(TABLES_TABLET)]
            self._tables = {int(row["tablet"]): row["name"] for row in rows}
            self._tables.setdefault(tablet, "")
        return self._tables[tablet] or None

    def rows_of(self, table: str) -> list[bytes]:
        """The JSON of the newest documents of all tables of this name."""
        self.table_of(0)
        return [raw for tablet, name in self._tables.items() if name == table for raw in self.rows(tablet)]

    def rows(self, tablet: int) -> list[bytes]:
        """The JSON of the newest documents of a table."""
        if not self._live_json:
            layout = int(self.properties().get("layout", b"1"))
            self._live_json = sql.SELECT_LIVE_JSON if layout >= 3 else sql.SELECT_LIVE_JSON_BEFORE_3
        return [raw for (raw,) in self._db.execute(self._live_json, (tablet,))]

    def properties(self) -> dict[str, bytes]:
        """What the file says of itself."""
        return dict(self._db.execute(sql.SELECT_PROPERTIES))

    def newest_ts(self) -> int:
        """The newest commit."""
        row = self._db.execute(sql.SELECT_LAST_REVISION).fetchone()
        return int(row[1]) if row else 0

    def quick_check(self) -> str:
        """`ok`, or what is wrong with the pages of the file."""
        return str(self._db.execute("PRAGMA quick_check(1)").fetchone()[0])

    def close(self) -> None:
        """Lets the file go."""
        self._db.close()
