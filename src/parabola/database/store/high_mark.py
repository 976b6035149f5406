"""The newest acknowledged commit, remembered outside the database file.

A database whose end was lost looks like one that is merely older: SQLite drops a damaged or missing end of
its write-ahead log without a word, and an emptied file is a new database. So every flush notes how far it
came in a file of its own. The note is written after the log is on the disk and never before, so it can be
behind what the database holds (after a power failure) but never ahead of it: a database that ends earlier
has lost something that was acknowledged.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final

__all__ = ["HighMark"]

FILE_NAME: Final = "parabola.high-mark"


class HighMark:
    """The mark of one data directory. `ts` is 0 where there is none yet, or none that can be read."""

    def __init__(self, directory: Path) -> None:
        self.path: Final = directory / FILE_NAME
        self.ts = self._read()
        self._file: int | None = None

    def _read(self) -> int:
        try:
            ts, checksum = self.path.read_bytes().split()
            return int(ts) if int(checksum, 16) == zlib.crc32(ts) else 0
        except (FileNotFoundError, ValueError):
            return 0

    def advance(self, ts: int) -> None:
        """Notes that everything up to `ts` is on the disk. Raises `OSError`.

        The note itself is not synced: a process that is killed leaves it to the system, which is what this is
        for.
        """
        if ts <= self.ts and self._file is not None:
            return
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        digits = b"%020d" % ts
        os.pwrite(self._file, b"%s %08x\n" % (digits, zlib.crc32(digits)), 0)
        self.ts = ts

    def close(self) -> None:
        """Lets the file go; again does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
