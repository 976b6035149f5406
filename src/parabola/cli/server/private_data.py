"""The data directory is its owner's alone: everybody's documents, keys and environment variables are in it.

What is made from now on is made so (the umask leaves no moment in which others may look); what is there
already is put right. Only what a server makes is touched: who keeps other things in the same directory knows
what they are for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from parabola.project import DATA_FOLDER

__all__ = ["make_private"]

_OTHERS: Final = 0o077
_OURS: Final = ("parabola.", "instance.", "server.")
_FOLDERS: Final = frozenset({"files", "uploads", "imports", "exports", "logs", "node_packages"})
_IGNORE: Final = ".gitignore"


def make_private(directory: Path) -> str | None:
    """Make the data directory, or close one that is there to all but its owner. Sets the process's umask.

    Returns a sentence when something had to be put right, or could not be. Raises `OSError` when there can be
    no such directory.
    """
    os.umask(_OTHERS)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.name == DATA_FOLDER and not (directory / _IGNORE).exists():
        (directory / _IGNORE).write_text("*\n")
    entries = list(directory.iterdir())
    others = [path.name for path in entries if not _is_ours(path)]
    was_open = bool(directory.stat().st_mode & _OTHERS)
    # Below a directory that is closed nobody gets at anything, so its folders are not looked through again.
    changed = sum(_close(path) for path in _below(entries, deeply=was_open))
    if was_open and others:
        return (
            f"{directory} can be read by others, and is left so, because it has other things in it "
            f"({', '.join(sorted(others)[:3])}). Keep the data in a directory of its own: --data."
        )
    if was_open:
        changed += _close(directory)
    if not changed:
        return None
    return (
        f"{directory} could be read by others; now only its owner can ({changed} permissions were changed)."
    )


def _is_ours(path: Path) -> bool:
    name = path.name
    return name == _IGNORE or name.startswith(_OURS) or name in _FOLDERS


def _below(entries: list[Path], *, deeply: bool) -> Iterator[Path]:
    for path in filter(_is_ours, entries):
        yield path
        if deeply and path.is_dir() and not path.is_symlink():
            for folder, folders, files in os.walk(path):
                yield from (Path(folder, name) for name in (*folders, *files))


def _close(path: Path) -> bool:
    """Take the permissions of others away; whether there were any that could be taken."""
    with suppress(OSError):  # somebody else's, or gone
        mode = path.lstat().st_mode
        if mode & _OTHERS and not path.is_symlink():
            path.chmod(mode & 0o700)
            return True
    return False
