"""The checksum of a stored revision: what the disk gives back is what was committed."""

from __future__ import annotations

from zlib import crc32

__all__ = ["revision_checksum"]


def revision_checksum(number: int, tablet: int, id: str, ts: int, raw: bytes | None) -> int:
    """CRC-32 of a revision's content and of where it belongs. `raw` is None for a deletion."""
    return crc32(raw or b"", crc32(id.encode(), (number ^ tablet << 40 ^ ts) & 0xFFFFFFFF))
