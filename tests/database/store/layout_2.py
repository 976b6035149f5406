"""How a commit was written before layout 3: every entry of a document named its newest revision."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from parabola.database.store.checksums import revision_checksum
from parabola.database.store.persistence import Commit

__all__ = ["make_layout_2", "store_as_layout_2"]


def make_layout_2(db: sqlite3.Connection) -> None:
    """Makes an empty store of this version one of the version before."""
    db.execute("DROP TABLE newest")
    db.execute("UPDATE property SET value = CAST('2' AS BLOB) WHERE name = 'layout'")


def store_as_layout_2(file: Path, commits: list[Commit]) -> None:
    """Writes commits, the first ones of a store, as the version before did."""
    db = sqlite3.connect(file)
    make_layout_2(db)
    number = 1
    for ts, writes, _, _ in ((each.ts, each.writes, each.properties, each.number) for each in commits):
        for tablet, id, old, new, entries in writes:
            previous, old_size = (None, 0) if old is None else (old.number, old.size)
            size, raw = (0, None) if new is None else (new.size, new.raw)
            checksum = revision_checksum(number, tablet, id.encode(), ts, previous, size, raw)
            row: tuple[Any, ...] = (number, tablet, id, ts, previous, size, raw, checksum)
            db.execute("INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            if new is not None:
                new.number = number
            for index, old_key, new_key in entries:
                if old_key is not None and old is not None:
                    table = "superseded" if index == tablet else "removed_entry"
                    db.execute(
                        f"INSERT INTO {table} (index_id, removed_ts, key, ts, size, revision)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        (index, ts, old_key, old.ts, old_size, previous),
                    )
                    db.execute("DELETE FROM entry WHERE index_id = ? AND key = ?", (index, old_key))
                if new_key is not None:
                    db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (index, new_key, ts, size, number))
            number += 1
    db.commit()
    db.close()
