"""Ages count the time in which the server ran, and no clock that jumps makes young things old."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from database.stores import DAY_NS, SECOND_NS, Clock, collect, insert, opened, patch
from parabola.database.upkeep.running_time import SPACING, RunningTime
from parabola.database.upkeep.vacuum import Retention

RETENTION = Retention(indexes=100.0, documents=1000.0, interval=3600.0)

# What happens: time passes, somebody sets the clock, the server is started anew after some time.
events = st.lists(
    st.tuples(st.just("pass"), st.floats(0.0, 5000.0))
    | st.tuples(st.just("jump"), st.floats(-1e6, 1e6))
    | st.tuples(st.just("restart"), st.floats(0.0, 1e6)),
    max_size=30,
)


@given(events, st.lists(st.floats(0.0, 50_000.0), min_size=1, max_size=4))
@example([("jump", -2.0), ("pass", 2.0), ("pass", 4948.0), ("pass", 5000.0)], [9950.0])
@example([("jump", -2.0), ("pass", 2.0), ("pass", 177.0), *[("pass", 5000.0)] * 3], [15179.0])
def test_nothing_is_taken_for_older_than_the_server_has_run_since(
    events: list[tuple[str, float]], ages: list[float]
) -> None:
    clock = Clock()
    ran = 0.0
    newest = [0]
    running = RunningTime(clock, clock.count, lambda: newest[0], None)
    commits: list[tuple[float, int]] = []  # how long the server had run, and the timestamp
    noted: list[tuple[float, int]] = []  # the same with what the clock showed
    for what, amount in events:
        if what == "pass":
            clock.advance(amount)
            ran += amount
        elif what == "jump":
            clock.jump(amount)
        else:
            clock.advance(amount)
            running = RunningTime(clock, clock.count, lambda: newest[0], running.to_bytes())
        running.observe()
        newest[0] = max(newest[0] + 1, clock())
        commits.append((ran, newest[0]))
        noted.append((ran, clock()))
        clock.advance(1e-6)  # a reading and a commit at the very same moment are not told apart
        ran += 1e-6
        for age in ages:
            before = running.reading_before(age)
            assert all(ran - then >= age - 0.01 for then, ts in commits if ts <= before)
            shown = running.clock_before(age)
            assert all(ran - then >= age - 0.01 for then, time in noted if time <= shown)


@given(st.lists(st.floats(1.0, 500.0), min_size=1, max_size=200), st.floats(0.1, 20_000.0))
def test_with_a_steady_clock_an_age_is_exact_however_long_it_runs(steps: list[float], age: float) -> None:
    clock = Clock()
    running = RunningTime(clock, clock.count, lambda: 0, None)
    for seconds in steps:
        clock.advance(seconds)
        running.observe()
    expected = clock.now - int(age * SECOND_NS)
    found = running.reading_before(age)
    assert found == 0 if age > sum(steps) + 0.001 else abs(found - expected) < SECOND_NS or found == 0
    assert abs(running.clock_before(age) - found) < SECOND_NS or found == 0


def test_clocks_that_are_read_a_moment_apart_have_not_jumped() -> None:
    clock = Clock()
    ahead = [5_000_000]
    running = RunningTime(lambda: clock() + ahead[0], clock.count, lambda: 0, None)
    ahead[0] = 0
    clock.advance(60.0)
    assert running.reading_before(10.0) > clock.now - 11 * SECOND_NS
    assert running.reading_before(0.0) >= clock.now


def test_months_of_readings_take_little_room() -> None:
    clock = Clock()
    running = RunningTime(clock, clock.count, lambda: 0, None)
    for _ in range(20_000):
        clock.advance(240.0)
        running.observe()
    assert len(running.to_bytes()) < 10_000
    assert abs(running.reading_before(14 * 24 * 3600.0) - (clock.now - 14 * DAY_NS)) < SPACING * 14 * DAY_NS


async def test_a_clock_that_jumps_forward_is_said_and_removes_nothing_young(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        [id] = await insert(database, "t", {"n": 0.0})
        ts = database.durable_ts
        await patch(database, id, {"n": 1.0})
        clock.advance(20)
        clock.jump(30 * 24 * 3600)
        await patch(database, id, {"n": 2.0})
        await database.vacuum()
        assert "the system clock jumped forward by 2,592,000 seconds" in caplog.text
        [document] = await collect(database.begin(ts=ts), "t")
        assert document.value["n"] == 0.0
        assert [entry.ts > ts for entry in await database.log_after(ts, 10)] == [True, True]


def test_what_is_noted_by_a_clock_that_was_put_back_is_not_old_at_once() -> None:
    clock = Clock()
    newest = [0]
    running = RunningTime(clock, clock.count, lambda: newest[0], None)
    clock.jump(365 * 24 * 3600)
    newest[0] = clock.now
    running.observe()
    clock.jump(-365 * 24 * 3600)
    for _ in range(20):
        clock.advance(24 * 3600)
        running.observe()
    before = running.clock_before(14 * 24 * 3600)
    assert clock.now - 20 * DAY_NS < before <= clock.now - 14 * DAY_NS


def test_readings_that_were_damaged_are_forgotten() -> None:
    clock = Clock()
    for stored in (b"", b"[[0.0, 1", b"[[0.0, 1]]", b"\xff", b"[1]", b"{}"):
        assert RunningTime(clock, clock.count, lambda: 0, stored).reading_before(5.0) == 0


async def test_a_clock_that_was_put_back_does_not_keep_history_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        [id] = await insert(database, "t", {"n": 0.0})
        await database.vacuum()
        clock.jump(-24 * 3600)
        for n in range(50):
            clock.advance(100)
            await patch(database, id, {"n": float(n)})
            await database.vacuum()
        count = database.persistence._db.execute("SELECT count(*) FROM superseded").fetchone()[0]  # type: ignore[attr-defined]
        assert count <= 13


async def test_a_start_behind_the_newest_commit_says_that_the_clock_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        await insert(database, "t", {})
    clock.jump(-5000)
    with caplog.at_level(logging.WARNING):
        async with opened(tmp_path, clock=clock) as database:
            await insert(database, "t", {})
    assert "5,000 seconds ahead of the system clock" in caplog.text
