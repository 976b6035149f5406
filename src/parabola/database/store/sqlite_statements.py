"""Every SQL statement of the embedded store, by name. Nothing outside `sqlite.py` uses them."""

from __future__ import annotations

from typing import Final

CREATE: Final = """
CREATE TABLE IF NOT EXISTS property (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revision (
    number INTEGER PRIMARY KEY,         -- ascends with ts
    tablet INTEGER NOT NULL,
    id TEXT NOT NULL,
    ts INTEGER NOT NULL,
    previous INTEGER,                   -- number of the revision this one supersedes
    size INTEGER NOT NULL,
    json BLOB,                          -- NULL is a deletion
    checksum INTEGER                    -- NULL where an older version wrote it
);
CREATE TABLE IF NOT EXISTS entry (      -- live keys
    index_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    ts INTEGER NOT NULL,                -- since when the key is the document's
    size INTEGER NOT NULL,              -- of the revision
    revision INTEGER NOT NULL,          -- what the document began with: its own number, and not the newest
    PRIMARY KEY (index_id, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest (     -- of the documents that have changed since they began
    document INTEGER PRIMARY KEY,       -- the number that all their entries have
    ts INTEGER NOT NULL,                -- of the revision
    size INTEGER NOT NULL,              -- of the revision
    revision INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS removed_entry ( -- never of by_id
    index_id INTEGER NOT NULL,
    removed_ts INTEGER NOT NULL,
    key BLOB NOT NULL,
    ts INTEGER NOT NULL,                -- since when the key was the document's
    size INTEGER NOT NULL,              -- of the revision
    revision INTEGER NOT NULL,          -- the last one that had this key
    PRIMARY KEY (index_id, removed_ts, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS superseded ( -- what documents were before, as long as documents are kept
    index_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    removed_ts INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    size INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (index_id, key, removed_ts)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS table_size (
    tablet INTEGER PRIMARY KEY, documents INTEGER NOT NULL, bytes INTEGER NOT NULL
);
"""

ADD_CHECKSUM: Final = "ALTER TABLE revision ADD COLUMN checksum INTEGER"
"""What layout 2 has and layout 1 had not."""

REVISION: Final = "number, tablet, CAST(id AS BLOB), ts, previous, size, json, checksum"
"""The columns of a `RevisionRow`. The id as bytes: it is compared with others, and damage may be no text."""

SELECT_PROPERTY: Final = "SELECT value FROM property WHERE name = ?"
SELECT_PROPERTIES: Final = "SELECT name, value FROM property"
UPSERT_PROPERTY: Final = "INSERT OR REPLACE INTO property VALUES (?, ?)"
SELECT_HIGHEST_ID: Final = """
SELECT max(
    (SELECT coalesce(max(tablet), 0) FROM revision),
    (SELECT coalesce(max(index_id), 0) FROM entry),
    (SELECT coalesce(max(index_id), 0) FROM removed_entry),
    (SELECT coalesce(max(index_id), 0) FROM superseded)
)
"""
"""The highest number of a tablet or an index that is anywhere in the file."""
SELECT_LAST_REVISION: Final = "SELECT number, ts FROM revision ORDER BY number DESC LIMIT 1"
SELECT_LAST_REVISION_NUMBER: Final = "SELECT coalesce(max(number), 0) FROM revision"
SELECT_FIRST_REVISION: Final = "SELECT number FROM revision ORDER BY number LIMIT 1"
SELECT_REVISION_AT_OR_AFTER: Final = (
    "SELECT number, ts FROM revision WHERE number >= ? ORDER BY number LIMIT 1"
)
SELECT_TABLE_SIZES: Final = "SELECT tablet, documents, bytes FROM table_size"
UPSERT_TABLE_SIZE: Final = "INSERT OR REPLACE INTO table_size VALUES (?, ?, ?)"
SELECT_SIZES_AFTER: Final = (
    "SELECT new.tablet, sum((new.json IS NOT NULL) - (old.json IS NOT NULL)),"
    " sum(new.size - ifnull(old.size, 0))"
    " FROM revision AS new LEFT JOIN revision AS old ON old.number = new.previous"
    " WHERE new.number > ? GROUP BY new.tablet"
)

INSERT_REVISION: Final = "INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_ENTRY: Final = "INSERT INTO entry VALUES (?, ?, ?, ?, ?)"
INSERT_FURTHER_ENTRY: Final = (
    "INSERT INTO entry SELECT ?, ?, ?, ?, revision FROM entry WHERE index_id = ? AND key = ?"
)
"""A new key of a document that has an entry in `by_id`."""
INSERT_MISSING_ENTRY: Final = (
    "INSERT OR IGNORE INTO entry SELECT ?, ?, r.ts, r.size, own.revision FROM revision AS r"
    " JOIN entry AS own ON own.index_id = r.tablet AND own.key = ? WHERE r.number = ?"
)
DELETE_ENTRY: Final = "DELETE FROM entry WHERE index_id = ? AND key = ?"
# Of an index that is being filled the entry may not be there yet: then nobody has read the index.
INSERT_REMOVED_ENTRY: Final = (
    "INSERT INTO removed_entry SELECT index_id, ?, key, ts, ?, ? FROM entry WHERE index_id = ? AND key = ?"
)
UPSERT_NEWEST: Final = (
    "INSERT OR REPLACE INTO newest SELECT revision, ?, ?, ? FROM entry WHERE index_id = ? AND key = ?"
)
DELETE_NEWEST_OF: Final = (
    "DELETE FROM newest WHERE document = (SELECT revision FROM entry WHERE index_id = ? AND key = ?)"
)
DELETE_NEWEST: Final = "DELETE FROM newest WHERE document = ?"
INSERT_SUPERSEDED: Final = (
    "INSERT INTO superseded (index_id, removed_ts, key, ts, size, revision) VALUES (?, ?, ?, ?, ?, ?)"
)

_ENTRIES: Final = "entry AS e LEFT JOIN newest AS n ON n.document = e.revision"
"""Entries, with what their documents are now if they have changed since they began."""

SELECT_ENTRY: Final = (
    f"SELECT ifnull(n.revision, e.revision), ifnull(n.ts, e.ts) FROM {_ENTRIES}"
    " WHERE e.index_id = ? AND e.key = ?"
)
SELECT_SUPERSEDED: Final = (
    "SELECT revision, size FROM superseded WHERE index_id = ? AND key = ? AND removed_ts > ? AND ts <= ?"
    " ORDER BY removed_ts LIMIT 1"
)
SELECT_REVISION: Final = f"SELECT {REVISION} FROM revision WHERE number = ?"
SELECT_NEWEST: Final = f"SELECT {REVISION} FROM revision ORDER BY number DESC LIMIT 1"
SELECT_REVISIONS: Final = f"SELECT {REVISION} FROM revision WHERE number IN (SELECT value FROM json_each(?))"
SELECT_PLACE: Final = "SELECT tablet, CAST(id AS BLOB), ts FROM revision WHERE number = ?"

FOREIGN: Final = -1
"""In the place of a revision's number, or of its time: the entry is of another index than was asked for.

A page that took another one's place leads scans to such entries, as SQLite compares what it comes to with the
end of the range alone. So each scan is given the index twice: to begin there, and for this comparison.
"""


def _own(column: str, index_id: str = "index_id") -> str:
    return f"CASE WHEN {index_id} = ? THEN {column} ELSE {FOREIGN} END"


_LIVE_NUMBER: Final = _own("ifnull(n.revision, e.revision)", "e.index_id")

SCAN_LIVE: Final = {
    order: f"SELECT e.key, {_LIVE_NUMBER}, ifnull(n.size, e.size) FROM {_ENTRIES}"
    f" WHERE e.index_id = ? AND e.key >= ? AND e.key < ? AND e.ts <= ? ORDER BY e.key {order} LIMIT ?"
    for order in ("asc", "desc")
}
"""The keys that are live and were so at a timestamp, with what their documents are now."""
SCAN_LIVE_DATED: Final = {
    order: f"SELECT e.key, {_LIVE_NUMBER}, ifnull(n.size, e.size), ifnull(n.ts, e.ts)"
    f" FROM {_ENTRIES} WHERE e.index_id = ? AND e.key >= ? AND e.key < ? AND e.ts <= ?"
    f" ORDER BY e.key {order} LIMIT ?"
    for order in ("asc", "desc")
}
"""The same, and when they became that."""
SCAN_UNCHANGED: Final = {
    order: f"SELECT e.key, {_LIVE_NUMBER}, ifnull(n.size, e.size) FROM {_ENTRIES}"
    " WHERE e.index_id = ? AND e.key >= ? AND e.key < ? AND ifnull(n.ts, e.ts) <= ?"
    f" ORDER BY e.key {order} LIMIT ?"
    for order in ("asc", "desc")
}
"""The keys that are live and were so at a timestamp, of documents that have not changed since then."""
SCAN_LIVE_TIMES: Final = (
    f"SELECT e.key, {_own('ifnull(n.ts, e.ts)', 'e.index_id')} FROM {_ENTRIES}"
    " WHERE e.index_id = ? AND e.key >= ? AND e.key < ? AND ifnull(n.ts, e.ts) <= ?"
    " ORDER BY e.key LIMIT ?"
)
SCAN_SUPERSEDED_TIMES: Final = (
    f"SELECT key, {_own('ts')} FROM superseded"
    " WHERE index_id = ? AND removed_ts > ? AND key >= ? AND key < ? AND ts <= ? ORDER BY key LIMIT ?"
)
SELECT_ANY_SUPERSEDED: Final = "SELECT 1 FROM superseded WHERE index_id = ? LIMIT 1"
SCAN_REMOVED: Final = {
    order: f"SELECT key, {_own('revision')}, size, removed_ts FROM removed_entry"
    " WHERE index_id = ? AND removed_ts > ? AND key >= ? AND key < ? AND ts <= ?"
    f" ORDER BY key {order} LIMIT ?"
    for order in ("asc", "desc")
}
SCAN_SUPERSEDED: Final = {
    order: f"SELECT key, {_own('revision')}, size FROM superseded"
    " WHERE index_id = ? AND removed_ts > ? AND key >= ? AND key < ? AND ts <= ?"
    f" ORDER BY key {order} LIMIT ?"
    for order in ("asc", "desc")
}
SCAN_LOG: Final = f"SELECT {REVISION} FROM revision WHERE number >= ? ORDER BY number LIMIT ?"
SELECT_COMMIT: Final = f"SELECT {REVISION} FROM revision WHERE number >= ? AND number < ? ORDER BY number"

SELECT_LIVE_JSON: Final = (
    f"SELECT r.json FROM {_ENTRIES} JOIN revision AS r ON r.number = ifnull(n.revision, e.revision)"
    " WHERE e.index_id = ?"
)
SELECT_LIVE_JSON_BEFORE_3: Final = (
    "SELECT r.json FROM entry AS e JOIN revision AS r ON r.number = e.revision WHERE e.index_id = ?"
)
"""The same of a file of layout 2 or 1, where entries name the newest revision."""
COUNT_ENTRIES: Final = "SELECT index_id, count(*) FROM entry GROUP BY index_id"

SELECT_NEXT_INDEX: Final = {
    table: f"SELECT index_id FROM {table} WHERE index_id > ? ORDER BY index_id LIMIT 1"
    for table in ("entry", "removed_entry", "superseded")
}
DELETE_REMOVED_ENTRIES: Final = (
    "DELETE FROM removed_entry WHERE (index_id, removed_ts, key) IN (SELECT index_id, removed_ts, key"
    " FROM removed_entry WHERE index_id = ? AND removed_ts <= ? LIMIT ?)"
)
DELETE_SUPERSEDED: Final = "DELETE FROM superseded WHERE index_id = ? AND key = ? AND removed_ts = ?"
DELETE_REVISION: Final = "DELETE FROM revision WHERE number = ?"
SELECT_ENTRIES_OF_INDEX: Final = (
    f"SELECT e.key, e.revision, ifnull(n.revision, e.revision) FROM {_ENTRIES} WHERE e.index_id = ? LIMIT ?"
)
SELECT_SUPERSEDED_OF_INDEX: Final = (
    "SELECT key, removed_ts, revision FROM superseded WHERE index_id = ? LIMIT ?"
)
SELECT_VACUUM: Final = (
    "SELECT number, tablet, id, ts, previous, json IS NULL FROM revision"
    " WHERE number > ? AND number < (SELECT max(number) FROM revision) ORDER BY number LIMIT ?"
)

INSPECT_ENTRIES: Final = (
    "SELECT e.index_id, e.key, e.ts,"
    " ifnull(n.revision, e.revision), ifnull(n.ts, e.ts), ifnull(n.size, e.size),"
    " (SELECT 1 FROM superseded AS s"
    "  WHERE s.index_id = e.index_id AND s.key = e.key AND s.removed_ts > ifnull(n.ts, e.ts) LIMIT 1),"
    f" r.number, r.tablet, r.id, r.ts, r.size, r.json FROM {_ENTRIES}"
    " LEFT JOIN revision AS r ON r.number = ifnull(n.revision, e.revision)"
    " WHERE (e.index_id, e.key) > (?, ?) ORDER BY e.index_id, e.key LIMIT ?"
)
FIND_ENTRY: Final = "SELECT 1 FROM entry WHERE index_id = ? AND key = ?"
FIND_REMOVED_ENTRY: Final = "SELECT 1 FROM removed_entry WHERE index_id = ? AND removed_ts = ? AND key = ?"
FIND_SUPERSEDED: Final = "SELECT 1 FROM superseded WHERE index_id = ? AND key = ? AND removed_ts = ?"
INSPECT_REMOVED_ENTRIES: Final = (
    "SELECT index_id, removed_ts, key, ts, size, revision FROM removed_entry"
    " WHERE (index_id, removed_ts, key) > (?, ?, ?) ORDER BY index_id, removed_ts, key LIMIT ?"
)
INSPECT_SUPERSEDED: Final = (
    "SELECT index_id, key, removed_ts, ts, size, revision FROM superseded"
    " WHERE (index_id, key, removed_ts) > (?, ?, ?) ORDER BY index_id, key, removed_ts LIMIT ?"
)
