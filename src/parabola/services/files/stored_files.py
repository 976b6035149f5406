"""What exports and imports need of file storage."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, Protocol

from parabola.database.model.shown_rows import StoredFile

__all__ = ["FILES", "STORAGE", "StoredFiles"]

STORAGE: Final = "_storage"
"""What archives and users call the table of stored files."""

FILES: Final = "_file_storage"
"""The table with one row for each stored file."""


class StoredFiles(Protocol):
    """The bytes behind the rows of `_file_storage`; the rows themselves are read and written elsewhere."""

    def read(self, row: StoredFile) -> AsyncIterator[bytes]:
        """The bytes of the file that a row describes, in pieces of bounded size."""
        ...

    async def keep(
        self,
        content: AsyncIterable[bytes],
        *,
        storage_id: str,
        content_type: str | None,
        sha256: bytes | None,
    ) -> StoredFile:
        """Keep bytes, durably, for a storage id; the answer is the row to write for them. Bytes that are
        there already for another row with this storage id stay as they are.

        Raises `BadRequest` when they are not the ones that `sha256` is the digest of.
        """
        ...
