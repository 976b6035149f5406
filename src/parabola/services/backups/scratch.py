"""A directory for what is being made, of which nothing is left: not even where the process is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from parabola.values.errors import BadRequest
from parabola.values.limits import MIB
from parabola.values.sizes import humanize

__all__ = ["Scratch", "roomy_directory"]

_LOCK: Final = ".held"
_LEFT_FREE: Final = 256 * MIB
"""On the disk of a server, which goes on writing meanwhile."""


class Scratch:
    """A new directory in another one. What earlier processes have left there of the same prefix goes, unless
    they still run: each holds a lock in its own.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        _clear(parent, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self._handle: int | None = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        _lock(self._handle)

    def give_up_lock(self) -> None:
        """The directory is whole, and gets a name of its own."""
        if self._handle is not None:
            (self.path / _LOCK).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Remove it with all that is in it, if it is still there."""
        self.give_up_lock()
        shutil.rmtree(self.path, ignore_errors=True)


def _clear(parent: Path, prefix: str) -> None:
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            handle = os.open(left / _LOCK, os.O_RDWR)
            try:
                _lock(handle)  # nobody has it any more
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


def _lock(handle: int) -> None:
    """Raises `OSError` where another process has it."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system: then nothing is known to be left
        raise OSError from None
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def roomy_directory(data: Path, size: int) -> Path:
    """Where a copy of a database of so many bytes can be made for a while: where TMPDIR says, else in its own
    data directory, whose disk is made for it. Raises `BadRequest` where there is no room.
    """
    named = os.environ.get("TMPDIR")
    chosen = data if named is None and os.access(data, os.W_OK) else Path(tempfile.gettempdir())
    free = shutil.disk_usage(chosen).free
    if free < size + _LEFT_FREE:
        raise BadRequest(
            f"A backup begins with a copy of the database ({humanize(size)}) in {chosen}, where "
            f"{humanize(free)} are free. Free some space, or name a directory on another disk with TMPDIR.",
            code="NoRoomForBackup",
        )
    return chosen
