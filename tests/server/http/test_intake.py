"""One budget for what is being read: large requests leave room for small ones, and one is always read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.server.http.intake import SMALL_BYTES, Intake
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


class Waiter:
    """Holds some of the budget, and waits for its client since `clock` says."""

    def __init__(self, intake: Intake, size: int) -> None:
        self.lease = intake.lease()
        self.lease.may_give_way(self)
        self.lease.take(size)

    def spare(self) -> int:
        return self.lease.held

    def give_way(self) -> None:
        self.lease.release()


def test_those_who_take_their_time_give_way_and_the_largest_and_oldest_first():
    now = 0.0
    intake = Intake(8 * MEGABYTE, patience=30.0, clock=lambda: now)
    small = Waiter(intake, MEGABYTE)
    now = 1.0
    large = Waiter(intake, 3 * MEGABYTE)
    young = Waiter(intake, 2 * MEGABYTE)
    busy = intake.lease()
    now = 20.0
    with pytest.raises(Overloaded):
        busy.take(MEGABYTE)
    now = 60.0
    busy.take(MEGABYTE)
    assert [each.lease.held // MEGABYTE for each in (small, large, young)] == [1, 0, 2]
    busy.take(4 * MEGABYTE)  # needs more than either gives
    assert [each.lease.held // MEGABYTE for each in (small, large, young)] == [1, 0, 0]
    late = Waiter(intake, 64)
    with pytest.raises(Overloaded):
        late.lease.take(MEGABYTE)
    assert small.lease.held == MEGABYTE, "nobody gives way in vain"
    assert busy.held == 5 * MEGABYTE, "who works does not give way"


def test_small_ones_that_take_their_time_give_way_to_small_ones():
    now = 0.0
    intake = Intake(4 * MEGABYTE, patience=30.0, clock=lambda: now)
    waiters = [Waiter(intake, SMALL_BYTES) for _ in range(16)]
    now = 10.0
    with pytest.raises(Overloaded):
        intake.lease().take(1000)
    now = 31.0
    for _ in range(100):
        intake.lease().take(1000)
    assert sum(each.lease.held == 0 for each in waiters) == 2


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
