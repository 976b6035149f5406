"""The checksum of a stored revision: what the disk gives back is what was committed."""

from __future__ import annotations

from typing import TypeAlias
from zlib import crc32

__all__ = ["Damage", "RevisionRow", "check_revision", "revision_checksum"]

RevisionRow: TypeAlias = tuple[int, int, str, int, int, "bytes | None", "int | None"]
"""Number, tablet, id, timestamp, size, JSON (None for a deletion), checksum (None from older versions)."""


class Damage(Exception):
    """What is stored is not what was written; the text is the middle of a sentence."""


def revision_checksum(number: int, tablet: int, id: str, ts: int, raw: bytes | None) -> int:
    """CRC-32 of a revision's content and of where it belongs. `raw` is None for a deletion."""
    return crc32(raw or b"", crc32(id.encode(), (number ^ tablet << 40 ^ ts) & 0xFFFFFFFF))


def check_revision(row: RevisionRow) -> None:
    """Raises `Damage` if a revision is not what was committed."""
    number, tablet, id, ts, _, raw, checksum = row
    try:
        if checksum is None or checksum == revision_checksum(number, tablet, id, ts, raw):
            return
    except (TypeError, AttributeError):
        pass  # of another kind than was written
    raise Damage(f'document "{id}" is not what was committed (revision {number})')
