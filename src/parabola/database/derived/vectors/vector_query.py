"""What is asked of a vector index, and what one document is worth to it (search 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.entries import VectorEntry, unit_vector
from parabola.database.derived.filters import FilterExpression, matches
from parabola.database.derived.ranks import Rank
from parabola.values.errors import BadRequest

__all__ = ["VectorQuery", "VectorResult", "similarities"]


@dataclass(frozen=True, slots=True, eq=False)
class VectorQuery:
    """The vectors nearest to one, of length 1 or zero. A zero vector is equally far from all: score 0.

    `minimum_score` is the least cosine that is shown, None for any.
    """

    vector: NDArray[np.float32]
    filter: FilterExpression | None = None
    minimum_score: float | None = None

    @classmethod
    def of(
        cls,
        numbers: Sequence[float],
        filter: FilterExpression | None = None,
        minimum_score: float | None = None,
    ) -> VectorQuery:
        """The search for the direction of any vector. Raises `BadRequest` for NaN and infinity."""
        vector = unit_vector(numbers)
        if vector is None:
            raise BadRequest("A vector to search for must have finite numbers; this one has NaN or Infinity.")
        return cls(vector, filter, minimum_score)

    def worth(self, entry: VectorEntry) -> float | None:
        """The score of a document; None if it cannot be found by this search."""
        if entry.vector is None or (self.filter is not None and not matches(self.filter, entry.filters)):
            return None
        score = float(similarities(entry.vector[np.newaxis], self.vector)[0])
        return None if self.minimum_score is not None and score < self.minimum_score else score


class VectorResult(NamedTuple):
    """The nearest vectors, nearest first; `exhausted` says that no other match was left out."""

    hits: list[Rank]
    exhausted: bool


def similarities(vectors: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """The cosine of each row with a vector, the same to the last bit wherever the row stands."""
    products = np.multiply(vectors, vector, dtype=np.float64)
    scores: NDArray[np.float64] = np.clip(products.sum(axis=1), -1.0, 1.0) + 0.0  # no negative zero
    return scores
