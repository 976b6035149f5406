"""How much memory a JSON text takes once it is parsed, estimated before that is done."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["json_weight"]

_ITEM_BYTES: Final = 80
"""An empty array in an array, with its place there: the most that three bytes of JSON come to."""
_OBJECT_BYTES: Final = 200
"""What an object takes beyond that as soon as it has a field."""
_FEW: Final = 16
_ROUGH_IS_ENOUGH: Final = 64 * 1024 * 1024
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)', re.DOTALL)
"""One that is never closed ends with the text: no text makes this look back."""
_ESCAPED_PAIR: Final = re.compile(rb"\\u[dD][89abAB]")
_FOUR_BYTES: Final = re.compile(rb"[\xf0-\xff]")


def json_weight(text: bytes | bytearray | str) -> int:
    """An upper bound, in bytes, on what the parsed values of `text` take.

    Every value but the first follows a comma or an opening bracket, so counting those three characters (less
    the brackets in which nothing is) bounds the number of values; counting is as fast as memory is read, and
    allocates nothing. Where that comes to much, what is inside of strings (source code is full of brackets)
    is left out by a second, slower look, for which a large text is better in a thread. How deep a text is
    nested needs no look: the decoder refuses more levels than its stack takes.
    """
    if isinstance(text, str):
        length = len(text) if text.isascii() and "\\u" not in text else len(text) * 4
        arrays, objects = text.count("["), text.count("{")
        empty = text.count("[]") + text.count("{}") if arrays + objects > _FEW else 0
        return length + _values_bytes(text.count(",") - empty, arrays, objects)
    length = len(text) * _bytes_of_a_character(text)
    empty = text.count(b"[]") + text.count(b"{}")
    rough = _values_bytes(text.count(b",") - empty, text.count(b"["), text.count(b"{"))
    return length + (rough if rough <= _ROUGH_IS_ENOUGH else _outside_strings(text))


def _bytes_of_a_character(text: bytes | bytearray) -> int:
    """One character beyond the Basic Multilingual Plane makes every character of its string take four
    bytes.
    """
    if b"\\u" in text and _ESCAPED_PAIR.search(text):
        return 4
    if not text.isascii():
        return 4 if _FOUR_BYTES.search(text) else 2
    return 2 if b"\\u" in text else 1


def _values_bytes(commas: int, arrays: int, objects: int) -> int:
    return (1 + commas + arrays + objects) * _ITEM_BYTES + objects * _OBJECT_BYTES


def _outside_strings(text: bytes | bytearray) -> int:
    commas = arrays = objects = empty = last = 0
    for string in _STRING.finditer(text):
        start = string.start()
        commas += text.count(b",", last, start)
        arrays += text.count(b"[", last, start)
        objects += text.count(b"{", last, start)
        empty += text.count(b"[]", last, start) + text.count(b"{}", last, start)
        last = string.end()
    commas += text.count(b",", last)
    arrays += text.count(b"[", last)
    objects += text.count(b"{", last)
    empty += text.count(b"[]", last) + text.count(b"{}", last)
    return _values_bytes(commas - empty, arrays, objects)
