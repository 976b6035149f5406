"""The memory of queries and mutations: one that keeps growing fails, and leaves the process intact."""

from __future__ import annotations

import gc
import resource
import traceback
from pathlib import Path
from typing import Final

MEGABYTE: Final = 1024 * 1024
DEFAULT_LIMIT_MB: Final = 512
"""What queries and mutations of one process may use together, on top of the loaded modules."""


MAX_CAUSES: Final = 100
"""Exceptions in a chain whose frames are cleared."""


class MemoryLimit:
    """Makes allocations fail with ``MemoryError`` beyond ``megabytes`` more than the loaded host has.

    The limit is in force during steps of user code only, so that the host itself never lacks memory. Linux
    counts private writable memory against RLIMIT_DATA; where a system does not, nothing is limited and the
    engine's watchdog is what remains. ``MemoryLimit(0)`` never limits anything.
    """

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self._limit: int | None = None
        self._hard = resource.RLIM_INFINITY

    @property
    def text(self) -> str:
        """What a function is told that used up its memory."""
        size = f" (maximum memory usage: {self._megabytes} MB)" if self._megabytes else ""
        return f"Function execution ran out of memory{size}. Read and keep less in one call."

    def measure(self) -> None:
        """What the process has now is not counted: the modules are loaded, nothing runs."""
        used = _data_bytes()
        if self._megabytes and used is not None:
            _, self._hard = resource.getrlimit(resource.RLIMIT_DATA)
            self._limit = used + self._megabytes * MEGABYTE
            if self._hard != resource.RLIM_INFINITY:
                self._limit = min(self._limit, self._hard)

    def begin(self) -> None:
        """A step begins."""
        if self._limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (self._limit, self._hard))

    def end(self) -> None:
        """The step is over."""
        if self._limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (self._hard, self._hard))

    def recover(self, error: BaseException) -> None:
        """Free what a function held that ran out of memory: the variables of its frames."""
        cause: BaseException | None = error
        for _ in range(MAX_CAUSES):  # a chain may be a ring
            if cause is None:
                break
            traceback.clear_frames(cause.__traceback__)
            cause = cause.__context__
        gc.collect()


def _data_bytes() -> int | None:
    try:
        fields = Path("/proc/self/statm").read_text().split()
    except OSError:
        return None
    return int(fields[5]) * resource.getpagesize()
