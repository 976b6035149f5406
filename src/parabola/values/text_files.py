"""Text that comes from files, written by whatever editor on whatever system."""

from __future__ import annotations

from typing import Final

__all__ = ["BYTE_ORDER_MARK", "UTF_16_MARKS", "NotUtf8", "decode_text"]

BYTE_ORDER_MARK: Final = "\ufeff"
"""What editors on Windows put before UTF-8. It is no part of the text."""

UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class NotUtf8(ValueError):
    """Bytes that are no UTF-8. The message is the end of a sentence that begins with the file's name."""


def decode_text(raw: bytes) -> str:
    """The text of a UTF-8 file, without its byte-order mark. Raises `NotUtf8`.

    PowerShell before version 7 writes UTF-16 when output is redirected into a file; that is named.
    """
    if raw.startswith(UTF_16_MARKS) or (len(raw) > 3 and 0 in (raw[0], raw[1]) and raw[0] != raw[1]):
        raise NotUtf8("is UTF-16, not UTF-8. Save it as UTF-8.")
    try:
        return raw.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise NotUtf8(f"is not UTF-8 (at byte {error.start}). Save it as UTF-8.") from None
