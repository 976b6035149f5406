"""Plans of ranges: what a query by an index means as long as tables and indexes stay what they are.

A plan is made once for each shape of a range, such as `a == ?, b >= ?`, and then only the values are put in.
There is one exactly where a query of the general form would find its table and index and take its range; for
anything else there is none, and the general form says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index, prefix_interval
from parabola.database.model.intervals import Interval
from parabola.database.model.system_tables import INDEX_BY_TABLET
from parabola.database.model.tables import Registry, Table
from parabola.database.query.ranges import RangeExpression, range_interval
from parabola.database.store.persistence import Order
from parabola.values.encoding import decode
from parabola.values.errors import BadRequest, UserError
from parabola.values.ordering import encode_value

__all__ = ["PlainQuery", "RangePlan", "Shape", "plain_query", "plan_of"]

Shape: TypeAlias = tuple[tuple[str, str], ...]
"""Of each comparison of a range its kind (Eq, Gt, Gte, Lt or Lte) and its field, as they are written."""


class PlainQuery(NamedTuple):
    """A query without filters, as it was asked for: nothing of it has been looked up. `values` are those of
    the comparisons in `shape`, `limit` is the least that it has.
    """

    table_name: str
    index_name: str
    shape: Shape
    values: list[Any]
    order: Order
    limit: int | None


_KINDS: Final = frozenset({"Eq", "Gt", "Gte", "Lt", "Lte"})
_MOST_PLANS: Final = 1000
_MOST_LIMITS: Final = 8
_LARGEST: Final = 100
"""Comparisons of a range that has a plan; no index has as many fields."""


class RangePlan:
    """How ranges of one shape are read in one index.

    `looked_up` is what a query depends on for having found the index: an index of `_index`, and an interval
    in it. None for the indexes that every table has.
    """

    __slots__ = (
        "_equal",
        "_lower",
        "_single",
        "_upper",
        "index",
        "index_id",
        "looked_up",
        "table",
    )

    def __init__(self, table: Table, index: Index, shape: Shape) -> None:
        self.table = table
        self.index = index
        self.index_id = index.index_id
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


def plain_query(json: Any) -> PlainQuery | None:
    """What the JSON of a query asks for, if that is plain, and well-formed as far as no plan tells."""
    try:
        source, operators = json["source"], json["operators"]
        kind, order = source["type"], source.get("order")
        if kind == "IndexRange" and "tableName" not in source:
            table, _, index = source["indexName"].partition(".")
            conditions = source["range"]
        elif kind == "FullTableScan":
            table, index, conditions = source["tableName"], BY_CREATION_TIME, []
        else:
            return None
        if type(conditions) is not list or type(operators) is not list:
            return None
        shape = tuple([(each["type"], each["fieldPath"]) for each in conditions])
        values = [_value(each["value"]) for each in conditions]
        limits = [operator["limit"] for operator in operators]
    except (AttributeError, LookupError, TypeError, UserError):
        return None
    if order is None:
        order = "asc"
    elif order != "asc" and order != "desc":
        return None
    if not limits:
        return PlainQuery(table, index, shape, values, order, None)
    for limit, operator in zip(limits, operators, strict=True):
        if type(limit) is not int or len(operator) != 1:
            return None
    return (
        PlainQuery(table, index, shape, values, order, min(limits)) if len(limits) <= _MOST_LIMITS else None
    )


def _value(json: Any) -> Any:
    kind = type(json)
    if kind is float or json is None or kind is bool or (kind is str and len(json) < 1000 and json.isascii()):
        return json
    return decode(json, allow_undefined=True, allow_commit_ts=True)


def plan_of(
    registry: Registry, component: str, table_name: str, index_name: str, shape: Shape
) -> RangePlan | None:
    """The plan for a range in an index of a component's own tables; None where there is none."""
    key = (component, table_name, index_name, shape)
    try:
        plan: RangePlan | None = registry.plans.get(key)
    except TypeError:  # a name that is none
        return None
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
    if not all(kind in _KINDS and isinstance(field, str) for kind, field in shape):
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
