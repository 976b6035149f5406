"""Queries that read far more rows than they return: whole tables, and ranges of which a filter keeps little.

What an index would need to have is told by the query itself: the fields that its filters compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from parabola.database.model.indexes import BY_CREATION_TIME

__all__ = ["NOTED_ROWS", "WHOLE_TABLE_ROWS", "WideRead", "compared_fields", "wide_read"]

NOTED_ROWS: Final = 100
"""Rows from which on it is looked at whether a query reads more than it returns."""
WHOLE_TABLE_ROWS: Final = 1_000
"""Rows from which on a query that returns a whole table is one of them."""
_TIMES: Final = 4
"""How many rows are read for each one that is returned, at the least."""
_MOST_FIELDS: Final = 15
"""An index with the creation time has one more."""
_RANGES: Final = ("$lt", "$lte", "$gt", "$gte")

Number = Annotated[int, Meta(ge=0)]


class WideRead(Struct, frozen=True, gc=False, array_like=True):
    """One such query, in an index of a table, and how many rows it has read and returned. `equal` are the
    fields that filters hold against one value, `ranged` the first one that they hold against a bound.
    """

    table: str
    index: str
    equal: tuple[str, ...]
    ranged: str | None
    read: Number
    returned: Number


def wide_read(query: Any, read: int, returned: int) -> WideRead | None:
    """What is to be noted of a query, as JSON, that has ended after so many rows; None if it is not wide."""
    source, operators = query["source"], query["operators"]
    table, _, index = (source.get("indexName") or source["tableName"]).partition(".")
    if read < NOTED_ROWS or source["type"] == "Search" or table.startswith("_"):
        return None
    is_filtered = any("filter" in operator for operator in operators)
    if is_filtered:
        if read < _TIMES * max(1, returned):
            return None
    elif read < WHOLE_TABLE_ROWS or source.get("range"):
        return None
    known = tuple(each["fieldPath"] for each in source.get("range") or () if each.get("type") == "Eq")
    equal, ranged = compared_fields(operators)
    fields = tuple(dict.fromkeys((*known, *equal))) if equal or ranged else ()
    return WideRead(table, index or BY_CREATION_TIME, fields, ranged, read, returned)


def compared_fields(operators: list[Any]) -> tuple[tuple[str, ...], str | None]:
    """The fields that every filter of a query holds against one value, and the first that is held against a
    bound: what an index is made of that finds the same.
    """
    equal: list[str] = []
    ranged: list[str] = []
    for operator in operators:
        _compared(operator.get("filter"), equal, ranged)
    fields = tuple(dict.fromkeys(equal))[:_MOST_FIELDS]
    return fields, next((each for each in ranged if each not in fields), None)


def _compared(expression: Any, equal: list[str], ranged: list[str]) -> None:
    if not isinstance(expression, Mapping) or len(expression) != 1:
        return
    ((name, operands),) = expression.items()
    if name == "$and" and isinstance(operands, list):
        for each in operands:
            _compared(each, equal, ranged)
    elif (name == "$eq" or name in _RANGES) and isinstance(operands, list) and len(operands) == 2:
        fields = [each["$field"] for each in operands if isinstance(each, dict) and "$field" in each]
        if len(fields) == 1 and isinstance(fields[0], str) and not fields[0].startswith("_"):
            (equal if name == "$eq" else ranged).append(fields[0])
