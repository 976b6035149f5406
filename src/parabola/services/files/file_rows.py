"""Rows of `_file_storage`, by either name of a file: its document id, or the UUID in its URL.

Source: semantics 8.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from parabola.database.model.shown_rows import StoredFile
from parabola.services.files.stored_files import FILES, STORAGE
from parabola.values.errors import BadRequest, InvalidId
from parabola.values.ids import decode_id

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot

__all__ = ["by_storage_id", "find_file", "is_uuid"]


async def find_file(tx: Snapshot, storage_id: str, label: str) -> StoredFile | None:
    """The row of a file by its document id or its UUID; None when there is none.

    Raises `BadRequest` for what is neither, and for an id of another table.
    """
    if is_uuid(storage_id):
        return await by_storage_id(tx, storage_id)
    try:
        number = decode_id(storage_id).table_number
    except InvalidId:
        raise BadRequest(
            f'Invalid argument `storageId` for `{label}`: Invalid storage ID: "{storage_id}". '
            "Storage ID should be an Id of '_storage' table, or a UUID string.",
            code="InvalidArgument",
        ) from None
    table = tx.registry.table(FILES, tx.component)
    if table is None or number != table.number:
        raise BadRequest(
            f"Invalid argument `storageId` for `{label}`: Invalid storage ID. Storage ID cannot be an ID on "
            f"any table other than '{STORAGE}'.",
            code="InvalidArgument",
        )
    row = await tx.get_system(storage_id)
    return None if row is None else StoredFile.of(row)


async def by_storage_id(tx: Snapshot, storage_id: str) -> StoredFile | None:
    """The row of a file by its UUID."""
    row = await tx.find_system(FILES, "by_storage_id", storage_id.lower())
    return None if row is None else StoredFile.of(row)


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as URLs have it."""
    try:
        return len(text) == 36 and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
