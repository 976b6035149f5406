"""Which functions have made queries that read far more rows than they return, since the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from parabola.database.query.wide_reads import WideRead
    from parabola.functions.calls.execution import Execution

__all__ = ["MOST_READINGS", "Reading", "ReadingCounts", "count_wide_read"]

MOST_READINGS: Final = 500
"""Different readings that are remembered."""


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


def count_wide_read(execution: Execution, wide: WideRead) -> None:
    """A query of a function has ended, which was wide."""
    noted, function = execution.around.wide_reads, execution.spec.name.canonical
    reading = Reading(execution.component.path, function, wide.table, wide.index, wide.equal, wide.ranged)
    counts = noted.get(reading)
    if counts is None:
        if len(noted) >= MOST_READINGS:
            return
        counts = noted[reading] = ReadingCounts()
    counts.times += 1
    counts.read += wide.read
    counts.returned += wide.returned
    counts.newest_ms = execution.attempt.now_ms
