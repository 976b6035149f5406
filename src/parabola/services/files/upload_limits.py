"""How large a file may be, and how much room on the disk uploads must leave."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import ClassVar, Final

from msgspec import Struct

from parabola.database.model.errors import StorageFull
from parabola.services.settings import ServiceSettings
from parabola.services.threads import in_thread
from parabola.values.errors import UserError
from parabola.values.sizes import humanize

__all__ = ["FileTooLarge", "UploadLimits"]

_LOOK_EVERY: Final = 16 * 1024 * 1024
"""Bytes of a file after which the room is looked at again."""


class FileTooLarge(UserError):
    """A file is larger than this server takes. Make it smaller, or ask its operator for more."""

    status: ClassVar[int] = 413
    default_code = "FileTooLarge"


class UploadLimits(Struct, frozen=True):
    """`directory` is where uploads are written, None where no disk of ours is. Sizes are in bytes."""

    directory: Path | None = None
    max_file: int | None = None
    min_free: int = ServiceSettings.min_free_bytes

    async def check(self, size: int) -> None:
        """Raises `FileTooLarge`, or `StorageFull` when `size` bytes would leave too little room."""
        if self.max_file is not None and size > self.max_file:
            raise FileTooLarge(
                f"The file is larger than {humanize(self.max_file)}, the most that is taken here."
            )
        if self.directory is None or not self.min_free:
            return
        free = (await in_thread(shutil.disk_usage, self.directory)).free
        if free - size < self.min_free:
            raise StorageFull(
                "No room for the upload: the server's disk is nearly full. Free some space and try again."
            )

    async def watch(self, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """`content`, as long as it keeps to the limits."""
        size, looked_at = 0, -_LOOK_EVERY
        async for piece in content:
            size += len(piece)
            if self.max_file is not None and size > self.max_file:
                await self.check(size)
            if size - looked_at >= _LOOK_EVERY:
                looked_at = size
                await self.check(len(piece))
            yield piece
