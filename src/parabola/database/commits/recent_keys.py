"""The keys that the newest commits wrote, in one order: a read is held against all these commits at once."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Mapping
from typing import Final

from parabola.database.model.intervals import Intervals

__all__ = ["RecentKeys"]

LEAST_COMMITS: Final = 128
"""More than are under way at a time, so that most transactions began after the oldest of them. When there are
twice as many, half of them are forgotten together."""
MOST_KEYS: Final = 64
"""Of one commit. With a larger one it begins anew: to sort its keys in takes longer than to look at them."""
LONGEST_WALK: Final = 32
"""Keys of older commits that are stepped over within one interval."""


class RecentKeys:
    """The keys of every commit after `start_ts`, for each index.

    It answers for what has read a few intervals, which is most; for all else it leaves the answer to whoever
    looks at one commit after the other.
    """

    __slots__ = ("_commits", "_written", "start_ts")

    def __init__(self, start_ts: int) -> None:
        self.start_ts = start_ts
        self._commits: deque[int] = deque()
        self._written: dict[int, tuple[list[bytes], dict[bytes, int]]] = {}
        """The keys of an index in order, and for each the newest commit that wrote it."""

    def clear(self, start_ts: int) -> None:
        """Forgets every commit up to a timestamp, which are all."""
        self.start_ts = start_ts
        self._commits.clear()
        self._written.clear()

    def append(self, ts: int, keys: dict[int, list[bytes]]) -> None:
        """Adds a commit, the newest one, with the keys it wrote in each index."""
        if sum(map(len, keys.values())) > MOST_KEYS:
            self.clear(ts)
            return
        self._commits.append(ts)
        for index_id, written in keys.items():
            if not written:
                continue
            known = self._written.get(index_id)
            if known is None:
                known = self._written[index_id] = ([], {})
            in_order, newest = known
            for key in written:
                if key not in newest:
                    insort(in_order, key)
                newest[key] = ts
        if len(self._commits) > 2 * LEAST_COMMITS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        while len(self._commits) > LEAST_COMMITS:
            self.start_ts = self._commits.popleft()
        for index_id, (_, newest) in list(self._written.items()):
            kept = {key: ts for key, ts in newest.items() if ts > self.start_ts}
            if kept:
                self._written[index_id] = (sorted(kept), kept)
            else:
                del self._written[index_id]

    def is_touched(
        self, reads: Mapping[int, Intervals], after_ts: int, besides: Collection[int] = ()
    ) -> bool | None:
        """Whether a commit after a timestamp wrote into the intervals that were read of each index, `besides`
        some that may have; None where that is not known here, or would take long to say.

        Of the keys that those have written it is enough that they were the last.
        """
        if after_ts < self.start_ts:
            return None
        for index_id, intervals in reads.items():
            known = self._written.get(index_id)
            if known is None:
                continue
            in_order, newest = known
            length = len(in_order)
            if len(intervals) > length:
                return None
            for start, end in intervals.bounds():
                at = bisect_left(in_order, start)
                last = min(at + LONGEST_WALK, length)
                while at < last:
                    key = in_order[at]
                    if end is not None and key >= end:
                        break
                    if newest[key] > after_ts and newest[key] not in besides:
                        return True
                    at += 1
                else:
                    if at < length:
                        return None
        return False
