"""Which segments become one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.database.derived.segments.tiers import SegmentSize, Tiers

TIERS = Tiers(10, 160, 160 * 100)


def settled(sizes: list[SegmentSize]) -> tuple[list[SegmentSize], int]:
    """The segments once nothing is due, and how many slots were written for it."""
    written = 0
    while (due := TIERS.due(sizes)) is not None:
        live = sum(sizes[place].slots - sizes[place].dead for place in due)
        assert len(due) > 1 or sizes[due[0]].dead
        written += live
        rest = [size for place, size in enumerate(sizes) if place not in due]
        sizes = [*rest, *([SegmentSize(live, 0, live * 100)] if live else [])]
    return sizes, written


def test_each_document_is_written_a_few_times_and_segments_stay_few() -> None:
    sizes: list[SegmentSize] = []
    written = 0
    for number in range(1, 400):
        sizes, more = settled([*sizes, SegmentSize(10, 0, 1000)])
        written += more
        assert all(size.slots <= 160 for size in sizes)
        assert len(sizes) <= 10 + number * 10 // 80
    assert written <= 4000 * 3


@given(
    st.lists(
        st.integers(0, 160).flatmap(
            lambda n: st.builds(SegmentSize, st.just(n), st.integers(0, n), st.just(n * 100))
        )
    )
)
def test_it_comes_to_an_end_with_little_that_is_dead(sizes: list[SegmentSize]) -> None:
    rest, _ = settled(sizes)
    assert sum(size.slots - size.dead for size in rest) == sum(size.slots - size.dead for size in sizes)
    assert all(size.dead * 4 <= size.slots <= 160 for size in rest)
    small = [size for size in rest if size.slots <= 10]
    assert len(small) < 4


def test_large_documents_make_segments_of_fewer() -> None:
    assert TIERS.due([SegmentSize(10, 0, 9000)] * 4) is None
    assert TIERS.due([SegmentSize(10, 0, 5000)] * 4) == [0, 1, 2]
