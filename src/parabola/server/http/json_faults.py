"""What is wrong with a JSON text, also where the decoder's own words mislead."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["json_fault"]

_HALF: Final = re.compile(rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|[c-fC-F][0-9a-fA-F]{2})")
"""An escaped half of a character; clients do not escape whole ones."""


def json_fault(text: str | bytes | bytearray, error: Exception) -> str:
    """The sentence for a text that `error` was raised about.

    A string that was cut in the middle of an emoji reaches us from browsers, and reads as "truncated" there.
    """
    if _HALF.search(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text):
        return "a string in it has half of a character (a lone surrogate), which is not valid Unicode"
    return str(error)
