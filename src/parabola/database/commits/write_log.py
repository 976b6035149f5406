"""The recent commits in memory, against which transactions and late subscriptions are checked."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from parabola.database.commits.recent_keys import RecentKeys
from parabola.database.commits.write_set import WriteSet
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import ReadSet
from parabola.database.model.searches import SearchedChange, SearchRead
from parabola.database.settings import DatabaseSettings

__all__ = ["LoggedCommit", "Touched", "WriteLog", "newest_touching"]

MAX_AGE: Final = 300 * 10**9
"""Nanoseconds a commit is remembered (semantics 6.1)."""

_COMMIT_OVERHEAD: Final = 600
_KEY_OVERHEAD: Final = 64
_CHANGE_OVERHEAD: Final = 400

SEARCHED_BYTES: Final = 4 * 1024 * 1024
"""Documents of so many bytes are remembered with their words, which take about fifteen times as much."""


class LoggedCommit(NamedTuple):
    """The part of a commit that later checks need."""

    ts: int
    source: str
    keys: dict[int, list[bytes]]
    deltas: dict[int, int]
    weight: int
    searched: Sequence[SearchedChange] = ()


class Touched(NamedTuple):
    """A commit that wrote into a read set, and the first index and key where it did.

    Of a derived index, which has no keys, it is the document's key in `by_id`.
    """

    commit: LoggedCommit
    index_id: int
    key: bytes


class WriteLog:
    """Commits in ascending order of their timestamps; the oldest are dropped by age, and earlier when they
    take more than `max_bytes` of memory (semantics 6.1).

    `start_ts` is the newest commit that is not in the log: a snapshot older than that cannot be checked.
    """

    def __init__(
        self, start_ts: int, *, max_age: int = MAX_AGE, max_bytes: int = DatabaseSettings.recent_commits_bytes
    ) -> None:
        self.start_ts = start_ts
        self._commits: deque[LoggedCommit] = deque()
        self._recent = RecentKeys(start_ts)
        self._bytes = 0
        # The newest commits with documents that derived indexes have, and the weight of these documents.
        self._searched: deque[tuple[LoggedCommit, int]] = deque()
        self._searched_bytes = 0
        self._max_age = max_age
        self._max_bytes = max_bytes

    def append(self, write_set: WriteSet) -> None:
        weight = _COMMIT_OVERHEAD + sum(
            [len(key) + _KEY_OVERHEAD for keys in write_set.keys.values() for key in keys]
        )
        searched = write_set.searched
        searched_weight = sum([change.weight + _CHANGE_OVERHEAD for change in searched]) if searched else 0
        weight += searched_weight
        deltas = write_set.count_deltas()
        commit = LoggedCommit(write_set.ts, write_set.source, write_set.keys, deltas, weight, searched)
        self._commits.append(commit)
        self._recent.append(commit.ts, commit.keys)
        self._bytes += weight
        if searched:
            self._searched.append((commit, searched_weight))
            self._searched_bytes += searched_weight
        while self._bytes > self._max_bytes or self._commits[0].ts < write_set.ts - self._max_age:
            oldest = self._commits.popleft()
            self._bytes -= oldest.weight
            self.start_ts = oldest.ts
            if not self._commits:
                break

    def forget_through(self, ts: int, at_most: int) -> bool:
        """Drop the oldest commits up to a timestamp, so many of them; whether there are more."""
        while self._commits and self._commits[0].ts <= ts:
            if not at_most:
                return True
            at_most -= 1
            oldest = self._commits.popleft()
            self._bytes -= oldest.weight
            self.start_ts = oldest.ts
        if not self._commits:
            self._recent.clear(self.start_ts)
        return False

    def published(self, ts: int) -> None:
        """The commits up to a timestamp are known to all: of those before it only the last few are held
        against searches again, mostly, and what derived indexes keep of the others is found anew.
        """
        while self._searched_bytes > SEARCHED_BYTES and self._searched[0][0].ts < ts:
            commit, weight = self._searched.popleft()
            self._searched_bytes -= weight
            for change in commit.searched:
                change.release()

    def first_touching(
        self, read_set: ReadSet, after_ts: int, besides: Collection[int] = ()
    ) -> Touched | None:
        """The newest commit after a timestamp, `besides` some, that wrote into the read set."""
        if not read_set.searches and self._recent.is_touched(read_set.by_index, after_ts, besides) is False:
            return None
        commits: Iterable[LoggedCommit] = reversed(self._commits)
        if besides:
            commits = (commit for commit in commits if commit.ts not in besides)
        return newest_touching(commits, read_set, after_ts)

    def holds(self, ts: int) -> bool:
        """Whether the commit at a timestamp after `start_ts` stands."""
        for commit in reversed(self._commits):
            if commit.ts <= ts:
                return commit.ts == ts
        return False

    def touching_at(self, read_set: ReadSet, ts: int) -> Touched | None:
        """Where the commit at a timestamp wrote into the read set; None where it did not, or is forgotten."""
        for commit in reversed(self._commits):
            if commit.ts <= ts:
                return newest_touching([commit], read_set, ts - 1)
        return None

    def first_between(self, read_set: ReadSet, after_ts: int, through_ts: int) -> int | None:
        """The oldest commit after one timestamp and up to another that wrote into the read set."""
        reads = None
        found: int | None = None
        for commit in reversed(self._commits):
            if commit.ts <= after_ts:
                break
            if commit.ts > through_ts:
                continue
            if reads is None:
                reads, searches = read_set.by_index, _by_index(read_set)
            if any(
                reads[index].contains_any(commit.keys[index]) for index in commit.keys.keys() & reads.keys()
            ) or (commit.searched and searches and _touched(commit.searched, searches)):
                found = commit.ts
        return found

    def delta_after(self, tablet_id: int, ts: int) -> int:
        """How many documents a table has gained since a timestamp."""
        total = 0
        for commit in reversed(self._commits):
            if commit.ts <= ts:
                break
            total += commit.deltas.get(tablet_id, 0)
        return total

    def drop_after(self, ts: int) -> list[LoggedCommit]:
        """Takes back the commits after a timestamp; returns them, newest first."""
        dropped = []
        while self._commits and self._commits[-1].ts > ts:
            commit = self._commits.pop()
            self._bytes -= commit.weight
            dropped.append(commit)
        if dropped:
            self._recent.clear(self._commits[-1].ts if self._commits else self.start_ts)
        while self._searched and self._searched[-1][0].ts > ts:
            self._searched_bytes -= self._searched.pop()[1]
        return dropped


def newest_touching(commits: Iterable[LoggedCommit], read_set: ReadSet, after_ts: int) -> Touched | None:
    """The newest of some commits, which come newest first, that wrote into a read set after a timestamp."""
    reads = None
    for commit in commits:
        if commit.ts <= after_ts:
            return None
        if reads is None:
            reads, searches = read_set.by_index, _by_index(read_set)
        for index_id in commit.keys.keys() & reads.keys():
            intervals, keys = reads[index_id], commit.keys[index_id]
            if intervals.contains_any(keys):
                return Touched(commit, index_id, next(k for k in keys if intervals.contains(k)))
        if commit.searched and searches and (found := _touched(commit.searched, searches)):
            return Touched(commit, *found)
    return None


def _by_index(read_set: ReadSet) -> dict[int, list[SearchRead]] | None:
    """The searches of a read set by their index; None without any."""
    if not read_set.searches:
        return None
    by_index = defaultdict(list)
    for read in read_set.searches:
        by_index[read.index_id].append(read)
    return by_index


def _touched(
    changes: Sequence[SearchedChange], searches: dict[int, list[SearchRead]]
) -> tuple[int, bytes] | None:
    """The first index of which a change touches a search, and the key of the document."""
    for change in changes:
        for index_id in change.index_ids:
            for read in searches.get(index_id, ()):
                if change.touches(read):
                    return index_id, id_key(change.id)
    return None
