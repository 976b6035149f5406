"""Files that one node leaves for others in the store of files: parts of uploads, and archives.

A client of several servers sends each request to another one. So what comes in parts, or is fetched later
than it was made, is where all of them reach it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

from parabola.services.files.file_store import FileStore

__all__ = ["PassedFiles", "is_passed"]

_BEGINS: Final = "passed-"


class PassedFiles:
    """Files by names, which have letters, digits, dots and hyphens."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    async def put(self, name: str, content: AsyncIterable[bytes]) -> int:
        """Leave a file; how many bytes that were. What `content` raises is raised, and nothing is left."""
        return (await self._store.put(self._key(name), content)).size

    async def open(self, name: str) -> AsyncGenerator[bytes, None]:
        """What was left. Raises `FileNotFoundError`."""
        return await self._store.open(self._key(name))

    async def remove(self, name: str) -> None:
        """It is not needed any more."""
        await self._store.delete(self._key(name))

    def _key(self, name: str) -> str:
        return self._store.new_key(f"{_BEGINS}{name}")


def is_passed(key: str) -> bool:
    """Whether a key in the store is that of such a file."""
    return key.rpartition("/")[2].startswith(_BEGINS)
