"""Which of many intervals contain a key: the stabbing query behind exact invalidation.

Points live in a dict. Ranges live in a treap ordered by start in which every node knows the furthest end
below it. A subtree whose starts are all at or below the key and whose furthest end is above it holds a
match, so a query walks one path down plus the paths to its matches: O(log n) when nothing matches and
O(log n) more for each match, whatever the other ranges look like (nested, overlapping, all alike). Equal
ranges share one node. The bounds hold in expectation over the priorities, which are drawn at random and
so cannot be aimed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Generic, TypeVar

from parabola.database.model.intervals import Interval

__all__ = ["IntervalMap"]

T = TypeVar("T")


class _Node(Generic[T]):
    __slots__ = ("end", "furthest", "holders", "left", "priority", "right", "start")

    def __init__(self, start: bytes, end: bytes | None, holder: T, priority: float) -> None:
        self.start = start
        self.end = end
        # The greatest end in this subtree; None is unbounded.
        self.furthest = end
        # Most intervals have one holder, and a set takes more memory than the whole node.
        self.holders: T | set[T] = holder
        self.priority = priority
        self.left: _Node[T] | None = None
        self.right: _Node[T] | None = None


class IntervalMap(Generic[T]):
    """Non-empty intervals with the items that hold them. Items are hashable and not sets.

    `random` draws the priorities; many maps may share one.
    """

    __slots__ = ("_points", "_random", "_root")

    def __init__(self, random: Random) -> None:
        self._points: dict[bytes, T | set[T]] = {}
        self._root: _Node[T] | None = None
        self._random = random

    def __bool__(self) -> bool:
        return self._root is not None or bool(self._points)

    def add(self, interval: Interval, item: T) -> None:
        """Makes `item` hold `interval`; holding it twice is holding it once. O(log n)."""
        if interval.is_point:
            key = interval.start
            self._points[key] = _join(self._points[key], item) if key in self._points else item
            return
        node = self._find(interval)
        if node is not None:
            node.holders = _join(node.holders, item)
        else:
            start, end = interval
            self._root = _insert(self._root, _Node(start, end, item, self._random.random()))

    def discard(self, interval: Interval, item: T) -> None:
        """Ends the hold of `item` on exactly this `interval`, if there is one. O(log n)."""
        if interval.is_point:
            key = interval.start
            if key in self._points:
                rest = _leave(self._points[key], item)
                if rest:
                    self._points[key] = rest[0]
                else:
                    del self._points[key]
            return
        node = self._find(interval)
        if node is not None:
            rest = _leave(node.holders, item)
            if rest:
                node.holders = rest[0]
            else:
                self._root = _remove(self._root, node)

    def stab(self, key: bytes) -> list[T]:
        """The items that hold an interval containing `key`; one that holds several such appears as often."""
        found: list[T] = []
        if key in self._points:
            found.extend(_each(self._points[key]))
        pending = [self._root]
        while pending:
            node = pending.pop()
            while node is not None and (node.furthest is None or node.furthest > key):
                if node.start <= key:
                    if node.end is None or node.end > key:
                        found.extend(_each(node.holders))
                    pending.append(node.right)
                node = node.left
        return found

    def _find(self, interval: Interval) -> _Node[T] | None:
        start, end = interval
        node = self._root
        while node is not None and not (node.start == start and node.end == end):
            node = node.left if _precedes(start, end, node) else node.right
        return node


def _join(holders: T | set[T], item: T) -> T | set[T]:
    if isinstance(holders, set):
        holders.add(item)
        return holders
    return holders if holders == item else {holders, item}


def _leave(holders: T | set[T], item: T) -> tuple[T | set[T]] | None:
    """The holders without `item`, or None if nobody is left."""
    if isinstance(holders, set):
        holders.discard(item)
        return (holders,) if holders else None
    return None if holders == item else (holders,)


def _each(holders: T | set[T]) -> Iterator[T]:
    return iter(holders) if isinstance(holders, set) else iter((holders,))


def _precedes(start: bytes, end: bytes | None, node: _Node[T]) -> bool:
    """Order of the treap: by start, then by end with unbounded last."""
    if start != node.start:
        return start < node.start
    return end is not None and (node.end is None or end < node.end)


def _measure(node: _Node[T]) -> None:
    """Restores `furthest` of a node whose children are right."""
    furthest = node.end
    for child in (node.left, node.right):
        if furthest is None:
            break
        if child is not None and (child.furthest is None or child.furthest > furthest):
            furthest = child.furthest
    node.furthest = furthest


def _insert(root: _Node[T] | None, new: _Node[T]) -> _Node[T]:
    if root is None:
        return new
    if new.priority > root.priority:
        new.left, new.right = _split(root, new.start, new.end)
        _measure(new)
        return new
    if _precedes(new.start, new.end, root):
        root.left = _insert(root.left, new)
    else:
        root.right = _insert(root.right, new)
    if root.furthest is not None and (new.end is None or new.end > root.furthest):
        root.furthest = new.end
    return root


def _split(root: _Node[T] | None, start: bytes, end: bytes | None) -> tuple[_Node[T] | None, _Node[T] | None]:
    """The nodes before and after an interval that is not in the treap."""
    if root is None:
        return None, None
    if _precedes(start, end, root):
        before, root.left = _split(root.left, start, end)
        _measure(root)
        return before, root
    root.right, after = _split(root.right, start, end)
    _measure(root)
    return root, after


def _merge(before: _Node[T] | None, after: _Node[T] | None) -> _Node[T] | None:
    if before is None:
        return after
    if after is None:
        return before
    if before.priority > after.priority:
        before.right = _merge(before.right, after)
        _measure(before)
        return before
    after.left = _merge(before, after.left)
    _measure(after)
    return after


def _remove(root: _Node[T] | None, node: _Node[T]) -> _Node[T] | None:
    """The treap without `node`, which is in it."""
    if root is None or root is node:
        return root and _merge(root.left, root.right)
    if _precedes(node.start, node.end, root):
        root.left = _remove(root.left, node)
    else:
        root.right = _remove(root.right, node)
    _measure(root)
    return root
