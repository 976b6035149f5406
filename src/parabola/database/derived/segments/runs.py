"""Runs: lists of different lengths in one array, one after another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ends", "lengths_of", "runs"]


def runs(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places from each start on, as many as its length, one run after another."""
    totals = np.cumsum(lengths)
    return np.repeat(starts - (totals - lengths), lengths) + np.arange(int(totals[-1]) if len(totals) else 0)


def ends(lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Where each of the runs of these lengths begins, and where the last one ends."""
    places = np.zeros(len(lengths) + 1, np.uint32)
    np.cumsum(lengths, out=places[1:])
    return places


def lengths_of(ends: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The lengths of the runs that have these ends."""
    places = ends.astype(np.int64)
    return places[1:] - places[:-1]
