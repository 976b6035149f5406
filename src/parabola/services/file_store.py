"""Where the bytes of stored files are: a directory, or any object store by URL (S3, GCS, Azure).

Bytes stream in and out in pieces; a file is there as a whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.store import LocalStore, from_url

from parabola.values.errors import Overloaded

__all__ = ["FileStore", "StoredBytes"]

PIECE_BYTES: Final = 1024 * 1024
PART_BYTES: Final = 8 * 1024 * 1024
"""Parts of a large upload to an object store."""
PARTS_IN_FLIGHT: Final = 2
"""What one upload may hold in memory beside the piece it reads."""


@dataclass(frozen=True)
class StoredBytes:
    """What was stored: how much, and its digest."""

    size: int
    sha256: bytes


class FileStore:
    """Files by key."""

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def at(cls, directory: Path) -> FileStore:
        """Files below a directory, which is made if it is not there."""
        return cls(LocalStore(directory, mkdir=True))

    @classmethod
    def by_url(cls, url: str) -> FileStore:
        """Files below a URL such as `s3://bucket/prefix`; credentials come from the environment, as the
        providers' own tools read them (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...).
        """
        return cls(from_url(url, retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)}))

    async def put(self, key: str, content: AsyncIterable[bytes]) -> StoredBytes:
        """Store `content`. When it breaks off, what it raised is raised, and nothing is stored."""
        digest = hashlib.sha256()
        size = 0
        interrupted: BaseException | None = None

        async def measured() -> AsyncIterator[bytes]:
            nonlocal size, interrupted
            try:
                async for piece in content:
                    digest.update(piece)
                    size += len(piece)
                    yield bytes(piece)
            except BaseException as error:
                interrupted = error
                raise

        try:
            await obstore.put_async(
                self._store, key, measured(), chunk_size=PART_BYTES, max_concurrency=PARTS_IN_FLIGHT
            )
        except Exception as error:
            if interrupted is not None:
                raise interrupted from None
            raise _unavailable(error) from error
        return StoredBytes(size, digest.digest())

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to but not including `end`. Raises `FileNotFoundError`."""
        options: Any = {}
        if end is not None:
            if end <= start:
                return _nothing()
            options["range"] = (start, end)
        elif start:
            options["range"] = {"offset": start}
        try:
            found = await obstore.get_async(self._store, key, options=options)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise _unavailable(error) from error
        return _pieces(found)

    async def delete(self, key: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
        except Exception as error:
            raise _unavailable(error) from error

    async def keys(self) -> AsyncIterator[list[tuple[str, float]]]:
        """Every key with the time it was stored (seconds since the epoch), in batches."""
        async for batch in obstore.list(self._store, chunk_size=500):
            yield [(entry["path"], entry["last_modified"].timestamp()) for entry in batch]


async def _pieces(found: Any) -> AsyncIterator[bytes]:
    try:
        async for piece in found.stream(min_chunk_size=PIECE_BYTES):
            yield bytes(piece)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise _unavailable(error) from error


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _unavailable(error: Exception) -> Overloaded:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Overloaded(f"The file store cannot be used right now: {first_line}", code="FileStoreUnavailable")
