"""Selection: the n-th greatest of many numbers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["nth_greatest"]

_FEW: Final = 512
_BUCKETS: Final = 1024


def nth_greatest(numbers: NDArray[np.floating[Any]], n: int) -> float:
    """The number that `n - 1` others are not less than; `n` is from 1 to how many there are.

    By counting into buckets: `np.partition` takes several times as long where many numbers are equal, as
    scores of short texts are.
    """
    while True:
        low, high = numbers.min(), numbers.max()
        if low == high:
            return float(low)
        with np.errstate(over="ignore"):
            width = float(high) - float(low)
        factor = (_BUCKETS - 1) / width
        if len(numbers) <= _FEW or not 0.0 < factor < np.inf:
            return float(np.sort(numbers)[-n])
        buckets = ((numbers - low) * factor).astype(np.int64)
        from_above = np.cumsum(np.bincount(buckets, minlength=_BUCKETS)[::-1])
        place = int(np.searchsorted(from_above, n))
        n -= int(from_above[place - 1]) if place else 0
        numbers = numbers[buckets == _BUCKETS - 1 - place]
