"""Where there is room for a copy of a database."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from parabola.values.errors import BadRequest
from parabola.values.limits import MIB
from parabola.values.sizes import humanize

__all__ = ["roomy_directory"]

_LEFT_FREE: Final = 256 * MIB
"""On the disk of a server, which goes on writing meanwhile."""


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
