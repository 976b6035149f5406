"""Uploads of which each part may come to another node: parts are left in the store of files, until the node
that is told of the end has fetched them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterable, Sequence
from pathlib import Path
from typing import Final

from parabola.services.files.passed_files import PassedFiles
from parabola.services.imports.uploads import Uploads, check_part_number, check_part_token, check_upload_token
from parabola.values.errors import BadRequest

__all__ = ["PassedUploads"]

FETCHED_AT_A_TIME: Final = 4


class PassedUploads(Uploads):
    """See `Uploads`. What is fetched is in a directory as there."""

    def __init__(self, directory: Path, passed: PassedFiles) -> None:
        super().__init__(directory)
        self._passed = passed

    def start(self) -> str:
        return secrets.token_hex(16)

    async def write_part(self, token: str, number: int, chunks: AsyncIterable[bytes]) -> str:
        check_upload_token(token)
        check_part_number(number)
        part = f"{number:05}-{secrets.token_hex(8)}"
        await self._passed.put(_name(token, part), chunks)
        return part

    async def finish(self, token: str, parts: Sequence[str]) -> None:
        check_upload_token(token)
        for part in parts:
            check_part_token(part)
        (self._directory / token).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._find(token)
        for at in range(0, len(parts), FETCHED_AT_A_TIME):
            await asyncio.gather(
                *(self._fetch(token, part) for part in set(parts[at : at + FETCHED_AT_A_TIME]))
            )
        await super().finish(token, parts)
        for part in set(parts):
            await self._passed.remove(_name(token, part))

    async def _fetch(self, token: str, part: str) -> None:
        try:
            content = await self._passed.open(_name(token, part))
        except FileNotFoundError:
            raise BadRequest(
                f"This upload has no part {part!r}. Upload the file again.", code="InvalidUploadPart"
            ) from None
        await self._write(self._directory / token, part, content)


def _name(token: str, part: str) -> str:
    return f"upload-{token}-{part}"
