"""The checksum of a stored revision: what the disk gives back is what was committed."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Final, TypeAlias
from zlib import crc32

__all__ = ["PLACE", "Damage", "RevisionRow", "check_revision", "revision_checksum"]

RevisionRow: TypeAlias = tuple[int, int, bytes, int, "int | None", int, "bytes | None", "int | None"]
"""Number, tablet, id, timestamp, number of the superseded revision, size, JSON, checksum.

JSON is None for a deletion, the checksum from older versions."""

PLACE: Final = Struct("<qqqqq40s")
"""Numbers, and an id, which has at most 37 characters."""


class Damage(Exception):
    """What is stored is not what was written; the text is the middle of a sentence."""


def revision_checksum(
    number: int, tablet: int, id: bytes, ts: int, previous: int | None, size: int, raw: bytes | None
) -> int:
    """CRC-32 of everything that a row of the log holds, every bit of it. `raw` is None for a deletion."""
    return crc32(raw or b"", crc32(PLACE.pack(number, tablet, ts, previous or 0, size, id)))


def check_revision(row: RevisionRow) -> None:
    """Raises `Damage` if a revision is not what was committed."""
    number, tablet, id, ts, previous, size, raw, checksum = row
    try:
        if checksum is None or checksum == revision_checksum(number, tablet, id, ts, previous, size, raw):
            return
    except (TypeError, AttributeError, StructError):
        pass  # of another kind than was written
    shown = bytes(id).decode(errors="replace")
    raise Damage(f'document "{shown}" is not what was committed (revision {number})')
