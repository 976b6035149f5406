"""What is counted of functions, and the series that dashboards draw of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parabola.database.usage import Limits, Usage
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.queries.query_cache import CacheHits
from parabola.services.observability import function_metrics
from parabola.services.observability.function_metrics import UNKNOWN, FunctionMetrics, NamedFunction
from parabola.services.observability.time_series import (
    Window,
    call_series,
    latency_series,
    share_series,
    top,
)
from parabola.values.errors import BadRequest

LIST = NamedFunction("", "notes:list", "Query")
HOUR = 1_800_000_000.0  # a whole minute


def entry(
    function: NamedFunction = LIST, *, at: float = HOUR, seconds: float = 0.01, **more: Any
) -> ExecutionEntry:
    return ExecutionEntry(
        kind=more.pop("entry_kind", "Completion"),
        udf_type=function.kind,
        identifier=function.name,
        component_path=function.component or None,
        timestamp=at,
        log_lines=(),
        request_id="r",
        execution_id="e",
        execution_time=seconds,
        **more,
    )


def metrics(*entries: ExecutionEntry) -> FunctionMetrics:
    counted = FunctionMetrics(lambda function: not function.name.startswith("gone"))
    for each in entries:
        counted.count(each)
    return counted


def test_runs_are_counted_by_how_they_ended() -> None:
    usage = Usage(Limits())
    usage.count_read(10)
    usage.count_write(10, system=False)
    failed = FunctionFailure("no")
    runs = metrics(entry(usage=usage), entry(error=failed), entry(entry_kind="Progress")).runs[LIST]
    assert (runs.ended_well.number, runs.failed.number) == (1, 1)
    (minute,) = runs.minutes
    amounts = ("invocations", "errors", "cacheHits", "cacheMisses", "rowsRead", "rowsWritten")
    assert [minute.amount(each) for each in amounts] == [2, 1, 0, 2, 1, 1]  # type: ignore[arg-type]


def test_names_that_are_not_deployed_have_no_count_of_their_own() -> None:
    invented = [entry(NamedFunction("", f"gone:{number}", "Query")) for number in range(100)]
    assert list(metrics(*invented, entry()).runs) == [UNKNOWN, LIST]


def test_functions_of_components_are_their_own() -> None:
    other = NamedFunction("a/b", "notes:list", "Query")
    assert set(metrics(entry(), entry(other)).runs) == {LIST, other}


def test_hits_of_the_cache_are_taken_over_once() -> None:
    counted = metrics(entry())
    hits = CacheHits()
    hits.number = 3
    known = {("", parse_path("notes:list")): hits, ("", parse_path("gone:list")): hits}
    for _ in range(2):
        counted.count_hits(known, int(HOUR // 60))
    assert set(counted.runs) == {LIST}
    (minute,) = counted.runs[LIST].minutes
    assert (minute.runs, minute.cached, counted.runs[LIST].cached) == (4, 3, 3)


def test_only_so_many_minutes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = function_metrics.MINUTES_KEPT
    counted = metrics(*(entry(at=HOUR + 60 * number) for number in range(kept + 10)))
    assert len(counted.runs[LIST].minutes) == kept
    assert counted.runs[LIST].ended_well.number == kept + 10


@example([720], 0, 65)
@given(
    st.lists(st.integers(-200, 7_400), max_size=60).map(sorted),
    st.integers(0, 3_599),
    st.integers(1, 120),
)
def test_a_series_has_each_call_in_the_part_in_which_its_minute_began(
    times: list[int], start: int, parts: int
) -> None:
    """Against looking at each call by itself."""
    runs = metrics(*(entry(at=HOUR + time) for time in times)).runs.get(LIST)
    window = Window(HOUR + start, HOUR + start + 3_600, parts)
    points = call_series(runs, "invocations", window)
    assert len(points) == parts
    expected = [0] * parts
    for time in times:
        minute = (HOUR + time) // 60 * 60
        if minute + 60 > window.start and minute < window.end:
            expected[int((max(minute, HOUR + start) - HOUR - start) * parts // 3_600)] += 1
    assert [value for _, value in points] == expected


def test_shares_and_latencies_are_unknown_where_nothing_ran() -> None:
    failed = FunctionFailure("no")
    runs = metrics(entry(), entry(error=failed, seconds=0.4), entry(at=HOUR + 120)).runs[LIST]
    window = Window(HOUR, HOUR + 180, 3)
    assert [value for _, value in share_series(runs, "errors", window)] == [50.0, None, 0.0]
    first, none, _ = (value for _, value in latency_series(runs, 100, window))
    assert none is None
    assert first is not None
    assert 0.25 < first <= 0.5
    assert [value for _, value in call_series(None, "invocations", window)] == [0.0, 0.0, 0.0]


def test_the_functions_with_most_come_first() -> None:
    busy, idle = NamedFunction("", "busy", "Mutation"), NamedFunction("", "idle", "Query")
    counted = metrics(entry(busy), entry(busy), entry(), entry(idle, at=HOUR - 600))
    found = top(counted.runs, "invocations", Window(HOUR, HOUR + 60, 1), 5)
    assert [function for function, _ in found] == [busy, LIST]
    assert len(top(counted.runs, "invocations", Window(HOUR, HOUR + 60, 1), 1)) == 1


@pytest.mark.parametrize(
    "given_window",
    [
        None,
        {},
        {"start": 1, "end": 2, "num_buckets": 1},
        {"start": {"secs_since_epoch": 5}, "end": {"secs_since_epoch": 5}, "num_buckets": 1},
        {"start": {"secs_since_epoch": 5}, "end": {"secs_since_epoch": 9}, "num_buckets": 0},
        {"start": {"secs_since_epoch": 5}, "end": {"secs_since_epoch": 9}, "num_buckets": 10**9},
    ],
)
def test_a_window_that_is_none_is_refused(given_window: Any) -> None:
    with pytest.raises(BadRequest, match="window must"):
        Window.of(given_window)
