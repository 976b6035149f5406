"""Removing what no read within retention can need from a SQLite store, a bounded number of rows at a time."""

from __future__ import annotations

import sqlite3

from parabola.database import sqlite_statements as sql
from parabola.database.indexes import id_key
from parabola.database.persistence import DOCUMENTS_BEFORE

__all__ = ["remove_old_rows"]

_CURSOR = "vacuumed_through"
"""Property: number of the last revision whose predecessor has been removed."""


def remove_old_rows(
    db: sqlite3.Connection,
    entries_before: int,
    documents_before: int,
    live_indexes: frozenset[int],
    tablets: frozenset[int],
    limit: int,
) -> int:
    """Removes up to about `limit` rows and returns how many; 0 means that nothing is left to remove.

    See `Persistence.vacuum`. `tablets` are the indexes that are a table's `by_id`. Runs in the caller's SQL
    transaction.
    """
    removed = _old_entries(db, entries_before, limit)
    if removed < limit:
        removed += _dead_indexes(db, live_indexes, tablets, limit - removed)
    if removed < limit:
        removed += _old_revisions(db, documents_before, limit - removed)
    return removed


def _indexes(db: sqlite3.Connection, table: str) -> list[int]:
    """The index ids that occur in a table, one jump per index."""
    found: list[int] = []
    last = -1
    while (row := db.execute(sql.SELECT_NEXT_INDEX[table], (last,)).fetchone()) is not None:
        last = row[0]
        found.append(last)
    return found


def _old_entries(db: sqlite3.Connection, before: int, limit: int) -> int:
    removed = 0
    for index_id in _indexes(db, "removed_entry"):
        if removed >= limit:
            break
        removed += db.execute(sql.DELETE_REMOVED_ENTRIES, (index_id, before, limit - removed)).rowcount
    return removed


def _dead_indexes(db: sqlite3.Connection, live: frozenset[int], tablets: frozenset[int], limit: int) -> int:
    removed = 0
    for index_id in _indexes(db, "superseded"):
        if index_id not in live and removed < limit:
            rows = db.execute(sql.SELECT_SUPERSEDED_OF_INDEX, (index_id, limit - removed)).fetchall()
            db.executemany(sql.DELETE_SUPERSEDED, [(index_id, key, ts) for key, ts, _ in rows])
            db.executemany(sql.DELETE_REVISION, [(number,) for _, _, number in rows])
            removed += len(rows)
    for index_id in _indexes(db, "entry"):
        if index_id not in live and removed < limit:
            rows = db.execute(sql.SELECT_ENTRIES_OF_INDEX, (index_id, limit - removed)).fetchall()
            db.executemany(sql.DELETE_ENTRY, [(index_id, key) for key, _ in rows])
            if index_id in tablets:
                db.executemany(sql.DELETE_REVISION, [(number,) for _, number in rows])
            removed += len(rows)
    return removed


def _old_revisions(db: sqlite3.Connection, before: int, limit: int) -> int:
    row = db.execute(sql.SELECT_PROPERTY, (_CURSOR,)).fetchone()
    cursor = int(row[0]) if row else 0
    removed = 0
    rows = db.execute(sql.SELECT_VACUUM, (cursor, before, limit)).fetchall()
    for _, tablet, id, ts, previous, _ in rows:
        if previous is not None:
            db.execute(sql.DELETE_SUPERSEDED, (tablet, id_key(id), ts))
            db.execute(sql.DELETE_REVISION, (previous,))
            removed += 1
    deletions = [(row[0],) for row in rows if row[5]]
    db.executemany(sql.DELETE_REVISION, deletions)
    if removed or deletions:
        db.execute(sql.UPSERT_PROPERTY, (DOCUMENTS_BEFORE, str(before).encode()))
    if rows:
        db.execute(sql.UPSERT_PROPERTY, (_CURSOR, str(rows[-1][0]).encode()))
    # Live revisions that superseded nothing are passed over; they count as work, else the caller would stop.
    return max(removed + len(deletions), len(rows))
