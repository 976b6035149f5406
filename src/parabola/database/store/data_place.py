"""Whether the files of a database are still where they were opened.

Who deletes a data directory under a server, or puts another one in its place, takes away what the server
writes to: the system keeps files that are open, and forgets them with the process. So before anything is
acknowledged, and now and then, the names are looked up again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["DataPlace"]


class DataPlace:
    """The files of one data directory, as they were when this was made; those that are not there do not
    count.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files: dict[Path, tuple[int, int]] = {}
        for path in paths:
            found = _identity(path)
            if found is not None:
                self._files[path] = found

    def lost(self) -> Path | None:
        """A file whose name leads to nothing any more, or to another file; None if there is none."""
        for path, identity in self._files.items():
            try:
                if _identity(path) != identity:
                    return path
            except OSError:
                continue  # whatever keeps the name from being looked up, it says nothing about the file
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file; None if there is none. Raises `OSError` when that cannot be found out."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
