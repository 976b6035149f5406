"""A directory for what is being made, of which nothing is left: not even where the process is killed."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

__all__ = ["Scratch"]

_LOCK: Final = ".held"


class Scratch:
    """A new directory in another one, for its owner alone. What earlier processes of the same user have left
    there of the same prefix goes, unless they still run: each holds a lock in its own, and so does every
    process that has inherited it.
    """

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        """In `parent`, else where temporary files go."""
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        _clear(parent, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # The file has the name by which others find it once it is locked: they may look at any time.
        begun = self.path / f"{_LOCK}-soon"
        self._handle: int | None = os.open(begun, os.O_RDWR | os.O_CREAT, 0o600)
        _lock(self._handle)
        begun.rename(self.path / _LOCK)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *raised: object) -> None:
        self.remove()

    @property
    def lock(self) -> int:
        """The descriptor of the lock: a process that inherits it keeps the directory as long as it lives."""
        assert self._handle is not None, "the lock has been given up"
        return self._handle

    def give_up_lock(self) -> None:
        """The directory is whole, and gets a name of its own."""
        if self._handle is not None:
            (self.path / _LOCK).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Remove it with all that is in it, if it is still there."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.give_up_lock()


def _clear(parent: Path, prefix: str) -> None:
    if sys.platform == "win32":  # no such locks: then nothing is known to be left
        return
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with contextlib.suppress(OSError):
            if not _is_own(left):
                continue
            handle = os.open(left / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                _lock(handle)  # nobody has it any more
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


def _is_own(directory: Path) -> bool:
    """Whether it is a directory that this user has made: anybody may put anything where temporary files
    go.
    """
    found = directory.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _lock(handle: int) -> None:
    """Raises `OSError` where another process has it."""
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
