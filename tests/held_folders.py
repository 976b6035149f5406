"""Folders that are removed once the processes that hold a lock in them have ended."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

PATIENCE_SECONDS = 60


def wait_until_nobody_holds(folder: Path) -> None:
    """Wait for the end of processes that are nobody's children here."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with (folder / ".held").open() as lock:
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                assert time.monotonic() < deadline, f"somebody still holds {folder}"
                time.sleep(0.01)  # polling another process
