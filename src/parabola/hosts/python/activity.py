"""The activity cell: which run runs user code now, and since when, for the engine to read."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import time
from typing import Final

__all__ = ["ACTIVITY_VARIABLE", "Activity"]

ACTIVITY_VARIABLE: Final = "PARABOLA_ACTIVITY"
_CELL: Final = struct.Struct("<QQ")
_monotonic_ns = time.monotonic_ns  # taken before anything is replaced


class Activity:
    """16 bytes of shared memory: the run's id (0: none) and the monotonic ns of its step's start."""

    def __init__(self, path: str | None) -> None:
        """Without a path nobody looks, and nothing is written."""
        self._path = path
        self._cell: mmap.mmap | None = None
        if path:
            descriptor = os.open(path, os.O_RDWR)
            try:
                self._cell = mmap.mmap(descriptor, _CELL.size)
            finally:
                os.close(descriptor)

    def begin(self, run_id: int) -> None:
        """User code of the run runs from now on."""
        if self._cell is not None:
            _CELL.pack_into(self._cell, 0, run_id, _monotonic_ns())

    def end(self) -> None:
        """No user code runs."""
        if self._cell is not None:
            _CELL.pack_into(self._cell, 0, 0, 0)

    def remove(self) -> None:
        """Remove the file when the host ends. The engine does it, unless it has been killed."""
        if self._path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
