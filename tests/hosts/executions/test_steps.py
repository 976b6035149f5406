"""Steps are interrupted when their processor time is used up, by one timer for all of them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from parabola.hosts.python.executions import steps as steps_module
from parabola.hosts.python.executions.steps import TICK_SECONDS, FunctionTimedOut, Steps


class Process:
    """The processor time of a process, its timer, and who hears of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cpu_ns = 0
        self.timers: list[tuple[float, ...]] = []
        self._handler: Callable[..., None] | None = None
        monkeypatch.setattr(steps_module, "_cpu_ns", lambda: self.cpu_ns)
        monkeypatch.setattr(signal, "signal", self._take)
        monkeypatch.setattr(signal, "setitimer", lambda which, *seconds: self.timers.append(seconds))

    def _take(self, number: int, handler: Callable[..., None]) -> None:
        self._handler = handler

    def compute(self, seconds: float) -> None:
        """Uses processor time; the timer ticks meanwhile."""
        assert self._handler is not None
        for _ in range(round(seconds / TICK_SECONDS)):
            self.cpu_ns += round(TICK_SECONDS * 1e9)
            self._handler(signal.SIGPROF, None)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    return Process(monkeypatch)


def transaction() -> Any:
    """As much of a transaction as steps need."""
    loop = SimpleNamespace(enter=lambda: (None, None), leave=lambda before: None, drain=lambda: None)
    one = SimpleNamespace(id=1, usage=SimpleNamespace(user_ns=0), loop=loop)
    one.used_seconds = 0.0
    return one


def made(seconds: float) -> Steps:
    steps = Steps(interrupt=True)
    steps.hold_to(seconds, 0)
    return steps


def test_one_timer_serves_all_steps(process: Process) -> None:
    steps, one = made(1.0), transaction()
    for _ in range(100):
        steps.run(one, [lambda: process.compute(0.01)])
    assert process.timers == [(TICK_SECONDS, TICK_SECONDS)]


def test_a_step_has_what_earlier_ones_have_left(process: Process) -> None:
    steps, one = made(1.0), transaction()
    one.used_seconds = 0.5
    steps.run(one, [lambda: process.compute(0.4)])
    with pytest.raises(FunctionTimedOut):
        steps.run(one, [lambda: process.compute(0.6)])
    assert one.usage.user_ns == pytest.approx(0.9e9)


def test_a_limit_of_its_own_holds_for_one_step(process: Process) -> None:
    steps, one = made(1.0), transaction()
    with pytest.raises(FunctionTimedOut):
        steps.run(one, [lambda: process.compute(0.3)], 0.1)
    steps.run(one, [lambda: process.compute(0.3)])


def test_what_happens_between_steps_interrupts_nobody(process: Process) -> None:
    steps, one = made(1.0), transaction()
    steps.run(one, [lambda: process.compute(0.9)])
    process.compute(5.0)
    steps.run(one, [lambda: process.compute(0.9)])


def test_what_happens_in_a_pause_is_not_the_functions(process: Process) -> None:
    steps, one = made(1.0), transaction()
    assert steps.undisturbed is None

    def step() -> None:
        for _ in range(2):
            process.compute(0.4)
            assert steps.undisturbed is one
            steps.pause(one)
            process.compute(5.0)
            steps.resume(one)

    steps.run(one, [step])
    assert one.usage.user_ns == pytest.approx(0.8e9)
    with pytest.raises(FunctionTimedOut):
        steps.run(one, [step, lambda: process.compute(0.3)])


def test_a_step_that_was_interrupted_does_not_pause(process: Process) -> None:
    steps, one = made(0.1), transaction()

    def swallow() -> None:
        try:
            process.compute(0.2)
        except FunctionTimedOut:
            assert steps.undisturbed is None

    with pytest.raises(FunctionTimedOut):
        steps.run(one, [swallow])


def test_something_else_may_be_done_while_a_step_computes_and_not_otherwise(process: Process) -> None:
    steps, one, done = made(1.0), transaction(), 0

    def do() -> None:
        nonlocal done
        done += 1

    steps.meanwhile(do)
    steps.run(one, [lambda: process.compute(5 * TICK_SECONDS)])
    process.compute(5 * TICK_SECONDS)
    assert done == 5


def test_who_swallows_the_interruption_gets_another_one(process: Process) -> None:
    steps, one = made(0.1), transaction()
    interruptions = 0

    def stubborn() -> None:
        nonlocal interruptions
        while interruptions < 3:
            try:
                process.compute(0.2)
            except FunctionTimedOut:
                interruptions += 1

    with pytest.raises(FunctionTimedOut):
        steps.run(one, [stubborn])
    assert interruptions == 3
