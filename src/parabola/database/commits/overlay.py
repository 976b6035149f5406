"""The uncommitted writes of one transaction, and how its own reads see them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

from sortedcontainers import SortedDict  # type: ignore[import-untyped]

from parabola.database.model.documents import Document, Revision
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval
from parabola.database.model.tables import Table
from parabola.database.store.persistence import EntryChange

__all__ = ["Overlay", "PendingWrite"]


_FEW: Final = 16
"""Writes of a table that are not worth being sorted."""


class PendingWrite(NamedTuple):
    """What a transaction did to one document in all: `old` is the stored revision, `new` what it is to be.

    `entries` are its keys in the indexes of the table as the transaction sees them, where they are known.
    """

    id: str
    table: Table
    old: Revision | None
    new: Document | None
    entries: tuple[EntryChange, ...] | None = None


class Overlay:
    """Pending writes by document, and by key in the indexes that were read since the first write.

    An index is laid out only when it is scanned, so a mutation that only writes pays nothing for it.
    """

    __slots__ = ("_indexes", "_tablets", "_undo")

    def __init__(self) -> None:
        # The same id may occur in the tables of two components, or in an active and a hidden table.
        self._tablets: dict[int, dict[str, PendingWrite]] = {}
        # Index id -> key -> document, None where the stored document of that key is gone.
        self._indexes: dict[int, tuple[Index, SortedDict[bytes, Document | None]]] = {}
        self._undo: list[tuple[str, int, PendingWrite | None]] = []

    def __len__(self) -> int:
        return sum(map(len, self._tablets.values()))

    def __iter__(self) -> Iterator[PendingWrite]:
        return chain.from_iterable(map(dict.values, self._tablets.values()))

    def get(self, tablet_id: int, id: str) -> PendingWrite | None:
        tablet = self._tablets.get(tablet_id)
        return None if tablet is None else tablet.get(id)

    def put(self, write: PendingWrite) -> None:
        """Replaces what is pending for a document."""
        id, tablet_id = write.id, write.table.tablet_id
        tablet = self._tablets.get(tablet_id)
        if tablet is None:
            tablet = self._tablets[tablet_id] = {}
        self._undo.append((id, tablet_id, tablet.get(id)))
        if self._indexes:
            self._set(id, tablet_id, write)
        else:
            tablet[id] = write

    def _set(self, id: str, tablet_id: int, write: PendingWrite | None) -> None:
        tablet = self._tablets.setdefault(tablet_id, {})
        previous = tablet.get(id)
        if write is None:
            del tablet[id]
        else:
            tablet[id] = write
        for index, keys in self._indexes.values():
            if index.tablet_id == tablet_id:
                if previous is not None:
                    _remove(index, keys, previous)
                if write is not None:
                    _add(index, keys, write)

    def writes(self, tablet_id: int) -> Iterator[PendingWrite]:
        """What is pending in one table."""
        return iter(self._tablets.get(tablet_id, {}).values())

    def has_writes(self, tablet_id: int) -> bool:
        return bool(self._tablets.get(tablet_id))

    def keys(self, index: Index, interval: Interval, *, reverse: bool) -> Iterator[bytes]:
        """The keys of an interval that pending writes touch, in order."""
        keys = self._index(index)
        iterator: Iterator[bytes] = keys.irange(
            interval.start, interval.end, inclusive=(True, False), reverse=reverse
        )
        return iterator

    def touches(self, index: Index, interval: Interval) -> bool:
        """Whether pending writes touch a key of an interval. A few of them are looked at as they are."""
        tablet = self._tablets.get(index.tablet_id)
        if not tablet:
            return False
        start, end = interval
        if len(tablet) <= _FEW and index.index_id not in self._indexes:
            for write in tablet.values():
                for version in (write.old, write.new):
                    if version is not None:
                        key = index.key(version.value)
                        if start <= key and (end is None or key < end):
                            return True
            return False
        keys = self._index(index)
        low: int = keys.bisect_left(start)
        return low < len(keys) and (end is None or bool(keys.peekitem(low)[0] < end))

    def at(self, index: Index, key: bytes) -> Document | None:
        """The document a touched key leads to now; None if it is gone."""
        document: Document | None = self._index(index)[key]
        return document

    def _index(self, index: Index) -> SortedDict[bytes, Document | None]:
        laid_out = self._indexes.get(index.index_id)
        if laid_out is None:
            keys: SortedDict[bytes, Document | None] = SortedDict()
            for write in self.writes(index.tablet_id):
                _add(index, keys, write)
            laid_out = self._indexes[index.index_id] = (index, keys)
        return laid_out[1]

    # Savepoints

    @property
    def position(self) -> int:
        """A point to go back to with `rollback_to`."""
        return len(self._undo)

    def rollback_to(self, position: int) -> None:
        """Undoes everything put since `position` was taken."""
        while len(self._undo) > position:
            id, tablet_id, previous = self._undo.pop()
            self._set(id, tablet_id, previous)


def _add(index: Index, keys: SortedDict[bytes, Document | None], write: PendingWrite) -> None:
    if write.old is not None:
        keys[index.key(write.old.value)] = None
    if write.new is not None:
        keys[index.key(write.new.value)] = write.new


def _remove(index: Index, keys: SortedDict[bytes, Document | None], write: PendingWrite) -> None:
    if write.old is not None:
        keys.pop(index.key(write.old.value), None)
    if write.new is not None:
        keys.pop(index.key(write.new.value), None)
