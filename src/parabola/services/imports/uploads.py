"""Large files on their way in: uploaded in parts, each streamed to disk, read as one (deploy-api 13).

An upload is a directory named by its token. A part is a file in it; a part that is sent again is a new file,
and which ones count is said when the upload is finished. So nothing is copied, and nothing half-written is
ever taken for a part.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import AsyncIterable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import orjson

from parabola.services.files.durable_files import sync_directory, sync_file, write_refused
from parabola.services.imports.parted_file import open_parts
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest

__all__ = [
    "ABANDONED_AFTER_SECONDS",
    "Uploads",
    "check_part_number",
    "check_part_token",
    "check_upload_token",
]

MAX_PARTS: Final = 10_000
ABANDONED_AFTER_SECONDS: Final = 24 * 3600.0
"""An upload to which nothing was added for so long is not going to be finished."""

_WRITE_BYTES: Final = 1024 * 1024
_MANIFEST: Final = "parts.json"
_TOKEN: Final = re.compile(r"[0-9a-f]{32}\Z")
_PART: Final = re.compile(r"[0-9]{5}-[0-9a-f]{16}\Z")


class Uploads:
    """The uploads in one directory, which is made when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def start(self) -> str:
        """Begin an upload; the token stands for it from now on, also after a restart."""
        token = secrets.token_hex(16)
        (self._directory / token).mkdir(parents=True, mode=0o700)
        return token

    async def write_part(self, token: str, number: int, chunks: AsyncIterable[bytes]) -> str:
        """Keep one part, durably; the answer stands for it when the upload is finished.

        Parts may come in any order, and again. Raises `BadRequest`, `StorageFull`, or what `chunks` raises;
        then nothing is kept.
        """
        directory = self._find(token)
        check_part_number(number)
        part = f"{number:05}-{secrets.token_hex(8)}"
        await self._write(directory, part, chunks)
        return part

    async def _write(self, directory: Path, part: str, chunks: AsyncIterable[bytes]) -> None:
        unfinished = directory / f"{part}.partial"
        try:
            with unfinished.open("wb") as file:
                waiting, size = list[bytes](), 0
                async for chunk in chunks:
                    waiting.append(chunk)
                    size += len(chunk)
                    if size >= _WRITE_BYTES:
                        await in_thread(file.writelines, waiting)
                        waiting, size = [], 0
                await in_thread(_write_durably, file, waiting)
            unfinished.rename(directory / part)
        except OSError as error:
            raise write_refused(error) from error
        finally:
            unfinished.unlink(missing_ok=True)

    async def finish(self, token: str, parts: Sequence[str]) -> None:
        """The upload is complete and consists of these parts, in this order. Raises `BadRequest`."""
        directory = self._find(token)
        for part in parts:
            check_part_token(part)
            if not (directory / part).is_file():
                raise _no_part(part)
        try:
            await in_thread(_finish, directory, list(parts))
        except OSError as error:
            raise write_refused(error) from error

    def open(self, token: str) -> IO[bytes]:
        """The contents of a finished upload. Raises `FileNotFoundError` when it is gone or not finished."""
        directory = self._directory / token
        return open_parts([directory / part for part in orjson.loads((directory / _MANIFEST).read_bytes())])

    def discard(self, token: str) -> None:
        """Remove an upload, whatever there is of it."""
        if _TOKEN.match(token):
            shutil.rmtree(self._directory / token, ignore_errors=True)

    def discard_abandoned(
        self, needed: Collection[str], idle_since: float, *, is_start: bool = False
    ) -> None:
        """Remove the uploads that are not `needed` and that nobody has touched since `idle_since`.

        That is in seconds since the epoch. `is_start`: nobody works with any yet, so that finished ones go,
        however young. Later, such a one may be that of an import which is just being recorded.
        """
        if not self._directory.is_dir():
            return
        for directory in self._directory.iterdir():
            if directory.name in needed:
                continue
            with suppress(FileNotFoundError):  # whoever needed it discards it at the same time
                is_left = is_start and (directory / _MANIFEST).exists()
                if is_left or directory.stat().st_mtime < idle_since:
                    shutil.rmtree(directory, ignore_errors=True)

    def _find(self, token: str) -> Path:
        check_upload_token(token)
        directory = self._directory / token
        if not directory.is_dir():
            raise _no_upload()
        if (directory / _MANIFEST).exists():
            raise BadRequest("This upload has been finished already.", code="InvalidUploadToken")
        return directory


def check_upload_token(token: str) -> None:
    """Raises `BadRequest` for what stands for no upload."""
    if not _TOKEN.match(token):
        raise _no_upload()


def check_part_number(number: int) -> None:
    """Raises `BadRequest`."""
    if not 1 <= number < MAX_PARTS:
        raise BadRequest(
            f"Part numbers go from 1 to {MAX_PARTS - 1}, not {number}. Send larger parts.",
            code="InvalidUploadPart",
        )


def check_part_token(part: object) -> None:
    """Raises `BadRequest` for what stands for no part."""
    if not isinstance(part, str) or not _PART.match(part):
        raise _no_part(part)


def _no_part(part: object) -> BadRequest:
    return BadRequest(f"This upload has no part {part!r}. Upload the file again.", code="InvalidUploadPart")


def _no_upload() -> BadRequest:
    return BadRequest(
        "There is no upload with this token (any more). Upload the file again.", code="InvalidUploadToken"
    )


def _write_durably(file: IO[bytes], chunks: list[bytes]) -> None:
    file.writelines(chunks)
    sync_file(file)


def _finish(directory: Path, parts: list[str]) -> None:
    unfinished = directory / f"{_MANIFEST}.partial"
    with unfinished.open("wb") as file:
        _write_durably(file, [orjson.dumps(parts)])
    unfinished.rename(directory / _MANIFEST)
    for path in directory.iterdir():
        if path.name not in parts and path.name != _MANIFEST:
            path.unlink()
    for place in (directory, directory.parent):
        sync_directory(place)
