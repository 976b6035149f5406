"""Histograms of durations, against the durations themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.services.observability.latencies import BOUNDS, Latencies

durations = st.lists(st.floats(0, 290, allow_nan=False), min_size=1, max_size=60)


def histogram(seconds: list[float]) -> Latencies:
    latencies = Latencies()
    for each in seconds:
        latencies.add(each)
    return latencies


@given(durations, st.sampled_from([1.0, 50.0, 90.0, 99.0, 100.0]))
def test_a_percentile_is_in_the_bucket_of_the_real_one(seconds: list[float], percent: float) -> None:
    ranked = sorted(seconds)
    real = ranked[max(0, -(-int(percent * len(ranked)) // 100) - 1)]
    upper = next(bound for bound in BOUNDS if real <= bound)
    lower = max((bound for bound in (0.0, *BOUNDS) if bound < upper), default=0.0)
    found = histogram(seconds).percentile(percent)
    assert found is not None
    assert lower <= found <= upper


@given(durations, durations)
def test_parts_together_are_the_whole(one: list[float], other: list[float]) -> None:
    merged = Latencies.merged([histogram(one), histogram(other)])
    whole = histogram(one + other)
    assert (merged.counts, merged.number) == (whole.counts, whole.number)
    assert abs(merged.seconds - whole.seconds) < 1e-6


def test_without_durations_there_is_no_percentile() -> None:
    assert Latencies().percentile(50) is None


def test_what_took_longer_than_all_buckets_took_as_long_as_the_last() -> None:
    assert histogram([1e6]).percentile(50) == BOUNDS[-1]
