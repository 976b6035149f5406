"""Plans of ranges: what a query by an index means as long as tables and indexes stay what they are.

A plan is made once for each shape of a range, such as `a == ?, b >= ?`, and then only the values are put in.
There is one exactly where a query of the general form would find its table and index and take its range; for
anything else there is none, and the general form says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index, prefix_interval
from parabola.database.model.intervals import Interval
from parabola.database.model.system_tables import INDEX_BY_TABLET
from parabola.database.model.tables import Registry, Table
from parabola.database.query.ranges import RangeExpression, range_interval
from parabola.values.errors import BadRequest
from parabola.values.ordering import encode_value

__all__ = ["RangePlan", "Shape", "plan_of"]

Shape: TypeAlias = tuple[tuple[str, str], ...]
"""Of each comparison of a range its kind (Eq, Gt, Gte, Lt or Lte) and its field, as they are written."""

_MOST_PLANS: Final = 1000
_LARGEST: Final = 100
"""Comparisons of a range that has a plan; no index has as many fields."""


class RangePlan:
    """How ranges of one shape are read in one index.

    `looked_up` is what a query depends on for having found the index: an index of `_index`, and an interval
    in it. None for the indexes that every table has.
    """

    __slots__ = ("_equal", "_lower", "_single", "_upper", "index", "looked_up", "table")

    def __init__(self, table: Table, index: Index, shape: Shape) -> None:
        self.table = table
        self.index = index
        self.looked_up: tuple[int, Interval] | None = None
        if index.name not in (BY_ID, BY_CREATION_TIME):
            self.looked_up = (INDEX_BY_TABLET, prefix_interval((float(table.tablet_id), index.name)))
        positions = {field: at for at, field in enumerate(index.range_fields)}
        equal = [(positions[field], at) for at, (kind, field) in enumerate(shape) if kind == "Eq"]
        self._equal = [at for _, at in sorted(equal)]
        self._single = self._equal == [0] and len(shape) == 1
        # Where the value of a bound is, and whether the keys that begin with it are in the range.
        self._lower: tuple[int, bool] | None = None
        self._upper: tuple[int, bool] | None = None
        for at, (kind, _) in enumerate(shape):
            if kind in ("Gt", "Gte"):
                self._lower = (at, kind == "Gte")
            elif kind in ("Lt", "Lte"):
                self._upper = (at, kind == "Lte")

    def interval(self, values: Sequence[Any]) -> Interval:
        """The keys of the range with these values, one for each comparison (`ranges.range_interval`)."""
        if self._single:
            prefix = encode_value(values[0])
            return Interval(prefix, prefix + b"\xff")
        prefix = b"".join([encode_value(values[at]) for at in self._equal])
        start, end = prefix, prefix + b"\xff" if prefix else None
        if self._lower is not None:
            at, is_included = self._lower
            key = prefix + encode_value(values[at])
            start = key if is_included else key + b"\xff"
        if self._upper is not None:
            at, is_included = self._upper
            key = prefix + encode_value(values[at])
            end = key + b"\xff" if is_included else key
        return Interval(start, end)


def plan_of(
    registry: Registry, component: str, table_name: str, index_name: str, shape: Shape
) -> RangePlan | None:
    """The plan for a range in an index of a component's own tables; None where there is none."""
    key = (component, table_name, index_name, shape)
    plan: RangePlan | None = registry.plans.get(key)
    if plan is None:
        plan = _planned(registry, component, table_name, index_name, shape)
        if plan is not None:
            if len(registry.plans) >= _MOST_PLANS:
                registry.plans.clear()
            registry.plans[key] = plan
    return plan


def _planned(
    registry: Registry, component: str, table_name: str, index_name: str, shape: Shape
) -> RangePlan | None:
    table = registry.table(table_name, component)
    if table is None or table.is_system or len(shape) > _LARGEST:
        return None
    index = registry.index(table, index_name)
    if index is None or not index.is_enabled or index.kind != "database":
        return None
    try:
        range_interval(
            f"{table_name}.{index_name}",
            index.fields,
            [RangeExpression(kind, field, None) for kind, field in shape],
        )
    except BadRequest:
        return None
    return RangePlan(table, index, shape)
