"""Ranks: the order of the documents that a search finds."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Rank"]


class Rank(NamedTuple):
    """Where a document stands in the results of a search; the greater one is shown first.

    Ties of the score are broken by the creation time and then by the id (semantics 9.1). Vector searches
    have no creation time: it is 0.0.
    """

    score: float
    creation_time: float
    id: str
