"""Ranks: the order of the documents that a search finds."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["Rank", "may_reach"]

_ROUNDING: Final = 1e-9
"""How far two computations of one score may be apart, as a share of it."""


class Rank(NamedTuple):
    """Where a document stands in the results of a search; the greater one is shown first.

    Ties of the score are broken by the creation time and then by the id (semantics 9.1). Vector searches
    have no creation time: it is 0.0.
    """

    score: float
    creation_time: float
    id: str


def may_reach(rank: Rank, floor: Rank) -> bool:
    """Whether a rank is at or above another one, or may be: scores that are nearly equal were perhaps only
    rounded differently. Equal ones are, and their ties are broken.
    """
    if rank.score == floor.score:
        return rank >= floor
    return rank.score > floor.score - _ROUNDING * max(1.0, abs(floor.score))
