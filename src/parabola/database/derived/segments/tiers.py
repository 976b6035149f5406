"""Which segments to write anew, so that there are few of them and little that is dead in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["SegmentSize", "Tiers"]

_TOGETHER: Final = 4
"""Segments of one tier that become one."""
_DEAD_SHARE: Final = 4
"""A segment is written anew when more than one slot in so many is dead."""


class SegmentSize(NamedTuple):
    """Slots of a segment, how many of them nobody can see any more, and its bytes."""

    slots: int
    dead: int
    nbytes: int


class Tiers(NamedTuple):
    """Segments begin with up to `smallest` slots and grow to `largest`, or to `largest_bytes`.

    Four of about one size become one, so that each document is written again a few times at most. What is
    larger than half the largest stays as it is.
    """

    smallest: int
    largest: int
    largest_bytes: int

    def due(self, sizes: Sequence[SegmentSize]) -> list[int] | None:
        """The segments, by their places, to be made one; None if there is nothing to do."""
        for place, size in enumerate(sizes):
            if size.dead * _DEAD_SHARE > size.slots:
                return [place]
        tiers: defaultdict[int, list[int]] = defaultdict(list)
        for place, size in enumerate(sizes):
            if 2 * size.slots <= self.largest and 2 * size.nbytes <= self.largest_bytes:
                tiers[self._tier(size)].append(place)
        for _, places in sorted(tiers.items()):
            group = self._first_that_fit(places, sizes)
            if len(group) >= _TOGETHER or 1 < len(group) < len(places):
                return group
        return None

    def _tier(self, size: SegmentSize) -> int:
        tier, slots = 0, size.slots - size.dead
        while slots > self.smallest:
            slots //= _TOGETHER
            tier += 1
        return tier

    def _first_that_fit(self, places: list[int], sizes: Sequence[SegmentSize]) -> list[int]:
        """As many segments of a tier as go into one, in order."""
        slots = nbytes = 0
        group: list[int] = []
        for place in places:
            slots += sizes[place].slots
            nbytes += sizes[place].nbytes
            if slots > self.largest or nbytes > self.largest_bytes:
                break
            group.append(place)
        return group
