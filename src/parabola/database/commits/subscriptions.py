"""Subscriptions: who depends on what, and whom a commit touches.

A subscription is a read set and the timestamp it was read at (semantics 6.1). It becomes invalid with
the first commit after that timestamp that writes a key inside the read set, and is told so exactly once.
The cost of a commit is that of its keys and of the subscriptions it touches, however many others there are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Final

from parabola.database.commits.interval_map import IntervalMap
from parabola.database.commits.write_log import WriteLog
from parabola.database.model.intervals import Intervals, ReadSet
from parabola.database.model.searches import SearchedChange, SearchRead, SearchWatchers

__all__ = ["Subscriptions", "Token"]

_log: Final = logging.getLogger(__name__)


class Token:
    """One subscription. `active` until it was invalidated or dropped."""

    __slots__ = ("callback", "holder", "reads", "searches", "ts")

    def __init__(
        self,
        reads: dict[int, Intervals],
        searches: Sequence[SearchRead],
        ts: int,
        callback: Callable[[int], None],
        holder: object = None,
    ) -> None:
        # None once no commit can touch it any more.
        self.reads: dict[int, Intervals] | None = reads
        self.searches = searches
        self.ts = ts
        self.callback: Callable[[int], None] | None = callback
        self.holder = holder
        """Whose it is, for who asks whom a commit will touch."""

    @property
    def active(self) -> bool:
        return self.callback is not None


class Subscriptions:
    """All subscriptions of one database. Not thread-safe: it belongs to the event loop.

    `log` holds the recent commits, published or not: a subscription older than them cannot be checked and
    counts as invalid.
    """

    def __init__(self, log: WriteLog) -> None:
        self._holders: dict[int, IntervalMap[Token]] = {}
        self._watchers: dict[int, SearchWatchers[Token]] = {}
        self._random = Random()
        self._log = log
        self._published_ts = log.start_ts
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def subscribe(
        self, read_set: ReadSet, ts: int, callback: Callable[[int], None], holder: object = None
    ) -> Token:
        """Calls `callback(invalid_ts)` once, when what was read at `ts` may no longer be so.

        `invalid_ts` is the timestamp of the first commit that touched the read set. If a published
        commit did so already, the callback runs before this returns; if too much time has passed to
        know, `invalid_ts` is `ts + 1`. The callback must not wait; it may subscribe and drop. The read
        set must not change afterwards.
        """
        reads = read_set.by_index
        token = Token(reads, read_set.searches, ts, callback, holder)
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
        for read in token.searches:
            watchers = self._watchers.get(read.index_id)
            if watchers is None:
                watchers = self._watchers[read.index_id] = read.watchers()
            watchers.add(read, token)
        return token

    def drop(self, token: Token) -> None:
        """Ends a subscription without calling it; again, or after it fired, does nothing."""
        token.callback = None
        self._forget(token)

    def publish(
        self, write_keys: Mapping[int, Iterable[bytes]], ts: int, searched: Sequence[SearchedChange] = ()
    ) -> None:
        """Invalidates what a commit touched, which is in the log.

        `write_keys` holds for each index the keys of the old and the new version of every written document,
        `searched` the documents that derived indexes have.
        Commits are published in the order of their timestamps. An error in a callback is logged and does not
        keep the others from being called.
        """
        touched: list[Token] = []
        for token in self._reading(write_keys, ts):
            # Removed at its first key: the other keys of a large commit do not meet it again.
            touched.append(token)
            self._forget(token)
        if searched and self._watchers:
            touched += self._searching(searched, ts)
        self._published_ts = ts
        for token in touched:
            _fire(token, ts)

    def holders_of(self, write_keys: Mapping[int, Iterable[bytes]], ts: int) -> Iterator[object]:
        """The holders of those that `publish` will invalidate for these keys; some come several times. Nobody
        is told.
        """
        for token in self._reading(write_keys, ts):
            if token.holder is not None:
                yield token.holder

    def _reading(self, write_keys: Mapping[int, Iterable[bytes]], ts: int) -> Iterator[Token]:
        """Those older than `ts` that have read one of these keys, some several times. Who is forgotten
        meanwhile comes no more.
        """
        for index_id, written in write_keys.items():
            holders = self._holders.get(index_id)
            if holders is None:
                continue
            for key in written:
                for token in holders.stab(key):
                    if token.ts < ts and token.reads is not None:
                        yield token

    def _searching(self, searched: Sequence[SearchedChange], ts: int) -> list[Token]:
        """Those whose searches a commit touches; they are forgotten."""
        touched: list[Token] = []
        for change in searched:
            for index_id in change.index_ids:
                for entry in change.entries(index_id) if index_id in self._watchers else ():
                    watchers = self._watchers.get(index_id)
                    if entry is None or watchers is None:
                        continue
                    for token in list(watchers.touched(change.id, entry)):
                        if token.ts < ts and token.reads is not None:
                            touched.append(token)
                            self._forget(token)
        return touched

    def watches(self, index_ids: Iterable[int]) -> bool:
        """Whether searches of any of these derived indexes are live."""
        return any(index_id in self._watchers for index_id in index_ids)

    def first_write(self, read_set: ReadSet, ts: int) -> int | None:
        """Timestamp of the first published commit after `ts` that touched `read_set`; None if there is none.

        `ts + 1` if commits after `ts` have been forgotten.
        """
        if ts < self._log.start_ts:
            return ts + 1
        return self._log.first_between(read_set, ts, self._published_ts)

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
        for read in token.searches:
            watchers = self._watchers[read.index_id]
            watchers.discard(read, token)
            if not len(watchers):
                del self._watchers[read.index_id]
        token.reads, token.searches = None, ()


def _fire(token: Token, ts: int) -> None:
    callback = token.callback
    if callback is None:
        return
    token.callback = None
    try:
        callback(ts)
    except Exception:
        _log.exception("a subscription's callback failed; the subscription is gone")
