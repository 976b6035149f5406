"""Subscriptions: who depends on what, and whom a commit touches.

A subscription is a read set and the timestamp it was read at (semantics 6.1). It becomes invalid with
the first commit after that timestamp that writes a key inside the read set, and is told so exactly once.
The cost of a commit is that of its keys and of the subscriptions it touches, however many others there are.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final, NamedTuple

from parabola.database.commits.interval_map import IntervalMap
from parabola.database.model.intervals import Intervals, ReadSet

__all__ = ["Subscriptions", "Token"]

RECENT_WRITES_AGE: Final = 300 * 10**9
"""Nanoseconds of commits kept for subscriptions that come late (semantics 6.1: 30 s to 300 s)."""

RECENT_WRITES_BYTES: Final = 50 * 1024 * 1024
"""Memory for these commits; beyond it the oldest are forgotten (semantics 6.1)."""

_COMMIT_OVERHEAD: Final = 600
_KEY_OVERHEAD: Final = 64
"""Bytes that remembering a commit, and each of its keys, takes besides the key's own."""

_log = logging.getLogger(__name__)


class Token:
    """One subscription. `active` until it was invalidated or dropped."""

    __slots__ = ("callback", "reads", "ts")

    def __init__(self, reads: dict[int, Intervals], ts: int, callback: Callable[[int], None]) -> None:
        # None once no commit can touch it any more.
        self.reads: dict[int, Intervals] | None = reads
        self.ts = ts
        self.callback: Callable[[int], None] | None = callback

    @property
    def active(self) -> bool:
        return self.callback is not None


class _Commit(NamedTuple):
    ts: int
    keys: dict[int, list[bytes]]
    weight: int


class Subscriptions:
    """All subscriptions of one database. Not thread-safe: it belongs to the event loop.

    `ts` is the newest commit whose writes are not going to be published: a subscription older than that, or
    older than the commits still remembered, cannot be checked and counts as invalid.
    """

    def __init__(
        self,
        ts: int = 0,
        *,
        recent_age: int = RECENT_WRITES_AGE,
        recent_bytes: int = RECENT_WRITES_BYTES,
    ) -> None:
        self._holders: dict[int, IntervalMap[Token]] = {}
        self._random = Random()
        self._recent: deque[_Commit] = deque()
        self._recent_weight = 0
        self._recent_age = recent_age
        self._recent_bytes = recent_bytes
        self._forgotten_ts = ts
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def subscribe(self, read_set: ReadSet, ts: int, callback: Callable[[int], None]) -> Token:
        """Calls `callback(invalid_ts)` once, when what was read at `ts` may no longer be so.

        `invalid_ts` is the timestamp of the first commit that touched the read set. If a published
        commit did so already, the callback runs before this returns; if too much time has passed to
        know, `invalid_ts` is `ts + 1`. The callback must not wait; it may subscribe and drop. The read
        set must not change afterwards.
        """
        reads = read_set.by_index
        token = Token(reads, ts, callback)
        invalid_ts = self.first_write(read_set, ts)
        if invalid_ts is not None:
            token.reads = None
            _fire(token, invalid_ts)
            return token
        self._count += 1
        for index_id, intervals in reads.items():
            holders = self._holders.get(index_id)
            if holders is None:
                holders = self._holders[index_id] = IntervalMap(self._random)
            for interval in intervals:
                holders.add(interval, token)
        return token

    def drop(self, token: Token) -> None:
        """Ends a subscription without calling it; again, or after it fired, does nothing."""
        token.callback = None
        self._forget(token)

    def publish(self, write_keys: Mapping[int, Iterable[bytes]], ts: int) -> None:
        """Invalidates what a commit touched.

        `write_keys` holds for each index the keys of the old and the new version of every written document.
        Commits are published in the order of their timestamps. An error in a callback is logged and does not
        keep the others from being called.
        """
        keys = {index_id: sorted(set(written)) for index_id, written in write_keys.items()}
        touched: list[Token] = []
        for index_id, written in keys.items():
            holders = self._holders.get(index_id)
            if holders is None:
                continue
            for key in written:
                for token in holders.stab(key):
                    # Removed at its first key: the other keys of a large commit do not meet it again.
                    if token.ts < ts and token.reads is not None:
                        touched.append(token)
                        self._forget(token)
        self._remember(keys, ts)
        for token in touched:
            _fire(token, ts)

    def first_write(self, read_set: ReadSet, ts: int) -> int | None:
        """Timestamp of the first published commit after `ts` that touched `read_set`; None if there is none.

        `ts + 1` if commits after `ts` have been forgotten.
        """
        if ts < self._forgotten_ts:
            return ts + 1
        reads: dict[int, Intervals] | None = None
        found: int | None = None
        for commit in reversed(self._recent):
            if commit.ts <= ts:
                break
            if reads is None:
                reads = read_set.by_index
            if _touches(commit.keys, reads):
                found = commit.ts
        return found

    def _forget(self, token: Token) -> None:
        if token.reads is None:
            return
        self._count -= 1
        for index_id, intervals in token.reads.items():
            holders = self._holders[index_id]
            for interval in intervals:
                holders.discard(interval, token)
            if not holders:
                del self._holders[index_id]
        token.reads = None

    def _remember(self, keys: dict[int, list[bytes]], ts: int) -> None:
        weight = sum([len(key) + _KEY_OVERHEAD for written in keys.values() for key in written])
        weight += _COMMIT_OVERHEAD
        self._recent.append(_Commit(ts, keys, weight))
        self._recent_weight += weight
        while self._recent_weight > self._recent_bytes or self._recent[0].ts < ts - self._recent_age:
            oldest = self._recent.popleft()
            self._recent_weight -= oldest.weight
            self._forgotten_ts = oldest.ts
            if not self._recent:
                break


def _touches(keys: dict[int, list[bytes]], reads: dict[int, Intervals]) -> bool:
    for index_id, written in keys.items():
        intervals = reads.get(index_id)
        if intervals is not None and intervals.contains_any(written):
            return True
    return False


def _fire(token: Token, ts: int) -> None:
    callback = token.callback
    if callback is None:
        return
    token.callback = None
    try:
        callback(ts)
    except Exception:
        _log.exception("a subscription's callback failed; the subscription is gone")
