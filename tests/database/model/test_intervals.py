"""Intervals and read sets against a model: the set of all short byte strings they contain."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from parabola.database.model.intervals import Interval, Intervals, ReadSet

ALPHABET = (0, 1, 255)
UNIVERSE = sorted(bytes(letters) for size in range(4) for letters in product(ALPHABET, repeat=size))

keys = st.sampled_from([key for key in UNIVERSE if len(key) < 3])
ends = st.none() | keys
intervals = st.builds(Interval, keys, ends)


def members(interval: Interval) -> set[bytes]:
    return {key for key in UNIVERSE if key >= interval.start and (interval.end is None or key < interval.end)}


def build(items: list[Interval]) -> Intervals:
    result = Intervals()
    for item in items:
        result.add(item)
    return result


@given(keys)
def test_a_point_contains_its_key_and_no_other(key: bytes) -> None:
    point = Interval.point(key)
    assert members(point) == {key}
    assert point.is_point
    assert not point.is_empty


@given(intervals)
def test_an_interval_says_truly_what_it_contains(interval: Interval) -> None:
    assert {key for key in UNIVERSE if interval.contains(key)} == members(interval)
    assert interval.among(UNIVERSE) == sorted(members(interval))
    assert interval.is_empty == (not members(interval) and interval.end is not None)


@given(intervals)
def test_only_intervals_of_one_key_are_points(interval: Interval) -> None:
    if interval.is_point:
        assert interval == Interval.point(interval.start)
    elif interval.end is not None and not interval.is_empty:
        assert interval.end != interval.start + b"\x00"


@given(intervals, intervals)
def test_two_intervals_overlap_if_they_share_a_key(one: Interval, other: Interval) -> None:
    assert one.overlaps(other) == bool(members(one) & members(other))


@given(intervals.filter(lambda interval: not interval.is_empty), keys)
def test_an_interval_can_be_cut_at_a_key(interval: Interval, key: bytes) -> None:
    assert members(interval.before(key)) == {k for k in members(interval) if k < key}
    assert members(interval.through(key)) == {k for k in members(interval) if k <= key}
    assert members(interval.starting_at(key)) == {k for k in members(interval) if k >= key}
    assert members(interval.after(key)) == {k for k in members(interval) if k > key}


@given(st.lists(intervals, max_size=12))
def test_a_set_of_intervals_is_the_union_of_what_was_added(items: list[Interval]) -> None:
    result = build(items)
    expected = set().union(*map(members, items)) if items else set()
    assert {key for key in UNIVERSE if result.contains(key)} == expected


@given(st.lists(intervals, max_size=12))
def test_intervals_stay_sorted_disjoint_and_merged(items: list[Interval]) -> None:
    result = list(build(items))
    for one, two in pairwise(result):
        assert one.end is not None
        assert one.end < two.start
    assert all(not interval.is_empty for interval in result)
    assert len(build(items)) == len(result)


@given(st.lists(intervals, max_size=8), st.randoms())
def test_the_order_of_adding_does_not_matter(items: list[Interval], random) -> None:
    shuffled = items.copy()
    random.shuffle(shuffled)
    assert build(items) == build(shuffled)


@given(st.lists(intervals, max_size=8), intervals)
def test_a_set_overlaps_an_interval_if_they_share_a_key(items: list[Interval], probe: Interval) -> None:
    assert build(items).overlaps(probe) == any(item.overlaps(probe) for item in items)


def test_neighbours_do_not_overlap() -> None:
    items = build([Interval(b"a", b"b"), Interval(b"c", b"d")])
    assert not items.overlaps(Interval(b"b", b"c"))
    assert not Interval(b"a", b"b").overlaps(Interval(b"b", b"c"))


@given(st.lists(intervals, max_size=8), st.lists(keys, max_size=20).map(sorted))
def test_asking_for_many_keys_is_asking_for_each(items: list[Interval], probes: list[bytes]) -> None:
    result = build(items)
    assert result.contains_any(probes) == any(result.contains(key) for key in probes)


@given(st.lists(intervals, max_size=5), intervals)
def test_a_copy_is_independent(items: list[Interval], extra: Interval) -> None:
    original = build(items)
    copy = original.copy()
    copy.add(extra)
    assert original == build(items)


reads = st.lists(st.tuples(st.integers(1, 3), intervals), max_size=12)


def record(items: list[tuple[int, Interval]]) -> ReadSet:
    read_set = ReadSet()
    for index_id, interval in items:
        read_set.record(index_id, interval)
    return read_set


@given(reads)
def test_a_read_set_keeps_indexes_apart_and_counts_their_intervals(items: list[tuple[int, Interval]]) -> None:
    read_set = record(items)
    for index_id in (1, 2, 3):
        expected = set().union(*(members(interval) for i, interval in items if i == index_id))
        assert {key for key in UNIVERSE if read_set.contains(index_id, key)} == expected
    assert read_set.count == sum(len(intervals) for intervals in read_set.by_index.values())


@given(st.lists(st.tuples(st.integers(1, 3), st.lists(intervals, max_size=4)), max_size=4))
def test_recording_many_at_once_is_recording_each(groups: list[tuple[int, list[Interval]]]) -> None:
    at_once = ReadSet()
    for index_id, items in groups:
        at_once.record_all(index_id, [item.start for item in items], [item.end for item in items])
    each = record([(index_id, item) for index_id, items in groups for item in items])
    assert at_once.count == each.count
    for index_id in (1, 2, 3):
        assert at_once.by_index.get(index_id, Intervals()) == each.by_index.get(index_id, Intervals())


@given(reads, reads)
def test_merging_read_sets_is_reading_both(
    one: list[tuple[int, Interval]], two: list[tuple[int, Interval]]
) -> None:
    merged = record(one)
    merged.merge(record(two))
    assert merged == record(one + two)
    assert merged.count == record(one + two).count


@given(reads, st.integers(1, 3), intervals)
def test_a_read_in_progress_belongs_to_the_set_before_and_after_it_closes(
    items: list[tuple[int, Interval]], index_id: int, interval: Interval
) -> None:
    expected = record([*items, (index_id, interval)])
    read_set = record(items)
    read = read_set.open(index_id)
    assert read_set == record(items)
    read.interval = interval
    assert read_set == expected
    assert read_set.copy() == expected
    assert {key for key in UNIVERSE if read_set.contains(index_id, key)} == {
        key for key in UNIVERSE if expected.contains(index_id, key)
    }
    read_set.close(read)
    assert read_set == expected
    assert read_set.count == expected.count


def test_a_read_in_progress_can_be_trimmed_until_it_closes() -> None:
    read_set = ReadSet()
    read = read_set.open(7)
    read.interval = Interval(b"a", b"z")
    read.interval = Interval(b"a", b"b")
    assert not read_set.contains(7, b"c")
    assert read_set.count == 1
    read_set.close(read)
    read.interval = Interval(b"a", None)
    assert not read_set.contains(7, b"c")
    read_set.close(read)
    assert read_set.count == 1


def test_an_empty_interval_leaves_no_trace() -> None:
    read_set = ReadSet()
    read_set.record(1, Interval(b"b", b"a"))
    assert read_set.by_index == {}
    assert read_set.count == 0
