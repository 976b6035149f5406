"""Which runs of a chain have to wait for others of the same host, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

__all__ = ["ChainLine"]

T = TypeVar("T")


class ChainLine(Generic[T]):
    """Runs wait until those have ended that they come after; whoever is waiting is kept here, as a `T`."""

    __slots__ = ("_under_way", "_waiting")

    def __init__(self) -> None:
        self._under_way: set[int] = set()
        """Those that have not ended, also those that wait."""
        self._waiting: dict[int, tuple[Sequence[int], T]] = {}

    def enter(self, run: int, after: Sequence[int], waiting: T) -> bool:
        """A run comes: whether it may begin. If not, `left` hands `waiting` out again."""
        under_way = self._under_way
        must_wait = bool(under_way) and not under_way.isdisjoint(after)
        under_way.add(run)
        if must_wait:
            self._waiting[run] = (after, waiting)
        return not must_wait

    def left(self, run: int) -> list[T]:
        """A run has ended, or is not wanted any more: who may begin now, in the order in which they came."""
        self._under_way.discard(run)
        self._waiting.pop(run, None)
        if not self._waiting:
            return []
        free = [id for id, (after, _) in self._waiting.items() if self._under_way.isdisjoint(after)]
        return [self._waiting.pop(id)[1] for id in free]

    def has(self, run: int) -> bool:
        """Whether a run is under way, or waits."""
        return run in self._under_way

    def oldest(self, otherwise: int) -> int:
        """The first of the runs that wait."""
        return next(iter(self._waiting), otherwise)

    def clear(self) -> None:
        """Nobody waits, and nothing is under way."""
        self._under_way.clear()
        self._waiting.clear()
