"""Where backups are kept: a directory, or an object store by its URL."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from parabola.services.files.durable_files import sync_directory, sync_file
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest, NotFound, Overloaded

__all__ = [
    "PIECE_BYTES",
    "BackupPlace",
    "DirectoryPlace",
    "backup_place",
    "in_one_piece",
    "shown_place",
    "whole_content",
    "without_secret",
]

PIECE_BYTES: Final = 1024 * 1024
_PART_BYTES: Final = 8 * 1024 * 1024
_UNFINISHED: Final = ".unfinished-"
_LEFT_SECONDS: Final = 24 * 3600.0


class BackupPlace(Protocol):
    """Content by name; a name may have slashes. All of it may raise `Overloaded` or `OSError`. As text it is
    where it is, for people.
    """

    async def put(self, name: str, content: AsyncIterable[bytes]) -> None:
        """Keep content, durably: as a whole or not at all. What was there by that name is replaced."""

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The content, in pieces. Raises `NotFound`."""

    async def names(self, below: str) -> list[str]:
        """The names that begin so, in order."""

    async def delete(self, name: str) -> None:
        """Keep it no more; nothing happens where it is not there."""

    async def clear(self) -> None:
        """Remove what was left long ago by those who were killed while they put something here."""


def backup_place(address: str) -> BackupPlace:
    """The place at a URL such as `s3://bucket/prefix`, or in a directory. Credentials of object stores come
    from the environment, as those of file storage do. Raises `BadRequest` for a URL that none is known for.
    """
    scheme = urlsplit(address).scheme
    if scheme == "file":
        return DirectoryPlace(Path(unquote(urlsplit(address).path)))
    if scheme and "://" in address:
        return _ObjectPlace(address)
    return DirectoryPlace(Path(address))


class DirectoryPlace:
    """A `BackupPlace` in a directory, which is made with the first content, for its owner alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __str__(self) -> str:
        return str(self._directory)

    async def put(self, name: str, content: AsyncIterable[bytes]) -> None:
        """See `BackupPlace`."""
        path = self._directory / name
        await in_thread(path.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
        handle, unfinished = await in_thread(
            tempfile.mkstemp, prefix=_UNFINISHED, dir=path.parent
        )  # readable by its owner alone
        try:
            with os.fdopen(handle, "wb") as file:
                async for piece in content:
                    await in_thread(file.write, piece)
                await in_thread(sync_file, file)
            await in_thread(os.replace, unfinished, path)
            await in_thread(sync_directory, path.parent)
        except BaseException:
            _remove(unfinished)
            raise

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """See `BackupPlace`."""
        try:
            file = await in_thread((self._directory / name).open, "rb")
        except FileNotFoundError:
            raise _missing(name) from None

        async def pieces() -> AsyncIterator[bytes]:
            with file:
                while piece := await in_thread(file.read, PIECE_BYTES):
                    yield piece

        return pieces()

    async def names(self, below: str) -> list[str]:
        """See `BackupPlace`."""
        return await in_thread(self._names, below)

    def _names(self, below: str) -> list[str]:
        root = self._directory
        folder = root / below.rpartition("/")[0]
        paths = (path.relative_to(root).as_posix() for path in folder.rglob("*") if path.is_file())
        return sorted(
            name for name in paths if name.startswith(below) and not Path(name).name.startswith(_UNFINISHED)
        )

    async def delete(self, name: str) -> None:
        """See `BackupPlace`."""
        await in_thread(self._delete, self._directory / name)

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are in the folder
            path.parent.rmdir()

    async def clear(self) -> None:
        """See `BackupPlace`."""
        await in_thread(self._clear)

    def _clear(self) -> None:
        left = list(self._directory.rglob(f"{_UNFINISHED}*"))
        # By the clock of the file system, which may not be that of this machine.
        newest = max((path.stat().st_mtime for path in self._directory.rglob("*")), default=0.0)
        for path in left:
            if path.stat().st_mtime < newest - _LEFT_SECONDS:
                self._delete(path)


class _ObjectPlace:
    """A `BackupPlace` in an object store."""

    def __init__(self, url: str) -> None:
        self._shown = without_secret(url)
        from obstore.store import from_url  # with the clients of all providers

        retries: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
        try:
            self._store: Any = from_url(url, retry_config=retries)
        except Exception as error:
            raise BadRequest(
                f"{self._shown} is no place for backups: {error}. "
                "Give a directory, or a URL such as s3://bucket/prefix.",
                code="InvalidBackupPlace",
            ) from error

    def __str__(self) -> str:
        return self._shown

    async def put(self, name: str, content: AsyncIterable[bytes]) -> None:
        """See `BackupPlace`."""
        import obstore

        interrupted: list[BaseException] = []

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in content:
                    yield bytes(piece)
            except BaseException as error:
                interrupted.append(error)
                raise

        try:
            await obstore.put_async(
                self._store, name, pieces(), use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=2
            )
        except Exception as error:
            if interrupted:
                raise interrupted[0] from None
            raise _unavailable(error) from error

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """See `BackupPlace`."""
        import obstore

        try:
            found = await obstore.get_async(self._store, name)
        except FileNotFoundError:
            raise _missing(name) from None
        except Exception as error:
            raise _unavailable(error) from error

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in found.stream(min_chunk_size=PIECE_BYTES):
                    yield bytes(piece)
            except Exception as error:
                raise _unavailable(error) from error

        return pieces()

    async def names(self, below: str) -> list[str]:
        """See `BackupPlace`."""
        import obstore

        names: list[str] = []
        folder, _, _ = below.rpartition("/")
        try:
            async for batch in obstore.list(self._store, prefix=folder or None, chunk_size=1000):
                names += [entry["path"] for entry in batch if entry["path"].startswith(below)]
        except Exception as error:
            raise _unavailable(error) from error
        return sorted(names)

    async def clear(self) -> None:
        """Nothing is seen there before it is whole; a rule of the bucket removes parts of cut uploads."""

    async def delete(self, name: str) -> None:
        """See `BackupPlace`."""
        import obstore

        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return
        except Exception as error:
            raise _unavailable(error) from error


async def whole_content(place: BackupPlace, name: str) -> bytes:
    """What is kept by a name, where that is not much. Raises `NotFound`."""
    return b"".join([piece async for piece in await place.read(name)])


async def in_one_piece(content: bytes) -> AsyncIterator[bytes]:
    """Content as `put` takes it."""
    yield content


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _missing(name: str) -> NotFound:
    return NotFound(f"The backups' place has no {name}.", code="BackupIncomplete")


def _unavailable(error: Exception) -> Overloaded:
    return Overloaded(
        f"The place of the backups cannot be reached, or refuses: {error}. Look at its address and at the "
        "credentials in the environment, and try again.",
        code="BackupPlaceUnavailable",
    )


def shown_place(address: str) -> str:
    """An address for people on any machine: a directory in full, a URL without the password in it."""
    parts = urlsplit(address)
    if not (parts.scheme and "://" in address):
        return str(Path(address).absolute())
    return without_secret(address)


def without_secret(url: str) -> str:
    """An address to be shown: a password in it is not."""
    parts = urlsplit(url)
    return url if parts.password is None else url.replace(f":{parts.password}@", ":…@")
