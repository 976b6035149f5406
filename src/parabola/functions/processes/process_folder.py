"""A folder for what a host process makes, which the engine removes when the process has ended, however it
ended.

All folders of an engine are in one that is locked as long as the engine or one of its processes lives; what a
killed engine leaves is removed by the next one that starts on the machine.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from parabola.database.store.scratch import Scratch

__all__ = ["FOLDER_VARIABLE", "ProcessFolder", "folder_of_engine"]

FOLDER_VARIABLE: Final = "PARABOLA_FOLDER"
_PREFIX: Final = "parabola-hosts-"


@cache
def folder_of_engine() -> Scratch:
    """Where the folders of this engine's processes are. What engines that were killed have left is removed
    when it is made, which may take a while.
    """
    scratch = Scratch(_PREFIX)
    atexit.register(scratch.remove)
    return scratch


class ProcessFolder:
    """The folder of one process."""

    def __init__(self) -> None:
        engine = folder_of_engine()
        if not engine.path.is_dir():  # the system clears away what is old where temporary files go
            folder_of_engine.cache_clear()
            engine = folder_of_engine()
        self.path = Path(tempfile.mkdtemp(dir=engine.path))
        self.lock = engine.lock
        """A descriptor for the process to inherit: nobody removes the folder under it."""

    def remove(self) -> None:
        """The process has ended."""
        shutil.rmtree(self.path, ignore_errors=True)
