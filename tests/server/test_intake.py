"""One budget for what is being read: large requests leave room for small ones, and one is always read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.server.intake import SMALL_BYTES, Intake
from parabola.values.errors import Overloaded

MEGABYTE = 1024 * 1024


def test_a_single_large_request_is_read_whatever_it_takes():
    intake = Intake(MEGABYTE)
    first = intake.lease()
    first.take(50 * MEGABYTE)
    with pytest.raises(Overloaded) as refused:
        intake.lease().take(SMALL_BYTES + 1)
    assert refused.value.code == "TooManyConcurrentRequests"
    first.release()
    intake.lease().take(50 * MEGABYTE)


def test_large_requests_leave_room_for_small_ones():
    intake = Intake(4 * MEGABYTE)
    large = intake.lease()
    large.take(100 * MEGABYTE)
    small = [intake.lease() for _ in range(16)]
    for lease in small:
        lease.take(SMALL_BYTES)
    with pytest.raises(Overloaded):
        intake.lease().take(1)
    small[0].release()
    intake.lease().take(SMALL_BYTES)


def test_what_is_refused_holds_nothing_more():
    intake = Intake(4 * MEGABYTE)
    one, other = intake.lease(), intake.lease()
    one.take(2 * MEGABYTE)
    other.take(MEGABYTE // 2)
    with pytest.raises(Overloaded):
        other.take(2 * MEGABYTE)
    assert (other.held, intake.held) == (MEGABYTE // 2, 2 * MEGABYTE + MEGABYTE // 2)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-200_000, 400_000))))
def test_the_sum_is_the_sum_of_all_leases_and_bounded(changes: list[tuple[int, int]]):
    intake = Intake(MEGABYTE)
    leases = [intake.lease() for _ in range(10)]
    for which, change in changes:
        lease = leases[which]
        try:
            lease.take(change) if change > 0 else lease.give_back(min(-change, lease.held))
        except Overloaded:
            pass
        held = [each.held for each in leases]
        assert intake.held == sum(held)
        assert sum(h for h in held if h <= SMALL_BYTES) <= MEGABYTE // 4 or change < 0
        assert intake.held <= max(MEGABYTE, max(held) + MEGABYTE // 4) or change < 0
    for lease in leases:
        lease.release()
    assert intake.held == 0
