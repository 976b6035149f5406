"""Amounts by name and minute."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.services.observability import minute_counts
from parabola.services.observability.minute_counts import MinuteCounts
from parabola.services.observability.time_series import Window

MERGES: list[Callable[[float, float], float]] = [float.__add__, max]
told = st.lists(st.tuples(st.integers(0, 9), st.floats(0, 100)), max_size=30).map(
    lambda pairs: sorted(pairs, key=lambda pair: pair[0])
)


@given(told, st.integers(1, 10), st.sampled_from(MERGES))
def test_parts_have_what_was_told_of_their_minutes(
    pairs: list[tuple[int, float]], parts: int, merge: Callable[[float, float], float]
) -> None:
    counts: MinuteCounts[str] = MinuteCounts(merge)
    for minute, amount in pairs:
        counts.add("a", minute, amount)
    points = counts.series("a", Window(0, 600, parts), none=None)
    whole = 0.0
    for _, value in points:
        whole = merge(whole, value or 0.0)
    expected = 0.0
    for _, amount in pairs:
        expected = merge(expected, amount)
    assert whole == pytest.approx(expected)
    assert len(points) == parts


def test_those_with_most_come_first() -> None:
    counts: MinuteCounts[str] = MinuteCounts()
    for name, amount in (("a", 1.0), ("b", 3.0), ("c", 3.0), ("d", 0.0)):
        counts.add(name, 5, amount)
    counts.add("e", 50, 9.0)
    assert counts.top(Window(300, 360, 1), 2) == {"b": 3.0, "c": 3.0}
    assert counts.series("nobody", Window(0, 60, 1)) == [(0, 0.0)]


def test_there_are_only_so_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minute_counts, "MAX_NAMES", 2)
    counts: MinuteCounts[int] = MinuteCounts()
    for name in range(3):
        counts.add(name, 1)
    assert list(counts.names()) == [1, 2]
