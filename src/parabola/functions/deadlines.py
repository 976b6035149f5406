"""The waiting time of queries and mutations: one timer looks after all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parabola.functions.failures import FunctionFailure

if TYPE_CHECKING:
    from parabola.functions.hosts import Run

SYSTEM_TIME_LIMIT_SECONDS = 15.0
"""Time of a query or mutation in which it is not its own code that runs (js-runtime §5.5)."""
SLOW_SYSTEM_FAILURE = FunctionFailure(
    "Your request timed out performing too many system operations.", kind="timeout"
)


class DeadlinePassed(Exception):
    """The run has waited too long; its attempt is over."""


class Deadlines:
    """Ends runs whose deadline has passed. Looks once in an interval, so an end may come that much late."""

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._runs: dict[Run, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, run: Run, deadline: float) -> None:
        """End `run` with `DeadlinePassed` at `deadline`, in seconds of the event loop's clock."""
        self._runs[run] = deadline
        if self._timer is None:
            self._timer = run.host.loop.call_later(self._interval, self._look)

    def forget(self, run: Run) -> None:
        """The run has ended."""
        self._runs.pop(run, None)

    def close(self) -> None:
        """Watch nothing any more."""
        self._runs.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if not self._runs:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for run in [run for run, deadline in self._runs.items() if deadline <= now]:
            del self._runs[run]
            run.fail(DeadlinePassed())
        if self._runs:
            self._timer = loop.call_later(self._interval, self._look)
