"""Which run is executing user code in a host, and for how long: read from outside, so that a busy loop cannot
lie.

The host writes into its activity file: the id of the run that executes user code now (0 when idle), the
`CLOCK_MONOTONIC` nanoseconds at which this step began, and how much memory was in use then that is not the
run's. The engine maps the file and looks at it while work is in flight.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = [
    "ACTIVITY_VARIABLE",
    "ActivityFile",
    "StepWatch",
    "process_cpu_seconds",
    "process_memory_bytes",
    "process_waiting_seconds",
]

ACTIVITY_VARIABLE: Final = "PARABOLA_ACTIVITY"
_CELL: Final = struct.Struct("<QQQ")


class ActivityFile:
    """The cell shared with one host, a file in the folder of its process."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "activity")
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(descriptor, _CELL.size)
            self._map = mmap.mmap(descriptor, _CELL.size, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)

    def read(self) -> tuple[int, int]:
        """(run id, start of its step in monotonic nanoseconds); (0, _) when no user code runs."""
        run_id, started, _ = _CELL.unpack_from(self._map)
        return run_id, started

    def memory_of_others(self) -> int:
        """Bytes that were not the run's when its step began; 0 from hosts that do not say."""
        others: int = _CELL.unpack_from(self._map)[2]
        return others

    def remove_name(self) -> None:
        """The host has opened the file: user code has no business with it."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass

    def close(self) -> None:
        """Remove the file."""
        self._map.close()
        self.remove_name()


def process_cpu_seconds(pid: int) -> float | None:
    """Processor time used by a process so far, `None` where the system does not tell."""
    try:
        return time.clock_gettime(
            ((~pid) << 3) | 2
        )  # Linux: the CPU-time clock of another process, clock_getcpuclockid(3)
    except (OSError, OverflowError, ValueError):
        return None


def process_waiting_seconds(pid: int | str) -> float | None:
    """How long the main thread of a process has been ready to run and found no processor, `None` where the
    system does not tell.
    """
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as schedstat:
            return int(schedstat.read().split()[1]) / 1e9  # Linux: proc_pid_schedstat(5)
    except (OSError, ValueError, IndexError):
        return None


def process_memory_bytes(pid: int) -> int | None:
    """Resident memory of a process, `None` where the system does not tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return None


class StepWatch(Struct):
    """Decides from repeated looks at the activity cell when a step has used up its time.

    A step is over its limit when it has used `limit` seconds of processor time, or when `wall_limit` seconds
    have passed in which it could have run (it sleeps or waits where it must not). Processor time is what
    counts first, so that a loaded machine does not kill innocent calls, and time in which others had the
    processor counts for nothing; where the system does not tell of that, `patience` times as much may pass. A
    host may set a step's start back by what the run has used before; that counts as used.
    """

    limit: float = 1.0
    wall_limit: float = 5.0
    patience: float = 6.0
    grace: float = 0.15
    cpu_grace: float = 0.04
    """Processor time beyond the limit in which a host may end the step itself, which costs no process."""
    slow_limit: float = 0.25
    """Seconds of processor time after which a step is called slow."""
    slow: int | None = None
    """The run of a slow step, as of the last look."""
    _step: tuple[int, int] = (0, 0)
    _used_before: float = 0.0
    """Time the step had used when it was seen first."""
    _cpu_then: float = 0.0
    _waiting_then: float = 0.0
    _last_look: float = 0.0
    _last_cpu: float = 0.0

    def look(
        self, step: tuple[int, int], now: float, cpu: float | None, waiting: float | None = None
    ) -> int | None:
        """The id of a run whose step is over its limit, if any. All times are seconds; `waiting` is how long
        the process has waited for a processor since it began.
        """
        since_look, self._last_look = now - self._last_look, now
        cpu_since_look, self._last_cpu = (cpu or 0.0) - self._last_cpu, cpu or 0.0
        run_id, started = step
        if step != self._step:
            self.slow = None
        if run_id == 0:
            self._step = step
            return None
        elapsed = now - started / 1e9
        if step != self._step:
            # It cannot have begun before the last look: what goes beyond that was used in earlier steps.
            earlier = max(0.0, elapsed - since_look)
            self._step = step
            self._used_before = earlier + min(elapsed - earlier, max(0.0, cpu_since_look))
            self._cpu_then = cpu or 0.0
            self._waiting_then = waiting or 0.0
            return None
        if cpu is not None and cpu - self._cpu_then >= self.slow_limit:
            self.slow = run_id
        if elapsed < self.limit + self.grace:
            return None
        if cpu is None or self._has_idled(elapsed, waiting):
            return run_id
        return run_id if self._used_before + cpu - self._cpu_then >= self.limit + self.cpu_grace else None

    def _has_idled(self, elapsed: float, waiting: float | None) -> bool:
        if waiting is None:
            return elapsed >= self.wall_limit * self.patience
        return elapsed - (waiting - self._waiting_then) >= self.wall_limit
