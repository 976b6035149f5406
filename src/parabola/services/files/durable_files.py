"""Files that survive a power cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO

from parabola.database.model.errors import StorageFull

__all__ = ["sync_directory", "sync_file", "write_refused"]


def sync_file(file: IO[bytes]) -> None:
    """Make what was written to a file durable."""
    file.flush()
    os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    if os.name == "nt":
        return  # directories cannot be opened there
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_refused(error: OSError) -> OSError | StorageFull:
    """What to raise for an error while writing an upload: `StorageFull` where the disk is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            "No room for the upload: the server's disk is full. Free some space and try again."
        )
    return error
