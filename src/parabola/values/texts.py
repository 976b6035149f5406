"""Texts that are well-formed: what UTF-8, and so every message and file, can hold."""

from __future__ import annotations


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
