"""How long something took, as counts in fixed buckets: cheap to add, to merge and to keep."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["BOUNDS", "Latencies"]

BOUNDS: Final[Sequence[float]] = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
"""The upper ends of the buckets in seconds; one more holds what took longer."""


class Latencies:
    """A histogram of durations, with their number and sum."""

    __slots__ = ("counts", "number", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.number = 0
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.number += 1
        self.seconds += seconds

    @classmethod
    def merged(cls, parts: Iterable[Latencies]) -> Latencies:
        """All that is in any of them."""
        whole = cls()
        for part in parts:
            whole.counts = [one + other for one, other in zip(whole.counts, part.counts, strict=True)]
            whole.number += part.number
            whole.seconds += part.seconds
        return whole

    def percentile(self, percent: float) -> float | None:
        """The duration in seconds that so many of a hundred did not exceed, None without any. Within a bucket
        they are taken to be spread evenly; what took longer than all buckets took as long as the last one.
        """
        if self.number == 0:
            return None
        wanted = percent / 100 * self.number
        passed = 0.0
        for place, count in enumerate(self.counts[:-1]):
            if count and passed + count >= wanted:
                low = BOUNDS[place - 1] if place else 0.0
                return low + (BOUNDS[place] - low) * max(0.0, wanted - passed) / count
            passed += count
        return BOUNDS[-1]
