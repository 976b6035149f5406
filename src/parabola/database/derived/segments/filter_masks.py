"""Filters of a search over all slots of a segment at once."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.filters import And, Eq, FilterExpression, filter_key

__all__ = ["let_through"]


class Filtered(Protocol):
    """A segment that knows which of its slots have which values."""

    def filtered_slots(self, key: bytes) -> NDArray[Any]:
        """The slots whose documents have a value, given as `filter_key`."""

    def __len__(self) -> int: ...


def let_through(expression: FilterExpression, segment: Filtered) -> NDArray[np.bool_]:
    """Which slots of a segment an expression lets through, visible or not."""
    if isinstance(expression, Eq):
        mask = np.zeros(len(segment), np.bool_)
        mask[segment.filtered_slots(filter_key(expression.field, expression.key))] = True
        return mask
    masks = [let_through(part, segment) for part in expression.parts]
    if isinstance(expression, And):
        mask = np.ones(len(segment), np.bool_)
        for part in masks:
            mask &= part
        return mask
    mask = np.zeros(len(segment), np.bool_)
    for part in masks:
        mask |= part
    return mask
