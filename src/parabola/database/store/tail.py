"""The newest commits in the memory of another process, as far as it reads what they have touched."""

from __future__ import annotations

from binascii import a2b_base64
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval

__all__ = ["Tail", "Version"]

Version = tuple[int, Revision | None]
"""What a key leads to from a commit on; None where it leads nowhere any more."""


class _Commit(NamedTuple):
    """Of each document the new revision, None if it was deleted, and its keys as they were told."""

    ts: int
    changes: list[tuple[Revision | None, Sequence[Any]]]
    bytes: int


class _LaidOut:
    """One index: the keys that commits up to `through` have touched, sorted, and the versions of each."""

    __slots__ = ("keys", "through", "touched", "versions")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.versions: dict[bytes, list[Version]] = {}
        self.touched: deque[tuple[int, list[bytes]]] = deque()
        self.through = -1

    def put(self, key: bytes, version: Version) -> None:
        versions = self.versions.get(key)
        if versions is None:
            self.versions[key] = [version]
            insort(self.keys, key)
        else:
            versions.append(version)

    def drop(self, keys: list[bytes], which: int) -> None:
        """Takes the first (0) or the last (-1) version of each of these keys away."""
        for key in keys:
            versions = self.versions[key]
            del versions[which]
            if not versions:
                del self.versions[key]
                del self.keys[bisect_left(self.keys, key)]


class Tail:
    """Commits in ascending order, as versions of the keys that they touched. An index is laid out when it is
    read: most of what is told of are indexes that nobody reads meanwhile.
    """

    def __init__(self) -> None:
        self._commits: deque[_Commit] = deque()
        self._indexes: dict[int, _LaidOut] = {}
        self._newest_ts = -1
        self.bytes = 0
        """Of the documents in them."""

    def __len__(self) -> int:
        return len(self._commits)

    def add(self, ts: int, writes: Sequence[Any]) -> list[Revision]:
        """Takes a commit as `CommitTail` tells it; answers its new revisions."""
        changes: list[tuple[Revision | None, Sequence[Any]]] = []
        new: list[Revision] = []
        size = 0
        for _, id, content, entries in writes:
            revision = None
            if content is not None:
                number, document_size, raw = content
                size += len(raw)
                revision = Revision(id, ts, raw.encode(), document_size, number)
                new.append(revision)
            changes.append((revision, entries))
        self._commits.append(_Commit(ts, changes, size))
        self._newest_ts = ts
        self.bytes += size
        return new

    def _index(self, index_id: int) -> _LaidOut:
        """An index, with all commits laid out."""
        index = self._indexes.get(index_id)
        if index is None:
            index = self._indexes[index_id] = _LaidOut()
        elif index.through == self._newest_ts:
            return index
        later: list[_Commit] = []
        for commit in reversed(self._commits):
            if commit.ts <= index.through:
                break
            later.append(commit)
        for commit in reversed(later):
            ts = commit.ts
            touched: list[bytes] = []
            for revision, entries in commit.changes:
                for entry_of, old, now in entries:
                    if entry_of != index_id:
                        continue
                    if old is not None and old != now:
                        key = a2b_base64(old)
                        index.put(key, (ts, None))
                        touched.append(key)
                    if now is not None:
                        key = a2b_base64(now)
                        index.put(key, (ts, revision))
                        touched.append(key)
            if touched:
                index.touched.append((ts, touched))
        index.through = self._newest_ts
        return index

    def forget_through(self, ts: int) -> None:
        """Drops the commits up to a timestamp: the file holds them."""
        if self._newest_ts <= ts:
            self.clear()
            return
        commits = self._commits
        while commits and commits[0].ts <= ts:
            self.bytes -= commits.popleft().bytes
        for index in self._indexes.values():
            while index.touched and index.touched[0][0] <= ts:
                index.drop(index.touched.popleft()[1], 0)

    def cut(self, ts: int) -> None:
        """Drops the commits after a timestamp, which are no more."""
        commits = self._commits
        while commits and commits[-1].ts > ts:
            self.bytes -= commits.pop().bytes
        self._newest_ts = commits[-1].ts if commits else -1
        for index in self._indexes.values():
            while index.touched and index.touched[-1][0] > ts:
                index.drop(index.touched.pop()[1][::-1], -1)
            index.through = min(index.through, self._newest_ts)

    def clear(self) -> None:
        """Forgets everything."""
        self._commits.clear()
        self._indexes.clear()
        self._newest_ts = -1
        self.bytes = 0

    def at(self, index_id: int, key: bytes, ts: int) -> Version | None:
        """The newest version of a key as of `ts`; None where no commit up to then has touched it."""
        return _as_of(self._index(index_id).versions.get(key), ts) if self._commits else None

    def touches(self, index_id: int, interval: Interval) -> bool:
        """Whether any commit has touched a key of an interval."""
        if not self._commits:
            return False
        keys = self._index(index_id).keys
        start, end = interval
        low = bisect_left(keys, start)
        return low < len(keys) and (end is None or keys[low] < end)

    def changes(self, index_id: int, interval: Interval, ts: int) -> dict[bytes, Revision | None]:
        """What the keys of an interval lead to as of `ts`, as far as commits up to then have touched them."""
        if not self._commits:
            return {}
        index = self._index(index_id)
        versions = [(key, _as_of(index.versions[key], ts)) for key in interval.among(index.keys)]
        return {key: version[1] for key, version in versions if version is not None}


def _as_of(versions: list[Version] | None, ts: int) -> Version | None:
    if versions is not None:
        for version in reversed(versions):
            if version[0] <= ts:
                return version
    return None
