"""The memory of the server's process: seldom collected, and given back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["collect_garbage_rarely", "give_memory_back"]

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""Options of mallopt(3)."""
_LOOK_SECONDS: Final = 5.0
_MAX_LOOK_SECONDS: Final = 60.0
"""Between two looks while what is there is in use."""
_WORTHWHILE_BYTES: Final = 8 * 1024 * 1024
"""What the process must have grown by before free blocks are looked for."""


def collect_garbage_rarely() -> None:
    """What is there now stays; leave it out of collections, which begin now, and let those be seldom.

    Full collections of a loaded server took over 100 ms, in which no client was served, and an eighth of its
    processor time. Nearly everything here is freed by reference counts alone.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


async def give_memory_back() -> None:
    """Blocks of memory above a megabyte go back to the system as soon as they are free, smaller ones within
    seconds. Runs until it is cancelled.

    glibc learns from the first large blocks to keep others of up to 32 MB, and keeps all that is not at the
    end of its heap: some large bodies, or many of middle size, left hundreds of megabytes behind.
    """
    library: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(library, "malloc_trim"):  # another C library
        return
    library.mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)
    library.mallopt(_M_TRIM_THRESHOLD, 16 * 1024 * 1024)
    await asyncio.to_thread(library.malloc_trim, 0)  # a start leaves much free
    least = _resident_bytes()
    pause = _LOOK_SECONDS
    while True:
        await asyncio.sleep(pause)
        now = _resident_bytes()
        if now - least < _WORTHWHILE_BYTES:
            pause = _LOOK_SECONDS
        else:
            await asyncio.to_thread(library.malloc_trim, 0)
            in_vain = now - _resident_bytes() < _WORTHWHILE_BYTES // 4
            pause = min(2 * pause, _MAX_LOOK_SECONDS) if in_vain else _LOOK_SECONDS
        least = min(least, now)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
