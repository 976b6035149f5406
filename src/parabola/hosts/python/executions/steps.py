"""Steps of queries and mutations: one at a time on the main thread, watched from inside and outside."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from resource import RLIMIT_DATA, setrlimit
from types import FrameType
from typing import TYPE_CHECKING, Final

from parabola.hosts.python.executions.memory import MemoryLimit
from parabola.hosts.python.reports.activity import Activity, monotonic_ns

if TYPE_CHECKING:
    from parabola.hosts.python.executions.transaction import Transaction

__all__ = ["REPEAT_SECONDS", "FunctionTimedOut", "Interrupter", "Steps", "timeout_text"]

_cpu_ns = time.thread_time_ns  # taken before anything is replaced
REPEAT_SECONDS: Final = 0.05
"""A function that swallows the interruption gets another one after this time."""
TICK_SECONDS: Final = 0.01
"""Processor time between two looks at what a step has used."""


class FunctionTimedOut(BaseException):
    """The function used up its processor time. Not an `Exception`: user code is not to catch it."""


class Interrupter:
    """Raises `FunctionTimedOut` in the main thread when the processor time of a step is used up.

    The time is the processor's, so a busy machine makes nobody fail; code that sleeps or hangs inside C is
    the business of the engine's watchdog. A timer that ticks while the process computes looks at it: to set
    one for each step would cost two system calls.
    """

    def __init__(self) -> None:
        self.on_tick: Callable[[], None] = lambda: None
        """Called now and then while a step computes."""
        self.on_raise: Callable[[], None] = lambda: None
        """Called before a step is interrupted."""
        self.raised: FunctionTimedOut | None = None
        """The latest interruption of the step; user code may have caught it."""
        self.text = ""
        """What an interrupted function is told."""
        self.armed = False
        """Whether a step is under way that does not pause."""
        self.until_ns = 0
        """The thread's processor time at which it is to be interrupted."""
        self._is_ticking = False

    def install(self) -> None:
        """Take over SIGPROF. Only in a process of our own, from its main thread."""
        signal.signal(signal.SIGPROF, self._expired)

    def arm(self, until_ns: float) -> None:
        """Interrupt when the thread's processor time is beyond that."""
        self.raised = None
        self.until_ns = int(until_ns)
        self.armed = True
        if not self._is_ticking:
            self._is_ticking = True
            signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)

    def _expired(self, number: int, frame: FrameType | None) -> None:
        if not self.armed:
            return
        self.on_tick()
        if (now := _cpu_ns()) >= self.until_ns:
            self.until_ns = now + int(REPEAT_SECONDS * 1e9)
            self.raised = FunctionTimedOut(self.text)
            self.on_raise()
            raise self.raised


class Steps:
    """Runs steps: writes the activity cell, counts the time and, in a process of our own, limits it and the
    memory.
    """

    def __init__(
        self, activity: Activity | None = None, *, interrupt: bool = False, memory: MemoryLimit | None = None
    ) -> None:
        self.memory = memory or MemoryLimit()
        self._show = (activity or Activity(None)).write
        self._limit = 0.0
        self.undisturbed: Transaction | None = None
        """The transaction of which a step is under way, which nobody has interrupted: it may pause."""
        self._started = self._paused = 0
        self._interrupter = Interrupter() if interrupt else None
        if self._interrupter is not None:
            self._interrupter.install()
            self._interrupter.on_raise = self._disturbed

    def _disturbed(self) -> None:
        self.undisturbed = None

    def meanwhile(self, on_tick: Callable[[], None]) -> None:
        """Call this now and then while a step computes, in its place: it must neither raise nor wait."""
        if self._interrupter is not None:
            self._interrupter.on_tick = on_tick

    def hold_to(self, seconds: float, shared_memory: int) -> None:
        """A transaction may take so much processor time, and all of them so many bytes together."""
        self._limit = seconds
        if self._interrupter is not None:
            self._interrupter.text = timeout_text(seconds)
            self.memory.bytes = shared_memory

    def run(
        self, transaction: Transaction, events: Sequence[Callable[[], None]], limit: float | None = None
    ) -> None:
        """Let the events happen, each with everything it sets in motion. Raises `FunctionTimedOut`."""
        loop, interrupter = transaction.loop, self._interrupter
        self._show(transaction.id, monotonic_ns())
        before = loop.enter()
        self.undisturbed = transaction
        self._started = _cpu_ns()
        if (inside := self.memory.inside) is not None:
            setrlimit(RLIMIT_DATA, inside)
        try:
            if interrupter is not None:
                interrupter.arm(self._started + 1e9 * (limit or self._limit - transaction.used_seconds))
            try:
                for event in events:
                    event()
                    _drain(loop.drain)
            finally:
                if interrupter is not None:
                    interrupter.armed = False
        except FunctionTimedOut:
            pass  # it is raised below, as it is when user code has caught it
        finally:
            if inside is not None:
                setrlimit(RLIMIT_DATA, self.memory.outside)
            loop.leave(before)
            transaction.usage.user_ns += _cpu_ns() - self._started
            self.undisturbed = None
            self._show(0, 0)
        if interrupter is not None and interrupter.raised is not None:
            raise interrupter.raised

    def pause(self, transaction: Transaction) -> None:
        """What happens in the middle of a step from now on is not the function's."""
        if (interrupter := self._interrupter) is not None:
            interrupter.armed = False
        if (memory := self.memory).inside is not None:
            setrlimit(RLIMIT_DATA, memory.outside)
        self._paused = paused = _cpu_ns()
        transaction.usage.user_ns += paused - self._started
        self._show(0, 0)

    def resume(self, transaction: Transaction) -> None:
        """The function goes on, with as much time as it had left."""
        self._show(transaction.id, monotonic_ns())
        self._started = started = _cpu_ns()
        if (inside := self.memory.inside) is not None:
            setrlimit(RLIMIT_DATA, inside)
        if (interrupter := self._interrupter) is not None:
            interrupter.until_ns += started - self._paused
            interrupter.armed = True


def _drain(drain: Callable[[], None]) -> None:
    """A function that raises `SystemExit` or `KeyboardInterrupt` fails with it; the host goes on."""
    while True:
        try:
            drain()
            return
        except (SystemExit, KeyboardInterrupt):
            continue


def timeout_text(limit: float) -> str:
    """The text of js-runtime 5.5."""
    return f"Function execution timed out (maximum duration: {limit:g}s)"
