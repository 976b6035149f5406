"""Index ranges: equalities on the first fields of an index, then bounds on the next one (semantics 3.2).

However it is written, a range is one contiguous interval of index keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from parabola.database.model.intervals import Interval
from parabola.values.display import display
from parabola.values.encoding import decode
from parabola.values.errors import BadRequest
from parabola.values.ordering import after_all_with, encode_key

__all__ = ["RangeExpression", "parse_range", "range_interval"]

_SIGNS: Final = {"Eq": "==", "Gt": ">", "Gte": ">=", "Lt": "<", "Lte": "<="}


class RangeExpression(Struct, frozen=True):
    """One comparison of a range, such as `"a" >= 1`; `kind` is Eq, Gt, Gte, Lt or Lte."""

    kind: str
    field: str
    value: Any

    def __str__(self) -> str:
        return f"{_quoted(self.field)} {_SIGNS[self.kind]} {display(self.value)}"


def parse_range(json: Any) -> tuple[RangeExpression, ...]:
    """The comparisons of an `IndexRange` source. Raises `BadRequest` for what is not one."""
    if not isinstance(json, list):
        raise BadRequest("The range of an index range must be a list of comparisons.")
    return tuple(map(_parse_expression, json))


def _parse_expression(json: Any) -> RangeExpression:
    if not isinstance(json, dict) or json.get("type") not in _SIGNS:
        raise BadRequest("A comparison in an index range must be of type Eq, Gt, Gte, Lt or Lte.")
    if not isinstance(json.get("fieldPath"), str) or "value" not in json:
        raise BadRequest("A comparison in an index range needs a fieldPath and a value.")
    value = decode(json["value"], allow_undefined=True, allow_commit_ts=True)
    return RangeExpression(json["type"], json["fieldPath"], value)


def range_interval(
    index_name: str, fields: Sequence[str], expressions: Iterable[RangeExpression]
) -> Interval:
    """The keys of the documents that satisfy all comparisons.

    `index_name` is `table.index`; `fields` are the indexed fields without the closing `_id`. A bound in one
    direction alone leaves the other end of the field open: `lt` includes every smaller type and undefined.
    Raises `BadRequest` with code AlreadyDefinedBound, BoundsOnMultipleFields, FieldNotInIndex or
    InvalidIndexRange.
    """
    equalities: dict[str, RangeExpression] = {}
    lower: RangeExpression | None = None
    upper: RangeExpression | None = None
    for expression in expressions:
        bounded = lower or upper
        if expression.kind == "Eq":
            if expression.field in equalities:
                raise _already_defined("equality", expression)
            if bounded is not None and bounded.field == expression.field:
                raise _already_defined("inequality", expression)
            equalities[expression.field] = expression
            continue
        if expression.field in equalities:
            raise _already_defined("equality", expression)
        if bounded is not None and bounded.field != expression.field:
            raise BadRequest(
                "Upper and lower bounds in `range` can only be applied to a single index field. "
                f"This query against index {index_name} attempted to set a range bound on both "
                f"{_quoted(bounded.field)} and {_quoted(expression.field)}. Consider using `filter` instead. "
                "See https://docs.convex.dev/using/indexes for more info.",
                "BoundsOnMultipleFields",
            )
        if expression.kind in ("Gt", "Gte"):
            if lower is not None:
                raise _already_defined("lower", expression)
            lower = expression
        else:
            if upper is not None:
                raise _already_defined("upper", expression)
            upper = expression
    used = _fields_in_order(index_name, fields, list(equalities), lower or upper)
    prefix = encode_key(equalities[field].value for field in used if field in equalities)
    return _interval(prefix, lower, upper)


def _fields_in_order(
    index_name: str, fields: Sequence[str], equal: list[str], bounded: RangeExpression | None
) -> list[str]:
    """The constrained fields in the order of the index, checked to be its first ones."""
    positions = {field: position for position, field in enumerate((*fields, "_id"))}
    constrained = [*equal, bounded.field] if bounded is not None else equal
    for field in constrained:
        if field not in positions:
            raise BadRequest(
                f"The index range included a comparison with {_quoted(field)}, but {index_name} with fields "
                f"{_listed(fields)} doesn't index this field. "
                "For more information see https://docs.convex.dev/using/indexes.",
                "FieldNotInIndex",
            )
    used = sorted(equal, key=positions.__getitem__)
    if bounded is not None:
        used.append(bounded.field)
    for position, field in enumerate(used):
        if positions[field] != position:
            raise BadRequest(
                f"Tried to query index {index_name} but the query didn't use the index fields in order.\n"
                f"Index fields: {_listed(fields)}\n"
                f"Query fields: {_listed(used)}\n"
                f"First incorrect field: {_quoted(field)}\n"
                "For more information see https://docs.convex.dev/using/indexes.",
                "InvalidIndexRange",
            )
    return used


def _interval(prefix: bytes, lower: RangeExpression | None, upper: RangeExpression | None) -> Interval:
    start: bytes | None = prefix
    end = after_all_with(prefix)
    if lower is not None:
        key = prefix + encode_key((lower.value,))
        start = key if lower.kind == "Gte" else after_all_with(key)
    if upper is not None:
        key = prefix + encode_key((upper.value,))
        end = key if upper.kind == "Lt" else after_all_with(key)
    assert start is not None  # the key of a value is never empty
    return Interval(start, end)


def _already_defined(bound: str, expression: RangeExpression) -> BadRequest:
    return BadRequest(
        f"Already defined {bound} bound in index range. Can't add {expression}.", "AlreadyDefinedBound"
    )


def _quoted(field: str) -> str:
    return display(field)


def _listed(fields: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, fields))}]"
