"""What one commit changed: which documents, and which keys of which indexes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from parabola.database.commits.overlay import PendingWrite
from parabola.database.model.documents import Revision
from parabola.database.model.indexes import Index, id_key
from parabola.database.model.searches import SearchedChange
from parabola.database.model.table_plans import table_plan
from parabola.database.model.tables import Registry, Table
from parabola.database.store.persistence import DocumentWrite, EntryChange
from parabola.values.encoding import dumps
from parabola.values.int64 import Int64
from parabola.values.ordering import encode_key, encode_value
from parabola.values.placeholders import COMMIT_TS, UNDEFINED

__all__ = [
    "Change",
    "WriteSet",
    "changed_keys",
    "document_write",
    "effective_writes",
    "is_effective",
    "is_settled",
    "resolved",
]

_COMMIT_TS_JSON: Final = dumps(COMMIT_TS)
"""In a document's JSON only the placeholder itself reads like this: in a string the quotes are escaped, and
field names do not begin with a dollar."""


class Change(NamedTuple):
    """One document's change. `new` is None for a deletion, `old` for an insertion."""

    table: Table
    id: str
    old: Revision | None
    new: Revision | None


class WriteSet:
    """The changes of one commit, and for each index the sorted keys that were removed from it or put into it.

    `source` says who committed, in the words given to `Database.commit`. `searched` are the changes in tables
    with derived indexes.
    """

    __slots__ = ("changes", "keys", "searched", "source", "ts")

    def __init__(
        self, ts: int, source: str, changes: tuple[Change, ...], writes: Iterable[DocumentWrite]
    ) -> None:
        self.ts = ts
        self.source = source
        self.changes = changes
        self.searched: Sequence[SearchedChange] = ()
        self.keys: dict[int, list[bytes]] = {}
        keys = self.keys
        for write in writes:
            for index_id, old_key, new_key in write.entries:
                written = keys.setdefault(index_id, [])
                if old_key is not None:
                    written.append(old_key)
                if new_key is not None and new_key != old_key:
                    written.append(new_key)
        for written in keys.values():
            if len(written) > 1:
                written.sort()

    def count_deltas(self) -> dict[int, int]:
        """For each tablet how many documents it has gained or lost, where that is not 0."""
        deltas: dict[int, int] = {}
        for table, _, old, new in self.changes:
            if old is None or new is None:
                deltas[table.tablet_id] = deltas.get(table.tablet_id, 0) + (1 if old is None else -1)
        return deltas


def effective_writes(writes: Iterable[PendingWrite]) -> list[PendingWrite]:
    """Those that change anything: not what was added and removed again, or changed and changed back."""
    return list(filter(is_effective, writes))


def is_effective(write: PendingWrite) -> bool:
    """True if a write changes anything."""
    old, new = write.old, write.new
    if old is None:
        return new is not None
    return new is None or new.raw != old.raw


def is_settled(revision: Revision) -> bool:
    """Whether a pending revision is committed as it stands, whenever that is."""
    return _COMMIT_TS_JSON not in revision.raw


def resolved(revision: Revision, ts: int) -> tuple[Revision, dict[str, Any]]:
    """A pending revision as it is committed at `ts`, and its value.

    Every commit-timestamp placeholder has become that number. The revision itself does not hold the value: it
    goes to a cache that counts the JSON only.
    """
    raw, value = revision.raw, revision.value
    if _COMMIT_TS_JSON in raw:
        value = _with_ts(value, Int64(ts))
        raw = dumps(value)
    return Revision(revision.id, ts, raw, revision.size), value


def _with_ts(value: Any, ts: Int64) -> Any:
    if value is COMMIT_TS:
        return ts
    if isinstance(value, dict):
        return {name: _with_ts(item, ts) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_ts(item, ts) for item in value]
    return value


def document_write(registry: Registry, change: Change, value: dict[str, Any] | None) -> DocumentWrite:
    """A change with its keys in every database index of the table. `value` is the new document's."""
    table, id, old, new = change
    indexes = table_plan(registry, table).indexes
    entries = changed_keys(indexes, id, None if old is None else old.value, value)
    return DocumentWrite(table.tablet_id, id, old, new, entries)


def changed_keys(
    indexes: Iterable[Index], id: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> tuple[EntryChange, ...]:
    """The keys of a document in each index, before and after a change."""
    end = id_key(id)
    if before is None or after is None:
        document = after if before is None else before
        if document is None:
            return tuple([(index.index_id, None, None) for index in indexes])
        keys = _keys(indexes, end, document)
        if before is None:
            return tuple([(index_id, None, key) for index_id, key in keys])
        return tuple([(index_id, key, None) for index_id, key in keys])
    if before["_creationTime"] is after["_creationTime"]:
        return _patched_keys(indexes, end, before, after)
    both = zip(_keys(indexes, end, before), _keys(indexes, end, after), strict=True)
    return tuple([(index_id, old_key, new_key) for (index_id, old_key), (_, new_key) in both])


def _keys(indexes: Iterable[Index], end: bytes, document: dict[str, Any]) -> list[tuple[int, bytes]]:
    """The keys of a document, with the index ids: most end with its creation time and id."""
    keys: list[tuple[int, bytes]] = []
    tail = encode_value(document["_creationTime"]) + end
    for index in indexes:
        fields = index.leading
        if not index.fields:
            key = end
        elif fields is None:
            key = index.prefix(document) + end
        elif len(fields) == 1:
            key = encode_value(document.get(fields[0], UNDEFINED)) + tail
        else:
            key = encode_key([document.get(field, UNDEFINED) for field in fields]) + tail
        keys.append((index.index_id, key))
    return keys


def _patched_keys(
    indexes: Iterable[Index], end: bytes, before: dict[str, Any], after: dict[str, Any]
) -> tuple[EntryChange, ...]:
    """The same of a document that stays at its time: most keys stay, too."""
    entries: list[EntryChange] = []
    tail = encode_value(before["_creationTime"]) + end
    for index in indexes:
        fields = index.leading
        if not index.fields:
            old_key = new_key = end
        elif fields is None or len(fields) > 1:
            old_key = index.prefix(before) + end
            new_key = old_key if index.is_untouched(before, after) else index.prefix(after) + end
        elif fields:
            (name,) = fields
            old, new = before.get(name, UNDEFINED), after.get(name, UNDEFINED)
            old_key = encode_value(old) + tail
            new_key = old_key if new is old else encode_value(new) + tail
        else:
            old_key = new_key = tail
        entries.append((index.index_id, old_key, new_key))
    return tuple(entries)
