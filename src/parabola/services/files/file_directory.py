"""Stored files as files of one directory, which belongs to this server alone.

An upload grows in a file of its own, is synced, and gets its name when it is whole. A crash leaves at most
the unfinished file, which `keys` names like any other.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from parabola.services.files.durable_files import sync_directory, sync_file, write_refused
from parabola.services.files.file_store import PIECE_BYTES, StoredBytes
from parabola.services.threads import in_thread

__all__ = ["FileDirectory"]

_UNFINISHED: Final = ".partial"
_BATCH: Final = 500


class FileDirectory:
    """A `FileStore` in a directory, which is made if it is not there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.utime(directory)  # the clock that stamps files lags behind that of the process
        self.left_before = directory.stat().st_mtime
        self._directory = directory

    def new_key(self, name: str) -> str:
        """The name itself."""
        return name

    async def put(self, key: str, content: AsyncIterable[bytes]) -> StoredBytes:
        """See `FileStore`. Raises `StorageFull` when the disk is."""
        path = self._path(key)
        unfinished = path.with_name(path.name + _UNFINISHED)
        try:
            with unfinished.open("xb", buffering=0) as file:
                stored = await _write(file, content)
                await in_thread(sync_file, file)
            await in_thread(_give_name, unfinished, path)
        except OSError as error:
            if (refused := write_refused(error)) is not error:
                raise refused from error
            raise
        finally:
            unfinished.unlink(missing_ok=True)
        return stored

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """See `FileStore`."""
        file = await in_thread(self._path(key).open, "rb", buffering=0)
        return _read(file, start, end)

    async def delete(self, key: str) -> None:
        """See `FileStore`."""
        await in_thread(self._path(key).unlink, missing_ok=True)

    async def keys(self) -> AsyncIterator[list[tuple[str, float]]]:
        """See `FileStore`."""
        with await in_thread(os.scandir, self._directory) as entries:
            while batch := await in_thread(_take, entries):
                yield batch

    def _path(self, key: str) -> Path:
        if "/" in key or os.sep in key or key in ("", ".", ".."):
            raise FileNotFoundError(f"There can be no file {key!r} in a directory of files")
        return self._directory / key


async def _write(file: IO[bytes], content: AsyncIterable[bytes]) -> StoredBytes:
    """Write and digest `content` in threads, one piece while the next one comes in."""
    digest = hashlib.sha256()
    size = waiting_bytes = 0
    waiting: list[bytes] = []
    writing: asyncio.Future[None] | None = None

    def write(chunks: list[bytes]) -> None:
        for chunk in chunks:
            digest.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]

    try:
        async for chunk in content:
            waiting.append(chunk)
            size += len(chunk)
            waiting_bytes += len(chunk)
            if waiting_bytes >= PIECE_BYTES:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(in_thread(write, waiting))
                waiting, waiting_bytes = [], 0
        if writing is not None:
            await writing
        writing = None
        await in_thread(write, waiting)
    finally:
        if writing is not None:
            await asyncio.wait([writing])  # the file must not be closed under it
            if not writing.cancelled():
                writing.exception()
    return StoredBytes(size, digest.digest())


async def _read(file: IO[bytes], start: int, end: int | None) -> AsyncGenerator[bytes, None]:
    with file:
        await in_thread(file.seek, start)
        position = start
        while end is None or position < end:
            wanted = PIECE_BYTES if end is None else min(PIECE_BYTES, end - position)
            piece = await in_thread(file.read, wanted)
            if not piece:
                return
            position += len(piece)
            yield piece


def _give_name(unfinished: Path, path: Path) -> None:
    unfinished.rename(path)
    sync_directory(path.parent)


def _take(entries: Iterator[os.DirEntry[str]]) -> list[tuple[str, float]]:
    found: list[tuple[str, Any]] = []
    for entry in islice(entries, _BATCH):
        try:
            found.append((entry.name, entry.stat(follow_symlinks=False).st_mtime))
        except FileNotFoundError:
            found.append((entry.name, float("inf")))  # removed meanwhile
    return found
