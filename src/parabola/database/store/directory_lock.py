"""One server for one data directory: an exclusive lock that dies with the process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from parabola.database.model.errors import DataDirectoryLocked

if sys.platform != "win32":
    import fcntl

__all__ = ["DirectoryLock"]


class DirectoryLock:
    """Holds `parabola.lock` in a directory; the file's content is the process id of the holder."""

    def __init__(self, directory: Path) -> None:
        """Creates the directory if need be. Raises `DataDirectoryLocked` naming the holder."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "parabola.lock"
        self._file: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock(self._file)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            self.release()
            who = f"process {holder}" if holder else "another process"
            raise DataDirectoryLocked(
                f"The data directory {directory} is in use by {who}. "
                "Stop that server first, or start this one with another --data directory."
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    @staticmethod
    def _lock(file: int) -> None:
        # flock belongs to the open file, not to the process: a second database in one process is refused too.
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def is_released(self) -> bool:
        return self._file is None

    def release(self) -> None:
        """Lets the directory go; again does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
