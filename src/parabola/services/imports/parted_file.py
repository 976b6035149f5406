"""Several files read as one."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO, Final

__all__ = ["PartedFile", "open_parts"]

_BUFFER_BYTES: Final = 256 * 1024


class PartedFile(io.RawIOBase):
    """The contents of `parts`, one after the other, to read and seek in. One of them is open at a time."""

    def __init__(self, parts: Sequence[Path]) -> None:
        super().__init__()
        self._parts = tuple(parts)
        self._ends = list(accumulate(part.stat().st_size for part in parts))
        self._position = 0
        self._open: tuple[int, io.FileIO] | None = None

    @property
    def size(self) -> int:
        """Bytes of all parts together."""
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The offset from the beginning of the first part."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset; past the end there is nothing to read."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError("cannot seek to before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into `buffer` what is left of the part at the position."""
        number = bisect_right(self._ends, self._position)
        if number == len(self._ends):
            return 0
        file = self._part(number)
        file.seek(self._position - (self._ends[number - 1] if number else 0))
        count = file.readinto(buffer)
        self._position += count
        return count

    def close(self) -> None:
        """Close the part that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()

    def _part(self, number: int) -> io.FileIO:
        if self._open is None or self._open[0] != number:
            if self._open is not None:
                self._open[1].close()
            self._open = (number, io.FileIO(self._parts[number]))
        return self._open[1]


def open_parts(parts: Sequence[Path]) -> IO[bytes]:
    """The parts as one buffered binary file."""
    return io.BufferedReader(PartedFile(parts), _BUFFER_BYTES)
