"""How many documents each table has, and how many bytes: known in memory, stored now and then.

Storing them with every commit would write one more page each time. What the file holds is true up to one
revision; what came later is added up from the revisions themselves.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from parabola.database.store import sqlite_statements as sql
from parabola.database.store.persistence import TableSize

__all__ = ["TableSizes"]

NOTHING: Final = TableSize(0, 0)

THROUGH: Final = "sizes_through"
"""Property: number of the last revision that the stored sizes count."""

REVISIONS: Final = 2_000
"""Sizes are stored after so many revisions at the latest: a start adds up no more than that."""


class TableSizes:
    """The sizes of one store. Works inside the caller's SQL transaction."""

    __slots__ = ("_changed", "_db", "_sizes", "_through")

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.recall()

    def recall(self) -> None:
        """Takes the sizes from the file again."""
        db = self._db
        self._sizes = {
            tablet: TableSize(documents, size)
            for tablet, documents, size in db.execute(sql.SELECT_TABLE_SIZES)
        }
        self._changed: set[int] = set()
        row = db.execute(sql.SELECT_PROPERTY, (THROUGH,)).fetchone()
        self._through = -1
        if row is None:  # stored with every commit by versions that did not know this property
            self.store(db.execute(sql.SELECT_LAST_REVISION_NUMBER).fetchone()[0])
            return
        self._through = int(row[0])
        for tablet, documents, size in db.execute(sql.SELECT_SIZES_AFTER, (self._through,)):
            self.add(tablet, documents, size)

    def __contains__(self, tablet: int) -> bool:
        """True for a tablet that has or had a document."""
        return tablet in self._sizes

    def of(self, tablet: int) -> TableSize:
        """The size of a table in the newest state."""
        return self._sizes.get(tablet, NOTHING)

    def tablets(self) -> frozenset[int]:
        """Every tablet that has or had a document."""
        return frozenset(self._sizes)

    def add(self, tablet: int, documents: int, size: int) -> None:
        """Counts the change of a commit."""
        before = self._sizes.get(tablet, NOTHING)
        self._sizes[tablet] = TableSize(before.documents + documents, before.bytes + size)
        self._changed.add(tablet)

    def is_due(self, newest_number: int) -> bool:
        """True when enough has come since they were stored."""
        return newest_number - self._through >= REVISIONS

    def store(self, newest_number: int) -> None:
        """Stores the sizes as of the newest revision, if they are not."""
        if newest_number == self._through:
            return
        if self._changed:
            self._db.executemany(
                sql.UPSERT_TABLE_SIZE, [(tablet, *self._sizes[tablet]) for tablet in self._changed]
            )
        self._db.execute(sql.UPSERT_PROPERTY, (THROUGH, str(newest_number).encode()))
        self._changed.clear()
        self._through = newest_number
