"""Commits that were validated and then taken back, and the executions that may have read them.

An execution begins at the newest validated commit, which may still be taken back: because the disk did not
take it, or because another node's entry of the shared log came first. What it has read is right all the same
where none of the commits that are no more wrote into its read set: then it has read the state that was kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from parabola.database.commits.write_log import LoggedCommit, Touched, newest_touching
from parabola.database.model.intervals import ReadSet

__all__ = ["Forgotten", "TakenBack"]

REMEMBERED: Final = 1000
"""Times of taking back of which the commits are remembered."""
REMEMBERED_BYTES: Final = 16 * 1024 * 1024
"""Of memory for them."""
LOST_STRETCHES: Final = 10_000
"""Stretches of time of which it is remembered that their commits are no more."""


class Forgotten(Exception):
    """What was taken back is not remembered any more."""


class _TakenBack(NamedTuple):
    kept_ts: int
    commits: Sequence[LoggedCommit]
    weight: int


class TakenBack:
    """What was taken back, by generations: the first is from the start to the first time, and so on."""

    def __init__(self) -> None:
        self.generation = 0
        """The present one."""
        self._times: deque[_TakenBack] = deque()
        self._bytes = 0
        self._lost: list[tuple[int, int]] = []
        """After which timestamps, up to which ones, commits are no more: in order, and apart."""
        self._unknown_through = 0
        """Up to here that is not remembered."""

    def add(self, kept_ts: int, newest_ts: int, commits: Sequence[LoggedCommit]) -> None:
        """The commits after `kept_ts`, newest first, are no more: up to `newest_ts`, which was the newest
        timestamp. A new generation begins.
        """
        lost = self._lost
        while lost and lost[-1][0] >= kept_ts:
            newest_ts = max(newest_ts, lost.pop()[1])
        lost.append((kept_ts, newest_ts))
        if len(lost) > LOST_STRETCHES:
            self._unknown_through = lost.pop(0)[1]
        weight = sum(commit.weight for commit in commits)
        self._times.append(_TakenBack(kept_ts, commits, weight))
        self._bytes += weight
        self.generation += 1
        while len(self._times) > REMEMBERED or (self._bytes > REMEMBERED_BYTES and len(self._times) > 1):
            self._bytes -= self._times.popleft().weight

    def includes(self, ts: int) -> bool:
        """Whether the commit at a timestamp is no more. Of one from so long ago that this is not remembered
        it is said as well.
        """
        if ts <= self._unknown_through:
            return True
        at = bisect_left(self._lost, ts, key=itemgetter(1))
        return at < len(self._lost) and self._lost[at][0] < ts

    def snapshot_of(self, read_set: ReadSet, begin_ts: int, generation: int) -> int | Touched:
        """The timestamp at which a read set is what was read since a generation at `begin_ts`.

        That is `begin_ts` itself if no commit up to there was taken back. Where one was that wrote into the
        read set, it is told instead. Raises `Forgotten`.
        """
        since = generation - (self.generation - len(self._times))
        if since < 0:
            raise Forgotten
        ts = begin_ts
        for at in range(since, len(self._times)):
            kept_ts, commits, _ = self._times[at]
            if kept_ts >= ts:
                continue
            read = (commit for commit in commits if commit.ts <= begin_ts)
            touched = newest_touching(read, read_set, kept_ts)
            if touched is not None:
                return touched
            ts = kept_ts
        return ts
