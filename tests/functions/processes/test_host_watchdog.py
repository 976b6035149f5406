"""Deciding from outside whether a step has used up its time."""

from __future__ import annotations

import os
import time
from pathlib import Path

from parabola.functions.processes.host_watchdog import ActivityFile, StepWatch, process_cpu_seconds


def look(watch: StepWatch, step: tuple[int, float], now: float, cpu: float | None) -> int | None:
    return watch.look((step[0], int(step[1] * 1e9)), now, cpu)


def test_an_idle_host_is_left_alone() -> None:
    watch = StepWatch()
    assert all(look(watch, (0, 0), now, now) is None for now in range(10))


def test_steps_that_end_in_time_are_left_alone() -> None:
    watch = StepWatch()
    for i in range(100):
        assert look(watch, (i + 1, i * 0.9), i * 0.9 + 0.5, i * 0.9) is None


def test_a_step_that_computes_too_long_is_found() -> None:
    watch = StepWatch(limit=1.0)
    found = [look(watch, (7, 10.0), 10.0 + t / 10, 3.0 + t / 10) for t in range(20)]
    assert found[:12] == [None] * 12
    assert found[-1] == 7


def test_a_host_on_a_busy_machine_has_time_to_end_the_step_itself() -> None:
    watch = StepWatch(limit=1.0)
    found = [look(watch, (7, 10.0), 10.0 + t / 5, 3.0 + t / 10) for t in range(13)]
    assert found[:11] == [None] * 11, "the host has just been told that the time is over"
    assert found[-1] == 7


def test_a_step_is_slow_once_it_has_computed_for_a_while() -> None:
    watch = StepWatch(limit=1.0)
    slow = []
    for t in range(6):
        look(watch, (7, 10.0), 10.0 + t / 10, 3.0 + t / 10)
        slow.append(watch.slow)
    assert slow == [None, None, None, 7, 7, 7]
    look(watch, (8, 10.55), 10.6, 3.6)
    assert watch.slow is None


def test_a_step_that_had_no_processor_is_not_guilty() -> None:
    watch = StepWatch(limit=1.0, wall_limit=5.0)
    assert all(look(watch, (7, 10.0), 10.0 + t / 10, 3.0 + t / 100) is None for t in range(45))


def test_a_step_that_sleeps_is_found_later() -> None:
    watch = StepWatch(limit=1.0, wall_limit=5.0)
    found = [watch.look((7, 10_000_000_000), 10.0 + t, 3.0, 20.0) for t in range(8)]
    assert found == [None] * 5 + [7] * 3


def test_time_in_which_others_had_the_processor_counts_for_nothing() -> None:
    watch = StepWatch(limit=1.0, wall_limit=5.0)
    found = [watch.look((7, 10_000_000_000), 10.0 + t, 3.0 + t / 100, 20.0 + t * 0.9) for t in range(40)]
    assert found == [None] * 40
    watch = StepWatch(limit=1.0, wall_limit=5.0)
    found = [watch.look((7, 10_000_000_000), 10.0 + t, 3.0 + t / 100, 20.0 + t * 0.5) for t in range(12)]
    assert found[:10] == [None] * 10
    assert found[-1] == 7


def test_where_the_system_does_not_say_who_had_the_processor_more_time_may_pass() -> None:
    watch = StepWatch(limit=1.0, wall_limit=5.0)
    found = [look(watch, (7, 10.0), 10.0 + t, 3.0) for t in range(31)]
    assert found == [None] * 30 + [7]


def test_without_processor_times_the_clock_decides() -> None:
    watch = StepWatch(limit=1.0)
    assert [look(watch, (7, 10.0), 10.0 + t, None) for t in range(3)] == [None, None, 7]


def test_the_same_run_in_another_step_starts_anew() -> None:
    watch = StepWatch(limit=1.0)
    assert look(watch, (7, 10.0), 10.9, None) is None
    assert look(watch, (7, 10.95), 11.5, None) is None
    assert look(watch, (7, 10.95), 11.8, None) is None


def test_a_start_set_back_by_earlier_steps_counts_as_used() -> None:
    watch = StepWatch(limit=1.0)
    assert look(watch, (0, 0), 9.9, 3.0) is None
    assert look(watch, (7, 9.1), 10.0, 3.05) is None
    assert look(watch, (7, 9.1), 10.1, 3.15) is None
    assert look(watch, (7, 9.1), 10.3, 3.25) == 7


def test_the_activity_file_is_read_and_removed(tmp_path: Path) -> None:
    activity = ActivityFile(tmp_path)
    with open(activity.path, "r+b") as file:
        file.write((12).to_bytes(8, "little") + (34).to_bytes(8, "little"))
    assert activity.read() == (12, 34)
    activity.close()
    assert not os.path.exists(activity.path)


def test_processor_time_of_a_process_is_known() -> None:
    before = process_cpu_seconds(os.getpid())
    assert before is not None
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    after = process_cpu_seconds(os.getpid())
    assert after is not None
    assert after > before
    assert process_cpu_seconds(2**22 + 1) is None
