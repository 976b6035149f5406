"""The activity cell: which run runs user code now, and since when, for the engine to read."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Final

__all__ = ["ACTIVITY_VARIABLE", "Activity", "monotonic_ns"]

ACTIVITY_VARIABLE: Final = "PARABOLA_ACTIVITY"
_CELL: Final = struct.Struct("<QQ")
monotonic_ns: Final = time.monotonic_ns
"""The clock of the cell, taken before anything is replaced."""


class Activity:
    """16 bytes of shared memory: the run's id (0: none) and the monotonic ns of its step's start."""

    def __init__(self, path: str | None) -> None:
        """Without a path nobody looks, and nothing is written."""
        self._path = path
        self.write: Callable[[int, int], None] = lambda run_id, since: None
        """Say which run's user code runs from now on, and since when: `(0, 0)` if none does."""
        if path:
            descriptor = os.open(path, os.O_RDWR)
            try:
                self.write = partial(_CELL.pack_into, mmap.mmap(descriptor, _CELL.size), 0)
            finally:
                os.close(descriptor)

    def remove(self) -> None:
        """Remove the file when the host ends. The engine does it, unless it has been killed."""
        if self._path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
