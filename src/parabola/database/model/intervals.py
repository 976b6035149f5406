"""Intervals of index keys, and the read set that is made of them.

A read set is what a transaction depends on: for each index, the parts of its key space that were looked at,
whether or not a document was there. A commit that writes a key inside any of them conflicts with the
transaction and invalidates every subscription that holds the read set (semantics 5.1, 6.1). What was read of
derived indexes are the searches (`searches`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from parabola.database.model.searches import OpenSearch, SearchRead

__all__ = ["Interval", "Intervals", "OpenRead", "ReadSet"]


class Interval(NamedTuple):
    """The keys `k` with `start <= k`, and `k < end` unless `end` is None, which means unbounded above."""

    start: bytes
    end: bytes | None

    @classmethod
    def point(cls, key: bytes) -> Interval:
        """Exactly one key: `key + 00` is the next possible byte string after `key`."""
        return cls(key, key + b"\x00")

    @classmethod
    def everything(cls) -> Interval:
        return cls(b"", None)

    @property
    def is_empty(self) -> bool:
        return self.end is not None and self.end <= self.start

    @property
    def is_point(self) -> bool:
        end = self.end
        return (
            end is not None
            and len(end) == len(self.start) + 1
            and end[-1] == 0
            and end.startswith(self.start)
        )

    def contains(self, key: bytes) -> bool:
        return self.start <= key and (self.end is None or key < self.end)

    def among(self, keys: list[bytes]) -> list[bytes]:
        """Those of `keys`, which must be sorted, that lie in it."""
        start, end = self
        return keys[bisect_left(keys, start) : len(keys) if end is None else bisect_left(keys, end)]

    def overlaps(self, other: Interval) -> bool:
        """True if some key lies in both."""
        if self.is_empty or other.is_empty:
            return False
        return (other.end is None or self.start < other.end) and (self.end is None or other.start < self.end)

    def before(self, key: bytes) -> Interval:
        """The part below `key`."""
        return Interval(self.start, key if self.end is None else max(self.start, min(self.end, key)))

    def through(self, key: bytes) -> Interval:
        """The part up to and including `key`."""
        return self.before(key + b"\x00")

    def starting_at(self, key: bytes) -> Interval:
        """The part from `key` on, including it."""
        start = max(self.start, key)
        return Interval(start if self.end is None else min(start, self.end), self.end)

    def after(self, key: bytes) -> Interval:
        """The part above `key`, excluding it."""
        return self.starting_at(key + b"\x00")


class Intervals:
    """A set of keys held as sorted, disjoint, merged intervals: neighbours that touch become one."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[bytes] = []
        # Parallel to _starts; None can only be the last one.
        self._ends: list[bytes | None] = []

    @classmethod
    def between(cls, starts: list[bytes], ends: list[bytes | None]) -> Intervals:
        """Those between these bounds, which are as they are to be and belong to the set from then on."""
        intervals = cls.__new__(cls)
        intervals._starts = starts
        intervals._ends = ends
        return intervals

    def add(self, interval: Interval) -> None:
        """Adds every key of `interval`; an empty interval adds nothing."""
        self.add_between(*interval)

    def add_between(self, start: bytes, end: bytes | None) -> None:
        """The same by the bounds of an interval."""
        if end is not None and end <= start:
            return
        starts, ends = self._starts, self._ends
        low = bisect_right(starts, start)
        if low:
            reach = ends[low - 1]
            if reach is None or (end is not None and end <= reach):
                return
            if reach >= start:
                low -= 1
                start = starts[low]
        high = len(starts) if end is None else bisect_right(starts, end)
        if high > low:
            reach = ends[high - 1]
            if end is not None and (reach is None or reach > end):
                end = reach
        starts[low:high] = [start]
        ends[low:high] = [end]

    def contains(self, key: bytes) -> bool:
        at = bisect_right(self._starts, key)
        if not at:
            return False
        end = self._ends[at - 1]
        return end is None or key < end

    def overlaps(self, interval: Interval) -> bool:
        """True if some key of `interval` is in the set."""
        if interval.is_empty:
            return False
        before = len(self._starts) if interval.end is None else bisect_left(self._starts, interval.end)
        if not before:
            return False
        reach = self._ends[before - 1]
        return reach is None or reach > interval.start

    def contains_any(self, keys: list[bytes]) -> bool:
        """True if one of `keys`, which must be sorted, is in the set. Costs the shorter one, times a log."""
        if len(keys) <= len(self._starts):
            return any(map(self.contains, keys))
        for start, end in zip(self._starts, self._ends, strict=True):
            at = bisect_left(keys, start)
            if at < len(keys) and (end is None or keys[at] < end):
                return True
        return False

    def bounds(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Start and end of each interval, in order."""
        return zip(self._starts, self._ends, strict=True)

    def copy(self) -> Intervals:
        other = Intervals()
        other._starts = self._starts.copy()
        other._ends = self._ends.copy()
        return other

    def __iter__(self) -> Iterator[Interval]:
        return map(Interval, self._starts, self._ends)

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Intervals):
            return NotImplemented
        return self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Intervals({list(self)!r})"


_NEW: Final = object.__new__


class OpenRead:
    """A read in progress: the one interval of a stream, which grows with every row and may be trimmed.

    It belongs to its read set from the start, so that forgetting to close a stream can only make the read set
    too large, never too small.
    """

    __slots__ = ("index_id", "interval")

    def __init__(self, index_id: int, interval: Interval | None = None) -> None:
        self.index_id = index_id
        self.interval = interval


class ReadSet:
    """What a transaction read: for each index the intervals of keys it looked at, and its searches."""

    __slots__ = ("_by_index", "_count", "_open", "_open_searches", "_searches")

    def __init__(self) -> None:
        self._by_index: dict[int, Intervals] = {}
        self._open: list[OpenRead] = []
        self._searches: list[SearchRead] = []
        self._open_searches: list[OpenSearch] = []
        self._count = 0

    @property
    def by_index(self) -> dict[int, Intervals]:
        """Index id -> intervals, reads in progress included. Not to be changed by the caller."""
        if self._open_searches:
            return self.copy()._by_index
        settled = self._by_index
        if not self._open:
            return settled
        by_index = settled.copy()
        for read in self._open:
            interval = read.interval
            if interval is None or interval.is_empty:
                continue
            intervals = by_index.get(read.index_id)
            if intervals is None:
                by_index[read.index_id] = Intervals.between([interval.start], [interval.end])
                continue
            if intervals is settled.get(read.index_id):
                intervals = by_index[read.index_id] = intervals.copy()
            intervals.add_between(*interval)
        return by_index

    def bounds(self) -> list[tuple[int, list[bytes], list[bytes | None]]]:
        """Of each index the starts and the ends of its intervals. Not to be changed by the caller."""
        return [
            (index_id, intervals._starts, intervals._ends) for index_id, intervals in self.by_index.items()
        ]

    @property
    def searches(self) -> list[SearchRead]:
        """The searches, those in progress included. Not to be changed by the caller."""
        if not self._open_searches:
            return self._searches
        under_way = [search.read for search in self._open_searches if search.read is not None]
        return [*self._searches, *under_way]

    @property
    def count(self) -> int:
        """Number of intervals; a read in progress counts as one, and so does a search."""
        return self._count + len(self._open) + len(self._searches) + len(self._open_searches)

    def record(self, index_id: int, interval: Interval) -> int:
        """Adds an interval; how many more there are then. Where some become one it is less than 0."""
        return self.record_between(index_id, *interval)

    def record_between(self, index_id: int, start: bytes, end: bytes | None) -> int:
        """The same by the bounds of an interval."""
        if end is not None and end <= start:
            return 0
        intervals = self._by_index.get(index_id)
        if intervals is None:
            self._by_index[index_id] = Intervals.between([start], [end])
            self._count += 1
            return 1
        before = len(intervals._starts)
        intervals.add_between(start, end)
        grown = len(intervals._starts) - before
        self._count += grown
        return grown

    def record_bounds(self, reads: Iterable[tuple[int, list[bytes], list[bytes | None]]]) -> None:
        """Adds what another read set has for its `bounds`; the lists belong to this one then."""
        by_index = self._by_index
        for index_id, starts, ends in reads:
            if len(starts) == len(ends) == 1 and index_id not in by_index:
                end = ends[0]
                if end is None or end > starts[0]:
                    intervals = by_index[index_id] = _NEW(Intervals)  # `between`, without its call
                    intervals._starts = starts
                    intervals._ends = ends
                    self._count += 1
                    continue
            self.record_all(index_id, starts, ends)

    def record_all(self, index_id: int, starts: list[bytes], ends: list[bytes | None]) -> None:
        """Adds the intervals between these bounds, pair by pair; the lists belong to the read set then."""
        if index_id not in self._by_index and _are_apart(starts, ends):
            self._by_index[index_id] = Intervals.between(starts, ends)
            self._count += len(starts)
            return
        for start, end in zip(starts, ends, strict=True):
            self.record_between(index_id, start, end)

    def open(self, index_id: int, interval: Interval | None = None) -> OpenRead:
        """Starts a read whose interval is set, widened or trimmed until `close`."""
        read = OpenRead(index_id, interval)
        self._open.append(read)
        return read

    def close(self, read: OpenRead) -> None:
        """Makes `read` a plain recorded interval; later changes of it have no effect."""
        for at, candidate in enumerate(self._open):
            if candidate is read:
                del self._open[at]
                if read.interval is not None:
                    self.record(read.index_id, read.interval)
                return

    def record_search(self, read: SearchRead) -> None:
        """Adds a search whose results were all read."""
        self._searches.append(read)

    def open_search(self, tablet_id: int) -> OpenSearch:
        """Starts a search in a table, whose reading is set anew until `close_search`."""
        search = OpenSearch(tablet_id)
        self._open_searches.append(search)
        return search

    def close_search(self, search: OpenSearch) -> None:
        """Makes what `search` has read final."""
        for at, candidate in enumerate(self._open_searches):
            if candidate is search:
                del self._open_searches[at]
                self._record_search(search)
                return

    def _record_search(self, search: OpenSearch) -> None:
        if search.read is not None:
            self._searches.append(search.read)
        for key in search.keys:
            self.record(search.tablet_id, Interval.point(key))

    def contains(self, index_id: int, key: bytes) -> bool:
        intervals = self._by_index.get(index_id)
        if intervals is not None and intervals.contains(key):
            return True
        if any(search.tablet_id == index_id and key in search.keys for search in self._open_searches):
            return True
        return any(
            read.index_id == index_id and read.interval is not None and read.interval.contains(key)
            for read in self._open
        )

    def copy(self) -> ReadSet:
        """An independent read set with the same keys, nothing in progress."""
        other = ReadSet()
        other._by_index = {index_id: intervals.copy() for index_id, intervals in self._by_index.items()}
        other._count = self._count
        other._searches = self._searches.copy()
        for read in self._open:
            if read.interval is not None:
                other.record(read.index_id, read.interval)
        for search in self._open_searches:
            other._record_search(search)
        return other

    def merge(self, other: ReadSet) -> None:
        """Adds everything `other` has read."""
        for index_id, intervals in other.by_index.items():
            for interval in intervals:
                self.record(index_id, interval)
        self._searches += other.searches

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReadSet):
            return NotImplemented
        return self.by_index == other.by_index and self.searches == other.searches

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ReadSet({self.by_index!r})"


def _are_apart(starts: list[bytes], ends: list[bytes | None]) -> bool:
    """Whether the intervals between these bounds are as `Intervals` has them: ascending, none that touches
    the next one or is empty.
    """
    reach: bytes | None = b""
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if reach is None or (at and reach >= start) or (end is not None and end <= start):
            return False
        reach = end
    return bool(starts)
