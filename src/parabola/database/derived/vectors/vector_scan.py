"""Scanning: the nearest vectors of all segments as they were at one moment, exactly (search 2.1).

First the coarse copies: each row gets bounds between which its score must be. What cannot be among the best
by these is left out, and the rest, mostly a few hundred rows, is scored in full precision. Scores are the
same to the last bit wherever a row stands, so that equal vectors rank alike before and after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.segments.found import Found, best
from parabola.database.derived.segments.nth_greatest import nth_greatest
from parabola.database.derived.segments.slot_ids import SlotIds
from parabola.database.derived.vectors.vector_query import VectorQuery, VectorResult, similarities
from parabola.database.derived.vectors.vector_segment import CoarseRows

__all__ = ["ScannedSegment", "nearest"]

_NUMBERS_AT_ONCE: Final = 3 << 17
"""Numbers of a block: they stay in a processor's cache, and OpenBLAS does not give them to several threads,
which would wait for each other on a busy machine.
"""
_MANY: Final = 2000
"""Rows from which on another look in single precision pays."""


def _single_precision_error(dimensions: int) -> float:
    """More than a sum of so many products of single precision is wrong by."""
    return 1e-6 + dimensions * 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class ScannedSegment:
    """What one search needs of one segment; nothing of it changes while it runs in a thread.

    `allowed` are the rows that are visible and let through by the filter.
    """

    rows: NDArray[np.float32]
    coarse: CoarseRows | None
    row_slots: NDArray[np.uint32]
    allowed: NDArray[np.int64]
    ids: SlotIds


@dataclass(frozen=True, slots=True, eq=False)
class _Bounds:
    """Rows of a segment and between which two numbers the score of each is."""

    segment: ScannedSegment
    rows: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def reaching(self, least: float) -> _Bounds:
        """Without the rows whose score is surely less."""
        chosen = self.high >= least
        return _Bounds(self.segment, self.rows[chosen], self.low[chosen], self.high[chosen])


def nearest(segments: Sequence[ScannedSegment], query: VectorQuery, limit: int) -> VectorResult:
    """The best documents of all segments."""
    bounds = [_coarse_bounds(segment, query.vector) for segment in segments]
    minimum = -2.0 if query.minimum_score is None else query.minimum_score
    possible = sum(int(np.count_nonzero(part.high >= minimum)) for part in bounds)
    bounds = _reduced(bounds, limit, minimum)
    if sum(len(part.rows) for part in bounds) > _MANY:
        bounds = [_fine_bounds(part, query.vector) for part in bounds]
        bounds = _reduced(bounds, limit, minimum)
    left_out = possible - sum(len(part.rows) for part in bounds)
    found = (_exact(part, query, minimum) for part in bounds)
    hits, are_all = best(found, limit)
    return VectorResult(hits, are_all and (left_out <= 0 or len(hits) < limit))


def _reduced(bounds: Sequence[_Bounds], limit: int, minimum: float) -> list[_Bounds]:
    """Only the rows that may be among the best `limit` and reach the minimum."""
    least = minimum
    lows = np.concatenate([np.empty(0, np.float32), *(part.low for part in bounds)])
    if limit == 0:
        least = np.inf
    elif len(lows) > limit:
        least = max(minimum, nth_greatest(lows, limit))
    return [part.reaching(least) for part in bounds]


def _coarse_bounds(segment: ScannedSegment, vector: NDArray[np.float32]) -> _Bounds:
    coarse, allowed = segment.coarse, segment.allowed
    error = np.full(len(allowed), _single_precision_error(len(vector)), np.float32)
    if coarse is None:
        scores = _products(segment.rows, allowed, vector)
    else:
        scores = _products(coarse.codes, allowed, vector)
        scores *= coarse.scales[allowed]
        error += coarse.errors[allowed]
    return _Bounds(segment, allowed, scores - error, scores + error)


def _fine_bounds(part: _Bounds, vector: NDArray[np.float32]) -> _Bounds:
    scores = _products(part.segment.rows, part.rows, vector)
    error = np.float32(_single_precision_error(len(vector)))
    return _Bounds(part.segment, part.rows, scores - error, scores + error)


def _products(
    matrix: NDArray[np.float32] | NDArray[np.int8], rows: NDArray[np.int64], vector: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The product of each of these rows with a vector, in single precision."""
    products = np.empty(len(rows), np.float32)
    block = np.empty((max(1, _NUMBERS_AT_ONCE // len(vector)), len(vector)), np.float32)
    is_whole = len(rows) == len(matrix)
    for start, end in _steps(len(rows), len(block)):
        part = block[: end - start]
        np.copyto(part, matrix[start:end] if is_whole else matrix[rows[start:end]])
        np.matmul(part, vector, out=products[start:end])
    return products


def _exact(part: _Bounds, query: VectorQuery, minimum: float) -> Found:
    rows, scores = part.rows, np.zeros(len(part.rows))
    if query.vector.any():
        for start, end in _steps(len(rows), max(1, _NUMBERS_AT_ONCE // len(query.vector))):
            scores[start:end] = similarities(part.segment.rows[rows[start:end]], query.vector)
    chosen = scores >= minimum
    slots = part.segment.row_slots[rows[chosen]].astype(np.int64)
    return Found(scores[chosen], np.zeros(len(slots)), slots, part.segment.ids)


def _steps(count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, size):
        yield start, min(start + size, count)
