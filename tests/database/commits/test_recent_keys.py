"""Whether a read is touched by recent commits is the same by all of them at once and one after the other."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.database.commits.test_write_log import reading, write_set

from parabola.database.commits import recent_keys
from parabola.database.commits.recent_keys import RecentKeys
from parabola.database.commits.write_log import LoggedCommit, WriteLog, newest_touching
from parabola.database.model.intervals import Interval, ReadSet

keys = st.binary(min_size=1, max_size=2).map(lambda key: bytes(byte % 6 for byte in key))
commits = st.lists(st.dictionaries(st.integers(1, 2), st.lists(keys, max_size=6).map(sorted)), max_size=12)
intervals = st.tuples(keys, st.none() | keys).map(lambda pair: Interval(*pair))
reads = st.lists(st.tuples(st.integers(1, 3), intervals), max_size=4)


@given(commits, reads, st.integers(0, 13), st.integers(1, 8), st.integers(2, 20), st.integers(1, 4))
def test_an_answer_is_that_of_a_walk_through_the_commits(
    written: list[dict[int, list[bytes]]],
    read: list[tuple[int, Interval]],
    after: int,
    least_commits: int,
    most_keys: int,
    walk: int,
) -> None:
    read_set = ReadSet()
    for index_id, interval in read:
        read_set.record(index_id, interval)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_keys, "LEAST_COMMITS", least_commits)
        patch.setattr(recent_keys, "MOST_KEYS", most_keys)
        patch.setattr(recent_keys, "LONGEST_WALK", walk)
        recent = RecentKeys(0)
        for ts, commit in enumerate(written, start=1):
            recent.append(ts, commit)
        answer = recent.is_touched(read_set.by_index, after)
    newest_first = [
        LoggedCommit(ts, "", commit, {}, 0) for ts, commit in reversed(list(enumerate(written, start=1)))
    ]
    walked = newest_touching(newest_first, read_set, after) is not None
    assert answer is None or answer is walked
    if after >= len(written):
        assert answer is not True


@given(st.lists(st.tuples(st.sampled_from(["commit", "cut", "forget"]), keys, st.integers(1, 5))), reads)
def test_a_log_that_is_cut_and_forgotten_from_finds_what_a_walk_finds(
    steps: list[tuple[str, bytes, int]], read: list[tuple[int, Interval]]
) -> None:
    log, kept, ts = WriteLog(0), list[LoggedCommit](), 0
    read_set = ReadSet()
    for index_id, interval in read:
        read_set.record(index_id, interval)
    for step, key, number in steps:
        if step == "commit":
            ts += 1
            log.append(made := write_set(ts, None, key, index=1 + number % 2))
            kept.append(LoggedCommit(ts, made.source, made.keys, {}, 0))
        elif step == "cut":
            ts = max(log.start_ts, ts - number)
            log.drop_after(ts)
            kept = [commit for commit in kept if commit.ts <= ts]
        else:
            log.forget_through(log.start_ts + number, number)
        for after in range(log.start_ts, ts + 1):
            found, walked = (
                log.first_touching(read_set, after),
                newest_touching(reversed(kept), read_set, after),
            )
            assert (found and (found.commit.ts, found.index_id, found.key)) == (
                walked and (walked.commit.ts, walked.index_id, walked.key)
            )


def test_a_check_does_not_walk_through_the_commits_since_a_transaction_began() -> None:
    log = WriteLog(0)
    for ts in range(1, 101):
        log.append(write_set(ts, None, b"%03d" % ts))
    read_set = reading(Interval.point(b"x"), Interval(b"200", b"300"))
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        found = log.first_touching(read_set, 0)
    finally:
        sys.setprofile(None)
    assert found is None
    assert calls < 30
