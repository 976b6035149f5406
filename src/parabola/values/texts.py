"""Texts that are well-formed: what UTF-8, and so every message and file, can hold."""

from __future__ import annotations

import re
from typing import Final

from parabola.values.limits import MAX_ERROR_MESSAGE_BYTES

__all__ = ["displayable", "is_well_formed", "repaired", "shortened"]

_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All but tabs and new lines."""


def is_well_formed(text: str) -> bool:
    """False for a text with half of a character (a lone surrogate)."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def repaired(text: str) -> str:
    """The text with U+FFFD for each half of a character; halves that belong together become the character."""
    if is_well_formed(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shortened(text: str, max_bytes: int = MAX_ERROR_MESSAGE_BYTES) -> str:
    """The text, cut where it takes more in UTF-8; halves of characters stay as they are."""
    if len(text) * 4 <= max_bytes:
        return text
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= max_bytes:
        return text
    cut = max_bytes
    while encoded[cut] & 0xC0 == 0x80:  # not within a character
        cut -= 1
    return encoded[:cut].decode("utf-8", "surrogatepass") + " ..."


def displayable(text: str) -> str:
    """The text with control characters spelled out, such as `\\x1b`: a terminal obeys them, and what a client
    has sent may be in any error.
    """
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
