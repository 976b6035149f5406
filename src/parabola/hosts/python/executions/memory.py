"""The memory of queries and mutations: one that keeps growing fails, and leaves the process intact."""

from __future__ import annotations

import gc
import resource
import traceback
from pathlib import Path
from typing import Final

from parabola.values.limits import MIB

__all__ = ["MAX_CAUSES", "MemoryLimit"]

MAX_CAUSES: Final = 100
"""Exceptions in a chain whose frames are cleared."""


class MemoryLimit:
    """Makes allocations fail with `MemoryError` beyond `bytes` more than the loaded host has.

    The limit is in force during steps of user code only, so that the host itself never lacks memory. Linux
    counts private writable memory against RLIMIT_DATA; where a system does not, nothing is limited and the
    engine's watchdog is what remains. It limits nothing while `bytes` are 0.
    """

    def __init__(self) -> None:
        self.bytes = 0
        """What queries and mutations of the process may use together, on top of the loaded modules."""
        self.inside: tuple[int, int] | None = None
        """What RLIMIT_DATA is set to in steps (by `Steps`); None where nothing is limited."""
        self.outside: tuple[int, int] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    @property
    def text(self) -> str:
        """What a function is told that used up its memory."""
        size = f" (maximum memory usage: {self.bytes // MIB} MB)" if self.bytes else ""
        return f"Function execution ran out of memory{size}. Read and keep less in one call."

    def measure(self) -> None:
        """What the process has now is not counted: the modules are loaded, nothing runs."""
        used = _data_bytes()
        if self.bytes and used is not None:
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            limit = used + self.bytes
            if hard != resource.RLIM_INFINITY:
                limit = min(limit, hard)
            self.inside, self.outside = (limit, hard), (hard, hard)

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
