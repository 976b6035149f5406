"""Stored files in an object store: S3, Google Cloud Storage, Azure, by URL."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from datetime import timedelta
from typing import Any, Final

import obstore
from obstore.store import from_url

from parabola.services.files.file_store import PIECE_BYTES, StoredBytes
from parabola.values.errors import Overloaded

__all__ = ["ObjectStore"]

PART_BYTES: Final = 8 * 1024 * 1024
"""Parts of a large upload."""
PARTS_IN_FLIGHT: Final = 2
"""What one upload may hold in memory beside the piece it reads."""


class ObjectStore:
    """A `FileStore` below a URL such as `s3://bucket/prefix`.

    Credentials come from the environment, as the providers' own tools read them (`AWS_ACCESS_KEY_ID`,
    `AWS_ENDPOINT_URL`, ...). Every key begins with `owner`, so that deployments may share a place: none
    lists, and so none removes, what is another's.
    """

    left_before = None

    def __init__(self, url: str, owner: str) -> None:
        retries: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
        self._store: Any = from_url(url, retry_config=retries)
        self._owner = owner

    def new_key(self, name: str) -> str:
        """See `FileStore`."""
        return f"{self._owner}/{name}"

    async def put(self, key: str, content: AsyncIterable[bytes]) -> StoredBytes:
        """See `FileStore`. What fits into one part is sent by one request."""
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

        pieces = measured()
        try:
            first = [piece async for piece in _up_to(pieces, PART_BYTES)]
            if size < PART_BYTES:
                await obstore.put_async(self._store, key, b"".join(first), use_multipart=False)
            else:
                await obstore.put_async(
                    self._store,
                    key,
                    _together(first, pieces),
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_IN_FLIGHT,
                )
        except Exception as error:
            if interrupted is not None:
                raise interrupted from None
            raise _unavailable(error) from error
        return StoredBytes(size, digest.digest())

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """See `FileStore`."""
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
        """See `FileStore`."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
        except Exception as error:
            raise _unavailable(error) from error

    async def keys(self) -> AsyncIterator[list[tuple[str, float]]]:
        """See `FileStore`. Parts of uploads that a crash cut off are not listed: that is for the lifecycle
        rules of the store.
        """
        try:
            async for batch in obstore.list(self._store, prefix=self._owner, chunk_size=500):
                yield [(entry["path"], entry["last_modified"].timestamp()) for entry in batch]
        except Exception as error:
            raise _unavailable(error) from error


async def _up_to(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Pieces until they are at least `size` bytes together."""
    async for piece in pieces:
        yield piece
        size -= len(piece)
        if size <= 0:
            return


async def _together(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while first:
        yield first.pop(0)
    async for piece in rest:
        yield piece


async def _pieces(found: Any) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in found.stream(min_chunk_size=PIECE_BYTES):
            yield bytes(piece)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise _unavailable(error) from error


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""


def _unavailable(error: Exception) -> Overloaded:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Overloaded(f"The file store cannot be used right now: {first_line}", code="FileStoreUnavailable")
