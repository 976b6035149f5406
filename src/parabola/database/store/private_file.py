"""Database files are for their owner: environment variables, keys and everybody's documents are in them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["keep_private"]


def keep_private(database: Path) -> None:
    """Create a SQLite file that only the owner can read, or take one that is there, and the files beside it,
    away from others; a group that was let in stays.

    To be called before SQLite opens the file: closing a descriptor of it drops the locks of this process
    (fcntl(2)). SQLite gives the files it makes beside a database the database's own permissions. What cannot
    be changed is left: SQLite says what is wrong with a file that it cannot open.
    """
    with suppress(OSError):
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, 0o600))
    for path in (database, *(database.with_name(f"{database.name}-{kind}") for kind in ("wal", "shm"))):
        with suppress(OSError):
            mode = path.stat().st_mode
            if mode & 0o007:
                path.chmod(mode & 0o770)
