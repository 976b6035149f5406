"""Who read what was taken back, and who did not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.database.commits import taken_back
from parabola.database.commits.taken_back import Forgotten, TakenBack
from parabola.database.commits.write_log import LoggedCommit, Touched
from parabola.database.model.intervals import Interval, ReadSet

INDEX = 5


def commit(ts: int, key: bytes) -> LoggedCommit:
    return LoggedCommit(ts, f"at {ts}", {INDEX: [key]}, {}, 100)


def reads(*keys: bytes) -> ReadSet:
    read_set = ReadSet()
    for key in keys:
        read_set.record(INDEX, Interval.point(key))
    return read_set


def test_who_began_before_the_commits_that_are_no_more_is_not_concerned() -> None:
    times = TakenBack()
    times.add(100, 120, [commit(120, b"a"), commit(110, b"b")])
    assert times.snapshot_of(reads(b"a", b"b"), 100, 0) == 100


def test_who_read_none_of_them_has_read_what_was_kept() -> None:
    times = TakenBack()
    times.add(100, 120, [commit(120, b"a"), commit(110, b"b")])
    assert times.snapshot_of(reads(b"c"), 120, 0) == 100
    # It began before the newest one.
    assert times.snapshot_of(reads(b"a"), 110, 0) == 100


def test_who_read_one_of_them_is_told_which() -> None:
    times = TakenBack()
    times.add(100, 120, [commit(120, b"a"), commit(110, b"b")])
    found = times.snapshot_of(reads(b"b", b"c"), 120, 0)
    assert isinstance(found, Touched)
    assert (found.commit.ts, found.key) == (110, b"b")


def test_what_was_taken_back_before_it_began_does_not_concern_an_execution() -> None:
    times = TakenBack()
    times.add(100, 120, [commit(120, b"a")])
    assert times.snapshot_of(reads(b"a"), 130, times.generation) == 130
    times.add(125, 130, [commit(130, b"b")])
    assert times.snapshot_of(reads(b"a"), 130, 1) == 125
    assert isinstance(times.snapshot_of(reads(b"a"), 130, 0), Touched)


def test_what_was_kept_at_first_may_go_later() -> None:
    times = TakenBack()
    times.add(110, 120, [commit(120, b"a")])
    times.add(100, 110, [commit(110, b"b")])
    assert times.snapshot_of(reads(b"c"), 120, 0) == 100
    assert isinstance(times.snapshot_of(reads(b"b"), 120, 0), Touched)


def test_a_commit_that_is_no_more_is_known_by_its_timestamp() -> None:
    times = TakenBack()
    times.add(100, 120, [commit(120, b"a"), commit(110, b"b")])
    times.add(130, 140, [commit(140, b"a")])
    assert [ts for ts in range(90, 160, 10) if times.includes(ts)] == [110, 120, 140]
    times.add(120, 150, [commit(150, b"c")])
    assert [ts for ts in range(90, 170, 10) if times.includes(ts)] == [110, 120, 130, 140, 150]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30), st.sampled_from([3, 1000]))
def test_no_commit_that_is_no_more_is_taken_for_one_that_is(
    times: list[tuple[int, int]], stretches: int
) -> None:
    """Each time so many commits come, and so many of all are taken back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taken_back, "LOST_STRETCHES", stretches)
        record, live, lost, now = TakenBack(), [0], set[int](), 0
        for more, less in times:
            for _ in range(more):
                now += 1
                live.append(now)
            gone = live[max(1, len(live) - less) :]
            if gone:
                del live[-len(gone) :]
                lost |= set(gone)
                record.add(live[-1], gone[-1], [])
        said = {ts for ts in range(1, now + 1) if record.includes(ts)}
        assert said >= lost
        if stretches > len(times):
            assert said == lost


def test_only_so_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_back, "REMEMBERED", 2)
    times = TakenBack()
    for ts in range(100, 140, 10):
        times.add(ts, ts + 5, [commit(ts + 5, b"a")])
    assert times.generation == 4
    assert times.snapshot_of(reads(b"b"), 135, 2) == 120
    with pytest.raises(Forgotten):
        times.snapshot_of(reads(b"b"), 135, 1)


def test_so_much_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_back, "REMEMBERED_BYTES", 250)
    times = TakenBack()
    for ts in range(100, 150, 10):
        times.add(ts, ts + 5, [commit(ts + 5, b"a")])
    assert times.snapshot_of(reads(b"b"), 145, 3) == 130
    with pytest.raises(Forgotten):
        times.snapshot_of(reads(b"b"), 145, 2)
