"""A set of request ids: it answers like a set and stays small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.server.sync.request_ids import RequestIds


@given(st.lists(st.integers(0, 30)))
def test_it_answers_like_a_set(numbers: list[int]):
    ids, model = RequestIds(), set[int]()
    for number in numbers:
        assert ids.add(number) == (number not in model)
        model.add(number)
        assert all((each in ids) == (each in model) for each in range(32))


@given(st.permutations(range(100)))
def test_a_run_without_gaps_takes_one_range(numbers: list[int]):
    ids = RequestIds()
    for number in numbers:
        ids.add(number)
    assert ids.ranges == [(0, 100)]
