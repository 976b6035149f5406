"""The memory of queries and mutations: one that keeps growing fails, and leaves the process intact."""

from __future__ import annotations

import gc
import resource
from pathlib import Path
from typing import Final

MEGABYTE: Final = 1024 * 1024
DEFAULT_LIMIT_MB: Final = 512
"""What queries and mutations of one process may use together, on top of the loaded modules."""


class MemoryLimit:
    """Makes allocations fail with ``MemoryError`` beyond ``megabytes`` more than the process has when idle.

    Linux counts private writable memory against RLIMIT_DATA; where a system does not, nothing is limited
    and the engine's watchdog is what remains. Only the soft limit is set, so that actions can lift it.
    """

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self._in_force = False

    @property
    def text(self) -> str:
        """What a function is told that used up its memory."""
        return (
            f"Function execution ran out of memory (maximum memory usage: {self._megabytes} MB). "
            "Read and keep less in one call."
        )

    def enforce(self) -> None:
        """Put the limit in force, measured from now, unless it is already."""
        if self._in_force or not self._megabytes:
            return
        used = _data_bytes()
        if used is None:
            return
        self._in_force = True
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = used + self._megabytes * MEGABYTE
        resource.setrlimit(
            resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
        )

    def lift(self) -> None:
        """Back to what the system allows."""
        if self._in_force:
            self._in_force = False
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))

    def recover(self) -> None:
        """After a failure: free what the function held."""
        gc.collect()


def _data_bytes() -> int | None:
    try:
        fields = Path("/proc/self/statm").read_text().split()
    except OSError:
        return None
    return int(fields[5]) * resource.getpagesize()
