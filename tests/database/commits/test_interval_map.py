"""The interval map against the obvious list of pairs, and its cost against adversarial sets."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.database.commits.interval_map import IntervalMap
from parabola.database.model.intervals import Interval

keys = st.binary(max_size=2) | st.sampled_from([b"", b"a", b"a\x00", b"b", b"\xff"])
intervals = st.one_of(
    st.builds(Interval.point, keys),
    st.builds(Interval, keys, st.none() | keys).filter(lambda interval: not interval.is_empty),
)
steps = st.lists(st.tuples(st.booleans(), intervals, st.integers(0, 3)), max_size=60)


@given(steps, st.lists(keys, min_size=1, max_size=10))
def test_a_key_finds_the_items_whose_intervals_contain_it(
    steps: list[tuple[bool, Interval, int]], probes: list[bytes]
) -> None:
    subject: IntervalMap[str] = IntervalMap(Random(1))
    model: set[tuple[Interval, str]] = set()
    for adds, interval, number in steps:
        item = f"item {number}"
        if adds:
            subject.add(interval, item)
            model.add((interval, item))
        else:
            subject.discard(interval, item)
            model.discard((interval, item))
        for key in probes:
            assert Counter(subject.stab(key)) == Counter(
                item for interval, item in model if interval.contains(key)
            )
    assert bool(subject) == bool(model)


class CountingBytes(bytes):
    """A key that counts how often it is compared: the cost of a query, whatever the machine does."""

    comparisons = 0

    def __lt__(self, other: bytes) -> bool:
        CountingBytes.comparisons += 1
        return bytes.__lt__(self, other)

    def __le__(self, other: bytes) -> bool:
        CountingBytes.comparisons += 1
        return bytes.__le__(self, other)

    def __gt__(self, other: bytes) -> bool:
        CountingBytes.comparisons += 1
        return bytes.__gt__(self, other)

    def __ge__(self, other: bytes) -> bool:
        CountingBytes.comparisons += 1
        return bytes.__ge__(self, other)

    __hash__ = bytes.__hash__


def key(number: int) -> bytes:
    return number.to_bytes(4, "big")


ADVERSARIAL = {
    "all overlap, all end below the key": [Interval(key(i), key(20_000 + i)) for i in range(10_000)],
    "all overlap, all start above the key": [Interval(key(60_000 + i), None) for i in range(10_000)],
    "nested on both sides of the key": [Interval(key(i), key(40_000 - i)) for i in range(5_000)]
    + [Interval(key(60_000 + i), key(90_000 - i)) for i in range(5_000)],
    "long and short alternate": [
        Interval(key(i * 4), key(49_000 if i % 2 else i * 4 + 3)) for i in range(10_000)
    ],
    "disjoint neighbours around a gap": [Interval(key(i), key(i + 3)) for i in range(0, 49_990, 5)]
    + [Interval(key(i), key(i + 3)) for i in range(50_010, 99_990, 5)],
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_ten_thousand_ranges_that_miss_the_key_cost_a_logarithm(name: str) -> None:
    subject: IntervalMap[int] = IntervalMap(Random(7))
    for item, interval in enumerate(ADVERSARIAL[name]):
        subject.add(interval, item)
    CountingBytes.comparisons = 0
    assert subject.stab(CountingBytes(key(50_000))) == []
    assert CountingBytes.comparisons < 200


def test_matches_cost_a_logarithm_each_among_ranges_that_miss() -> None:
    subject: IntervalMap[int] = IntervalMap(Random(7))
    for item in range(10_000):
        subject.add(Interval(key(item), key(20_000 + item)), item)
    matching = [Interval(key(item * 1_000), key(50_001 + item)) for item in range(10)]
    for item, interval in enumerate(matching):
        subject.add(interval, -1 - item)
    CountingBytes.comparisons = 0
    assert sorted(subject.stab(CountingBytes(key(50_000)))) == list(range(-10, 0))
    assert CountingBytes.comparisons < 1_500


def test_ranges_that_are_gone_cost_nothing() -> None:
    subject: IntervalMap[int] = IntervalMap(Random(7))
    gone = [Interval(key(item), key(60_000 + item)) for item in range(0, 10_000, 2)]
    for item in range(1, 10_000, 2):
        subject.add(Interval(key(item), key(20_000 + item)), item)
    for interval in gone:
        subject.add(interval, -1)
    for interval in gone:
        subject.discard(interval, -1)
    CountingBytes.comparisons = 0
    assert subject.stab(CountingBytes(key(50_000))) == []
    assert CountingBytes.comparisons < 200


def test_sorted_insertion_does_not_degrade_to_a_list() -> None:
    """Ten thousand ranges in order: a degenerate tree would exceed the recursion limit."""
    subject: IntervalMap[int] = IntervalMap(Random(7))
    ranges = [Interval(key(i), key(i + 2)) for i in range(10_000)]
    for item, interval in enumerate(ranges):
        subject.add(interval, item)
    for item, interval in enumerate(ranges):
        subject.discard(interval, item)
    assert not subject
