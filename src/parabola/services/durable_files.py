"""Files that survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

__all__ = ["sync_directory", "sync_file"]


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
