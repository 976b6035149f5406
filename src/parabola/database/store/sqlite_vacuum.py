"""Removing what no read within retention can need from a SQLite store, a bounded number of rows at a time."""

from __future__ import annotations

import sqlite3
from typing import Final

from parabola.database.model.indexes import id_key
from parabola.database.store import sqlite_statements as sql
from parabola.database.store.persistence import DOCUMENTS_BEFORE

__all__ = ["OldRows"]

_CURSOR: Final = "vacuumed_through"
"""Property: number of the last revision whose predecessor has been removed."""


class OldRows:
    """What can be removed from one store. Works inside the caller's SQL transaction."""

    def __init__(self, db: sqlite3.Connection, removed_ts: dict[int, int], newest_ts: int) -> None:
        """`removed_ts` tells for each index the newest commit that removed a key or changed a document; the
        store keeps it up.
        """
        self._db = db
        self._removed_ts = removed_ts
        for index_id in self._indexes("removed_entry"):
            removed_ts[index_id] = newest_ts  # which documents have changed, only their history tells
        # The live indexes of the last pass that found no others in the store.
        self._clean: frozenset[int] | None = None

    def remove(
        self,
        entries_before: int,
        documents_before: int,
        live_indexes: frozenset[int],
        tablets: frozenset[int],
        limit: int,
    ) -> int:
        """Removes up to about `limit` rows and returns how many; 0 means that nothing is left to remove.

        See `Persistence.vacuum`. `tablets` are the indexes that are a table's `by_id`.
        """
        removed = self._remove_entries(entries_before, tablets, limit)
        if removed < limit and live_indexes != self._clean:
            dead = self._remove_dead_indexes(live_indexes, tablets, limit - removed)
            if not dead:
                self._clean = live_indexes
            removed += dead
        if removed < limit:
            removed += self._remove_revisions(documents_before, limit - removed)
        return removed

    def _indexes(self, table: str) -> list[int]:
        """The index ids that occur in a table, one jump per index."""
        found: list[int] = []
        last = -1
        while (row := self._db.execute(sql.SELECT_NEXT_INDEX[table], (last,)).fetchone()) is not None:
            last = row[0]
            found.append(last)
        return found

    def _remove_entries(self, before: int, tablets: frozenset[int], limit: int) -> int:
        removed = 0
        for index_id, last_removal in list(self._removed_ts.items()):
            if index_id in tablets:
                continue  # its history is that of the documents
            if removed >= limit:
                break
            left = limit - removed
            count = self._db.execute(sql.DELETE_REMOVED_ENTRIES, (index_id, before, left)).rowcount
            removed += count
            if count < left and last_removal <= before:
                del self._removed_ts[index_id]
        return removed

    def _remove_dead_indexes(self, live: frozenset[int], tablets: frozenset[int], limit: int) -> int:
        db = self._db
        removed = 0
        for index_id in self._indexes("superseded"):
            if index_id not in live and removed < limit:
                rows = db.execute(sql.SELECT_SUPERSEDED_OF_INDEX, (index_id, limit - removed)).fetchall()
                db.executemany(sql.DELETE_SUPERSEDED, [(index_id, key, ts) for key, ts, _ in rows])
                db.executemany(sql.DELETE_REVISION, [(number,) for _, _, number in rows])
                removed += len(rows)
        for index_id in self._indexes("entry"):
            if index_id not in live and removed < limit:
                rows = db.execute(sql.SELECT_ENTRIES_OF_INDEX, (index_id, limit - removed)).fetchall()
                db.executemany(sql.DELETE_ENTRY, [(index_id, key) for key, _, _ in rows])
                if index_id in tablets:
                    db.executemany(sql.DELETE_NEWEST, [(document,) for _, document, _ in rows])
                    db.executemany(sql.DELETE_REVISION, [(number,) for _, _, number in rows])
                removed += len(rows)
        return removed

    def _remove_revisions(self, before: int, limit: int) -> int:
        db = self._db
        row = db.execute(sql.SELECT_PROPERTY, (_CURSOR,)).fetchone()
        cursor = int(row[0]) if row else 0
        # Numbers ascend with timestamps, so the first one that is too new ends it.
        rows = []
        for found in db.execute(sql.SELECT_VACUUM, (cursor, limit)).fetchall():
            if found[3] > before:
                break
            rows.append(found)
        if not rows:
            return 0
        superseded = [row for row in rows if row[4] is not None]
        db.executemany(sql.DELETE_SUPERSEDED, [(row[1], id_key(row[2]), row[3]) for row in superseded])
        db.executemany(sql.DELETE_REVISION, [(row[4],) for row in superseded])
        deletions = [(row[0],) for row in rows if row[5]]
        db.executemany(sql.DELETE_REVISION, deletions)
        if superseded or deletions:
            db.execute(sql.UPSERT_PROPERTY, (DOCUMENTS_BEFORE, str(before).encode()))
        db.execute(sql.UPSERT_PROPERTY, (_CURSOR, str(rows[-1][0]).encode()))
        # Revisions that superseded nothing are only passed over, but there may be more behind them.
        return len(rows)
