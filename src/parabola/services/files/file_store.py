"""What file storage asks of the place where bytes are: a directory or an object store.

Bytes stream in and out in pieces; a file is there as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Final, Protocol

from msgspec import Struct

__all__ = ["PIECE_BYTES", "FileStore", "StoredBytes"]

PIECE_BYTES: Final = 1024 * 1024
"""Bytes that are read or written at once."""


class StoredBytes(Struct, frozen=True):
    """What was stored: how much, and its digest."""

    size: int
    sha256: bytes


class FileStore(Protocol):
    """Files by key. Everything may raise `Overloaded` (`FileStoreUnavailable`)."""

    @property
    def left_before(self) -> float | None:
        """When the store was opened, if nobody else can be writing there: what is older and owned by no file
        is garbage at once. Seconds since the epoch, by the clock that stamps what is stored.
        """

    def new_key(self, name: str) -> str:
        """The key for a file of this name."""

    async def put(self, key: str, content: AsyncIterable[bytes]) -> StoredBytes:
        """Store `content`, durably. When it breaks off, what it raised is raised, and nothing is stored."""

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to but not including `end`. Raises `FileNotFoundError`."""

    async def delete(self, key: str) -> None:
        """Remove a file; nothing happens when it is not there."""

    def keys(self) -> AsyncIterator[list[tuple[str, float]]]:
        """Every key with the time it was stored (seconds since the epoch), in batches.

        Among them is what uploads have left that were cut off by a crash.
        """
