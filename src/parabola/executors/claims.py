"""Which runs of one host will write the same, before any of them has read it.

Runs of a chain begin together where nobody knows that they compete. Behind a relay the later one would then
read what the earlier one is about to write, and be lost with all that are built upon it. That two of them
begin with the same read, and write what it answers, is known when they come (`habits`).
"""

from __future__ import annotations

from collections.abc import Hashable, Set

__all__ = ["Claims"]


class Claims:
    """The runs under way, by the reads whose answers they will write."""

    __slots__ = ("_by_claim", "_of_runs")

    def __init__(self) -> None:
        self._by_claim: dict[Hashable, set[int]] = {}
        self._of_runs: dict[int, Set[Hashable]] = {}

    def take(self, run: int, claims: Set[Hashable]) -> set[int]:
        """A run comes that has these claims: the others that have one of them, after which it begins."""
        after: set[int] = set()
        for each in claims:
            runs = self._by_claim.setdefault(each, set())
            after |= runs
            runs.add(run)
        if claims:
            self._of_runs[run] = claims
        return after

    def leave(self, run: int) -> None:
        """A run has ended, or is not wanted any more."""
        for each in self._of_runs.pop(run, ()):
            runs = self._by_claim[each]
            runs.discard(run)
            if not runs:
                self._by_claim.pop(each)

    def clear(self) -> None:
        """Nobody claims anything."""
        self._by_claim.clear()
        self._of_runs.clear()
