"""Document ids: base32 of the table's number, 16 bytes unique in the table, and a checksum (semantics 2.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from parabola.values.errors import InvalidId
from parabola.values.limits import INTERNAL_ID_LENGTH, MAX_TABLE_NUMBER

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS = {character: index for index, character in enumerate(_ALPHABET)}
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_VERSION = 0
# Characters of an id, by the bytes its table number takes.
_LENGTHS = {1: 31, 2: 32, 3: 34, 4: 36, 5: 37}
_VALID_LENGTHS = frozenset(_LENGTHS.values())
_FOOTER_LENGTH = 2
_DIGIT_TABLE = str.maketrans({c: chr(i) for c, i in _DIGITS.items()})


class DocumentId(NamedTuple):
    """The parts of an id: the number of its table, and the 16 bytes that are unique within the table."""

    table_number: int
    internal: bytes


def encode_id(table_number: int, internal: bytes) -> str:
    """The string form of an id. ``table_number`` is 1 to 2^32 - 1, ``internal`` 16 bytes."""
    if not 0 < table_number <= MAX_TABLE_NUMBER:
        raise ValueError(f"a table number is between 1 and {MAX_TABLE_NUMBER}, not {table_number}")
    if len(internal) != INTERNAL_ID_LENGTH:
        raise ValueError(f"an internal id has {INTERNAL_ID_LENGTH} bytes, not {len(internal)}")
    head = _varint(table_number)
    body = head + internal
    return _to_base32(body + _footer(body))


def decode_id(text: str) -> DocumentId:
    """The parts of an id; raises ``InvalidId`` unless ``text`` is exactly what ``encode_id`` gives for them."""
    return _decode_id(text)


@lru_cache(maxsize=8192)
def _decode_id(text: str) -> DocumentId:
    try:
        raw = _from_base32(text)
    except KeyError:
        raise InvalidId("Unable to decode ID: ID wasn't valid base32") from None
    if len(text) not in _VALID_LENGTHS:
        raise InvalidId(f"Unable to decode ID: Invalid ID length {len(text)}")
    table_number = shift = used = 0
    for byte in raw[:5]:
        table_number |= (byte & 0x7F) << shift
        shift += 7
        used += 1
        if byte < 0x80:
            break
    if raw[used - 1] >= 0x80 or not 0 < table_number <= MAX_TABLE_NUMBER:
        raise InvalidId("Unable to decode ID: Invalid table number")
    if used + INTERNAL_ID_LENGTH + _FOOTER_LENGTH != len(raw):
        raise InvalidId(f"Unable to decode ID: Invalid ID length {len(text)}")
    body, footer = raw[:-_FOOTER_LENGTH], raw[-_FOOTER_LENGTH:]
    expected = _footer(body)
    if footer != expected:
        found = int.from_bytes(footer, "little") ^ int.from_bytes(expected, "little")
        raise InvalidId(f"Unable to decode ID: Invalid ID version {found} (expected {_VERSION})")
    internal = body[used:]
    if encode_id(table_number, internal) != text:
        raise InvalidId("Unable to decode ID: ID wasn't valid base32")
    return DocumentId(table_number, internal)


def is_valid_id(text: str) -> bool:
    """True when ``text`` is an id of some table; the document need not exist."""
    try:
        _decode_id(text)
    except InvalidId:
        return False
    return True


def new_internal_id(random14: bytes, day: int) -> bytes:
    """The 16 bytes of a new id: 14 random ones and the day number since 1970-01-01."""
    if len(random14) != INTERNAL_ID_LENGTH - 2:
        raise ValueError(f"a new id takes {INTERNAL_ID_LENGTH - 2} random bytes, not {len(random14)}")
    return random14 + (day & 0xFFFF).to_bytes(2, "big")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _footer(body: bytes) -> bytes:
    # Fletcher-16 with sums modulo 256 rather than 255, as the format has it.
    low = high = 0
    for byte in body:
        low += byte
        high += low
    checksum = (low & 0xFF | (high & 0xFF) << 8) ^ _VERSION
    return checksum.to_bytes(2, "little")


def _to_base32(raw: bytes) -> str:
    digits = -(-len(raw) * 8 // 5)
    digits += digits % 2  # an even number of digits, to be written in pairs; a surplus one is cut off below
    bits = int.from_bytes(raw, "big") << (digits * 5 - len(raw) * 8)
    text = "".join([_PAIRS[bits >> shift & 0x3FF] for shift in range(digits * 5 - 10, -1, -10)])
    return text[: -(-len(raw) * 8 // 5)]


def _from_base32(text: str) -> bytes:
    bits = 0
    for character in text:
        bits = bits << 5 | _DIGITS[character]
    surplus = len(text) * 5 % 8
    return (bits >> surplus).to_bytes(len(text) * 5 // 8, "big")
