"""Files that actions hand over in parts: gathered on disk until the last part is there."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Final

__all__ = ["PartialFiles"]

ABANDONED_AFTER_SECONDS: Final = 3600.0
_PIECE_BYTES: Final = 1024 * 1024


class PartialFiles:
    """Unfinished files by the name their action gave them. The files on disk have no name and vanish with
    the process.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, tuple[float, IO[bytes]]] = {}

    def add(self, name: str, part: bytes, *, last: bool) -> AsyncIterator[bytes] | None:
        """Append a part; the whole content once it was the last."""
        self._drop_abandoned()
        if name in self._files:
            _, file = self._files.pop(name)
        else:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - closed with its last part
        file.write(part)
        if last:
            return _content(file)
        self._files[name] = (time.monotonic(), file)
        return None

    def close(self) -> None:
        """Forget everything."""
        for _, file in self._files.values():
            file.close()
        self._files.clear()

    def _drop_abandoned(self) -> None:
        oldest = time.monotonic() - ABANDONED_AFTER_SECONDS
        for name in [name for name, (touched, _) in self._files.items() if touched < oldest]:
            self._files.pop(name)[1].close()


async def _content(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
