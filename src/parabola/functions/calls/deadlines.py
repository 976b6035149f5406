"""The waiting time of queries and mutations: one timer looks after all of them.

Time in which this process or the run's host waited for a processor is nobody's fault, and moves the deadline.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.processes.host_watchdog import process_waiting_seconds

if TYPE_CHECKING:
    from parabola.functions.processes.host_connection import HostConnection
    from parabola.functions.processes.host_run import Run

__all__ = ["MAX_EXTENSION_SECONDS", "SLOW_SYSTEM_FAILURE", "DeadlinePassed", "Deadlines"]

SLOW_SYSTEM_FAILURE: Final = FunctionFailure(
    "Your request timed out performing too many system operations.", kind="timeout"
)


class DeadlinePassed(Exception):
    """The run has waited too long; its attempt is over."""


MAX_EXTENSION_SECONDS: Final = 60.0
"""How far a deadline is moved at most on a machine that is too busy."""


class Deadlines:
    """Ends runs whose deadline has passed. Looks once in an interval, so an end may come that much late."""

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._runs: dict[Run, float] = {}
        self._latest: dict[Run, float] = {}
        """How far the deadlines may be moved that have been moved."""
        self._waiting: float | None = None
        """How long this process had waited for a processor at the last look."""
        self._hosts_waiting: dict[HostConnection, float] = {}
        """The same for hosts."""
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, run: Run, deadline: float) -> None:
        """End `run` with `DeadlinePassed` at `deadline`, in seconds of the event loop's clock."""
        self._runs[run] = deadline
        self._latest.pop(run, None)
        if self._timer is None:
            self._waiting = process_waiting_seconds("self")
            self._timer = run.host.loop.call_later(self._interval, self._look)

    def forget(self, run: Run) -> None:
        """The run has ended."""
        self._runs.pop(run, None)
        if self._latest:
            self._latest.pop(run, None)

    def close(self) -> None:
        """Watch nothing any more."""
        self._runs.clear()
        self._latest.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if not self._runs:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        waiting, before = process_waiting_seconds("self"), self._waiting
        self._waiting = waiting
        lost = 0.0 if waiting is None or before is None else waiting - before
        self._extend(lost)
        for run in [run for run, deadline in self._runs.items() if deadline <= now]:
            self.forget(run)
            run.fail(DeadlinePassed())
        if self._runs:
            self._timer = loop.call_later(self._interval, self._look)

    def _extend(self, lost: float) -> None:
        """Move deadlines by the longer of what this process has `lost` since the last look and what the run's
        host has.
        """
        before, self._hosts_waiting = self._hosts_waiting, {}
        for host in {run.host for run in self._runs}:
            waiting = host.waiting_seconds()
            if waiting is not None:
                self._hosts_waiting[host] = waiting
        for run, deadline in self._runs.items():
            now = self._hosts_waiting.get(run.host, 0.0)
            moved = max(lost, now - before.get(run.host, now))
            if moved > 0.0:
                latest = self._latest.setdefault(run, deadline + MAX_EXTENSION_SECONDS)
                self._runs[run] = min(deadline + moved, latest)
