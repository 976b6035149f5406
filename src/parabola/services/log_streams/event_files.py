"""Files of events, one a line: the newest is `events.jsonl`, older ones have numbers, the oldest go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["NEWEST", "EventFiles"]

NEWEST: Final = "events.jsonl"


class EventFiles:
    """The files in one directory: so many at most, none larger than `most_bytes` but for a batch that is
    larger by itself. Everything here blocks, and raises `OSError`.
    """

    def __init__(self, directory: Path, most_bytes: int, most_files: int) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        self._most_files = most_files

    def write(self, lines: bytes) -> None:
        """Append whole lines. The file is opened anew each time, so whoever moves it away loses nothing."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        newest = self._directory / NEWEST
        descriptor = self._open(newest)
        try:
            size = os.fstat(descriptor).st_size
            if size and size + len(lines) > self._most_bytes:
                os.close(descriptor)
                self._turn_over(newest)
                descriptor, size = self._open(newest), 0
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # behind a line that a crash or a full disk has cut
            while lines:
                lines = lines[os.write(descriptor, lines) :]
        finally:
            os.close(descriptor)

    def _open(self, file: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        return os.open(file, flags, 0o600)

    def _turn_over(self, newest: Path) -> None:
        older = sorted(self._directory.glob("events-*.jsonl"))
        number = 1 + (int(older[-1].stem.rpartition("-")[2]) if older else 0)
        for file in older[: max(0, len(older) + 2 - self._most_files)]:
            file.unlink(missing_ok=True)
        if self._most_files == 1:
            newest.unlink()
        else:
            newest.rename(self._directory / f"events-{number:08d}.jsonl")
