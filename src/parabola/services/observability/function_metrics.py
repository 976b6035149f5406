"""How often each function ran, how that ended and how long it took: since the start, and minute by minute.

It listens to the execution log, in which every call ends anyway. Only functions that are deployed have a name
here: a caller can invent names, and each would be kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from parabola.database.usage import Usage
from parabola.services.observability.latencies import Latencies

if TYPE_CHECKING:
    from parabola.functions.deployed.function_path import FunctionPath
    from parabola.functions.outcomes.execution_log import ExecutionEntry
    from parabola.functions.queries.query_cache import CacheHits

__all__ = ["MINUTES_KEPT", "UNKNOWN", "FunctionMetrics", "Metric", "Minute", "NamedFunction", "Runs"]

MINUTES_KEPT: Final = 120
"""Minutes in which a function ran that are remembered one by one."""

Metric = Literal["invocations", "errors", "cacheHits", "cacheMisses", "rowsRead", "rowsWritten"]


class NamedFunction(NamedTuple):
    """A function of a component (by its path; the app has none)."""

    component: str
    name: str
    kind: str


UNKNOWN: Final = NamedFunction("", "_unknown", "Query")
"""What is counted of names that no function has."""


class Minute:
    """What a function did in one minute. `number`: minutes since 1970."""

    __slots__ = ("cached", "failed", "latencies", "number", "rows_read", "rows_written", "runs")

    def __init__(self, number: int) -> None:
        self.number = number
        self.runs = 0
        self.failed = 0
        self.cached = 0
        self.rows_read = 0
        self.rows_written = 0
        self.latencies = Latencies()

    def amount(self, metric: Metric) -> int:
        """How much of it there was."""
        match metric:
            case "invocations":
                return self.runs
            case "errors":
                return self.failed
            case "cacheHits":
                return self.cached
            case "cacheMisses":
                return self.runs - self.cached
            case "rowsRead":
                return self.rows_read
            case "rowsWritten":
                return self.rows_written


class Runs:
    """The runs of one function."""

    __slots__ = ("cached", "ended_well", "failed", "minutes")

    def __init__(self) -> None:
        self.ended_well = Latencies()
        self.failed = Latencies()
        self.cached = 0
        self.minutes: deque[Minute] = deque(maxlen=MINUTES_KEPT)

    def minute(self, number: int) -> Minute:
        """The minute that is now, which is made when it is needed."""
        if not self.minutes or self.minutes[-1].number < number:
            self.minutes.append(Minute(number))
        return self.minutes[-1]

    def between(self, first: int, last: int) -> Iterable[Minute]:
        """The minutes from one on and before another."""
        return (minute for minute in self.minutes if first <= minute.number < last)


class FunctionMetrics:
    """Counts of all functions. `is_deployed` tells which names are good."""

    def __init__(self, is_deployed: Callable[[NamedFunction], bool]) -> None:
        self._is_deployed = is_deployed
        self._runs: dict[NamedFunction, Runs] = {}

    @property
    def runs(self) -> Mapping[NamedFunction, Runs]:
        """What each function did that ran since the start."""
        return self._runs

    def count(self, entry: ExecutionEntry) -> None:
        """A call has ended."""
        if entry.kind != "Completion":
            return
        function = NamedFunction(entry.component_path or "", entry.identifier, entry.udf_type)
        runs = self._runs.get(function)
        if runs is None:
            if not self._is_deployed(function):
                function = UNKNOWN
            runs = self._runs.setdefault(function, Runs())
        minute = runs.minute(int(entry.timestamp // 60))
        minute.runs += 1
        minute.latencies.add(entry.execution_time)
        if entry.error is None:
            runs.ended_well.add(entry.execution_time)
        else:
            runs.failed.add(entry.execution_time)
            minute.failed += 1
        usage = entry.usage
        if isinstance(usage, Usage):
            minute.rows_read += usage.documents_read
            minute.rows_written += usage.documents_written

    def count_hits(self, hits: Mapping[tuple[str, FunctionPath], CacheHits], minute: int) -> None:
        """Take over how often results were handed out without a run; what is new since the last time counts
        for `minute`, in minutes since 1970.
        """
        for (component, path), count in hits.items():
            function = NamedFunction(component, path.canonical, "Query")
            runs = self._runs.get(function)
            if runs is None:
                if not count.number or not self._is_deployed(function):
                    continue
                runs = self._runs.setdefault(function, Runs())
            new = count.number - runs.cached
            if new > 0:
                runs.cached += new
                now = runs.minute(minute)
                now.cached += new
                now.runs += new
