"""Queries that read far more rows than they return: whole tables, and ranges of which a filter keeps little.

Noted where a query ends that has read many rows; so few do that this is imported with the first. What an
index would need to have is told by the query itself: the fields that its filters compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parabola.database.model.indexes import BY_CREATION_TIME

if TYPE_CHECKING:
    from parabola.functions.calls.execution import Execution

__all__ = ["MOST_READINGS", "Reading", "ReadingCounts", "compared_fields", "note_reading"]

MOST_READINGS: Final = 500
"""Different readings that are remembered."""
WHOLE_TABLE_ROWS: Final = 1_000
"""Rows from which on a query that returns a whole table is one of them."""
_TIMES: Final = 4
"""How many rows are read for each one that is returned, at the least."""
_MOST_FIELDS: Final = 15
"""An index with the creation time has one more."""
_RANGES: Final = ("$lt", "$lte", "$gt", "$gte")


class Reading(NamedTuple):
    """What reads: a function of a component (by its path), in an index of a table. `equal` are the fields
    that filters hold against one value, `ranged` the first one that they hold against a bound.
    """

    component: str
    function: str
    table: str
    index_name: str
    equal: tuple[str, ...]
    ranged: str | None


@dataclass(slots=True)
class ReadingCounts:
    """How often that was, and how much was read and returned in all. `newest_ms` is the time of the last."""

    times: int = 0
    read: int = 0
    returned: int = 0
    newest_ms: float = 0.0


def note_reading(execution: Execution, query: Any, read: int, returned: int) -> None:
    """A query of a function has ended, after it has read many rows."""
    source, operators = query["source"], query["operators"]
    table, _, index = (source.get("indexName") or source["tableName"]).partition(".")
    if source["type"] == "Search" or table.startswith("_"):
        return
    is_filtered = any("filter" in operator for operator in operators)
    if is_filtered:
        if read < _TIMES * max(1, returned):
            return
    elif read < WHOLE_TABLE_ROWS or source.get("range"):
        return
    known = tuple(each["fieldPath"] for each in source.get("range") or () if each.get("type") == "Eq")
    equal, ranged = compared_fields(operators)
    reading = Reading(
        execution.component.path,
        execution.spec.name.canonical,
        table,
        index or BY_CREATION_TIME,
        tuple(dict.fromkeys((*known, *equal))) if equal or ranged else (),
        ranged,
    )
    noted = execution.around.wide_reads
    counts = noted.get(reading)
    if counts is None:
        if len(noted) >= MOST_READINGS:
            return
        counts = noted[reading] = ReadingCounts()
    counts.times += 1
    counts.read += read
    counts.returned += returned
    counts.newest_ms = execution.attempt.now_ms


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
