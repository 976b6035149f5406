"""Commits that are validated and not yet in the shared log, kept beside the store so that reads see them.

They come in layers, each of which becomes one entry of the log: then it is dropped, since the store has it,
or all are, since another node's entry came first. To look at a layer costs next to nothing; there are few.
"""

from __future__ import annotations

from bisect import insort
from typing import Final

from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval
from parabola.database.store.persistence import Commit, TableSize

__all__ = ["Layer"]

LAYER_COMMITS: Final = 1000
LAYER_BYTES: Final = 4 * 1024 * 1024
"""A layer takes no more commits once it has so many, or documents of so many bytes."""


class _Keys:
    """What a layer did to the keys of one index, with the timestamps of that; None for a key that went."""

    __slots__ = ("_sorted", "changes")

    def __init__(self) -> None:
        self.changes: dict[bytes, list[tuple[int, Revision | None]]] = {}
        self._sorted: list[bytes] | None = None

    def add(self, key: bytes, ts: int, revision: Revision | None) -> None:
        changes = self.changes.get(key)
        if changes is None:
            self.changes[key] = [(ts, revision)]
            if self._sorted is not None:
                insort(self._sorted, key)
        else:
            changes.append((ts, revision))

    def within(self, interval: Interval) -> list[bytes]:
        """The keys in an interval. They are put in order when first asked for: most never are."""
        if self._sorted is None:
            self._sorted = sorted(self.changes)
        return interval.among(self._sorted)


class Layer:
    """Some commits in their order, and what they make of documents and index keys."""

    __slots__ = ("_bytes", "_documents", "_indexes", "commits", "writes")

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.writes = 0
        """How many there are in its commits."""
        self._documents: dict[tuple[int, str], list[tuple[int, Revision | None]]] = {}
        self._indexes: dict[int, _Keys] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return len(self.commits) >= LAYER_COMMITS or self._bytes >= LAYER_BYTES

    def take(self, commit: Commit) -> None:
        """A commit is whole."""
        self.commits.append(commit)
        self.writes += len(commit.writes)

    def add(self, part: Commit) -> None:
        """Lets reads see a commit, or a part of one, which `take` adds to `commits` when it is whole."""
        ts = part.ts
        for tablet_id, id, _, new, entries in part.writes:
            self._documents.setdefault((tablet_id, id), []).append((ts, new))
            if new is not None:
                self._bytes += new.size
            for index_id, old_key, new_key in entries:
                keys = self._indexes.get(index_id)
                if keys is None:
                    keys = self._indexes[index_id] = _Keys()
                if old_key is not None and old_key != new_key:
                    keys.add(old_key, ts, None)
                if new_key is not None:
                    keys.add(new_key, ts, new)

    def get(self, tablet_id: int, id: str, ts: int) -> tuple[int, Revision | None] | None:
        """The newest change of a document up to a timestamp; None if the layer did not change it."""
        return _newest(self._documents.get((tablet_id, id), ()), ts)

    def changes(self, index_id: int, interval: Interval, ts: int) -> dict[bytes, Revision | None]:
        """What the keys of an interval lead to at a timestamp, as far as the layer changed them."""
        keys = self._indexes.get(index_id)
        if keys is None:
            return {}
        found: dict[bytes, Revision | None] = {}
        for key in keys.within(interval):
            change = _newest(keys.changes[key], ts)
            if change is not None:
                found[key] = change[1]
        return found

    def size_delta(self, tablet_id: int) -> TableSize:
        """How many documents and bytes a table has more than before."""
        documents = total = 0
        for commit in self.commits:
            for tablet, _, old, new, _ in commit.writes:
                if tablet == tablet_id:
                    documents += (new is not None) - (old is not None)
                    total += (0 if new is None else new.size) - (0 if old is None else old.size)
        return TableSize(documents, total)


def _newest(
    changes: list[tuple[int, Revision | None]] | tuple[()], ts: int
) -> tuple[int, Revision | None] | None:
    for change in reversed(changes):
        if change[0] <= ts:
            return change
    return None
