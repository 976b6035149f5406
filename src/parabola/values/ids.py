"""Document ids: base32 of a table number, 16 bytes unique in the table, a checksum (semantics 2.1)."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from typing import Final, NamedTuple

from parabola.values.errors import InvalidId
from parabola.values.limits import INTERNAL_ID_LENGTH, MAX_TABLE_NUMBER

__all__ = [
    "DocumentId",
    "day_of",
    "decode_id",
    "encode_id",
    "heads_of",
    "is_valid_id",
    "legacy_internal_id",
    "new_id",
    "new_internal_id",
]

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
# The digits as `int` reads base 32; every other byte becomes one that it refuses.
_TO_PYTHON: Final = bytes(
    b"0123456789abcdefghijklmnopqrstuv"[_ALPHABET.index(chr(byte))] if chr(byte) in _ALPHABET else ord("!")
    for byte in range(256)
)
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]
_DIGITS: Final = _ALPHABET.encode() + bytes(256 - len(_ALPHABET))


def _moves_apart() -> tuple[tuple[int, int, int], ...]:
    """Of each step how far the upper halves move, and where the lower and the upper ones are before it."""
    steps = []
    for digits in (16, 8, 4, 2, 1):
        halves = range(0, 256, 16 * digits)
        low = sum((1 << 5 * digits) - 1 << at for at in halves)
        steps.append((3 * digits, low, low << 5 * digits))
    return tuple(steps)


_APART: Final = _moves_apart()
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MAX_LEGACY_LENGTH: Final = 24
_VERSION: Final = 0
_MS_PER_DAY: Final = 86_400_000
# Characters of an id, by the bytes its table number takes.
_LENGTHS: Final = {1: 31, 2: 32, 3: 34, 4: 36, 5: 37}
_FOOTER_LENGTH: Final = 2


class DocumentId(NamedTuple):
    """The parts of an id: the number of its table, and the 16 bytes that are unique within the table."""

    table_number: int
    internal: bytes


def encode_id(table_number: int, internal: bytes) -> str:
    """The string form of an id. `table_number` is 1 to 2^32 - 1, `internal` 16 bytes."""
    head = _head(table_number)
    if len(internal) != INTERNAL_ID_LENGTH:
        raise ValueError(f"an internal id has {INTERNAL_ID_LENGTH} bytes, not {len(internal)}")
    body = head + internal
    return _to_base32(body + _checksum(body).to_bytes(_FOOTER_LENGTH, "little"))


@lru_cache(maxsize=1024)
def _head(table_number: int) -> bytes:
    if not 0 < table_number <= MAX_TABLE_NUMBER:
        raise ValueError(f"a table number is between 1 and {MAX_TABLE_NUMBER}, not {table_number}")
    return _varint(table_number)


@lru_cache(maxsize=8192)
def decode_id(text: str) -> DocumentId:
    """The parts of an id.

    Raises `InvalidId` unless `text` is exactly what `encode_id` gives for them.
    """
    length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    # Before anything else, so that a very long string costs nothing.
    if not _LENGTHS[1] <= length <= _LENGTHS[5]:
        raise InvalidId(f"Unable to decode ID: Invalid ID length {length}")
    surplus = length * 5 % 8
    try:
        bits = int(text.encode("ascii").translate(_TO_PYTHON), 32)
    except ValueError:  # UnicodeEncodeError is one too
        raise InvalidId("Unable to decode ID: ID wasn't valid base32") from None
    raw = (bits >> surplus).to_bytes(length * 5 // 8, "big")
    table_number = used = 0
    for byte in raw[:5]:
        table_number |= (byte & 0x7F) << 7 * used
        used += 1
        if byte < 0x80:
            break
    if raw[used - 1] >= 0x80 or not table_number:
        raise InvalidId("Unable to decode ID: Invalid table number")
    end = used + INTERNAL_ID_LENGTH
    footer = raw[end : end + _FOOTER_LENGTH]
    if len(footer) == _FOOTER_LENGTH:
        found, expected = int.from_bytes(footer, "little"), _checksum(raw[:end])
        if found != expected:
            raise InvalidId(f"Unable to decode ID: Invalid ID version {found} (expected {expected})")
        if (
            # One string per id: nothing left over, no bit set in the padding, the shortest table number.
            length == _LENGTHS[used]
            and not bits & (1 << surplus) - 1
            and (raw[used - 1] or used == 1)
            and table_number <= MAX_TABLE_NUMBER
        ):
            return DocumentId(table_number, raw[used:end])
    raise InvalidId(f"Unable to decode ID: Invalid ID length {length}")


@lru_cache(maxsize=1024)
def heads_of(table_number: int) -> frozenset[str]:
    """The first four characters that an id has exactly if it is one of this table; empty for a number that
    takes more or fewer bytes than two.
    """
    head = _varint(table_number)
    if len(head) != 2:
        return frozenset()
    bits = int.from_bytes(head, "big") << 4
    return frozenset(_PAIRS[bits + rest >> 10] + _PAIRS[bits + rest & 0x3FF] for rest in range(16))


def is_valid_id(text: str) -> bool:
    """True when `text` is an id of some table; the document need not exist."""
    try:
        decode_id(text)
    except InvalidId:
        return False
    return True


def new_internal_id(random14: bytes, day: int) -> bytes:
    """The 16 bytes of a new id: 14 random ones and the day number since 1970-01-01."""
    if len(random14) != INTERNAL_ID_LENGTH - 2:
        raise ValueError(f"a new id takes {INTERNAL_ID_LENGTH - 2} random bytes, not {len(random14)}")
    return random14 + (day & 0xFFFF).to_bytes(2, "big")


def new_id(table_number: int, day: int, random14: bytes | None = None) -> str:
    """A new id of a table, made on a day since 1970-01-01; from the system's randomness unless given."""
    if random14 is None:
        random14 = os.urandom(INTERNAL_ID_LENGTH - 2)
    return encode_id(table_number, new_internal_id(random14, day))


def day_of(now_ms: float) -> int:
    """The day since 1970-01-01 on which a clock shows so many milliseconds."""
    return int(now_ms // _MS_PER_DAY)


def legacy_internal_id(text: str) -> bytes | None:
    """The internal id that an id of an older form stands for, or None (semantics 2.2, `normalizeId`).

    Such ids do not say their table. 22 characters or fewer are base64url of the 16 bytes; more are base62
    of a one and 17 bytes, of which the last two are the day and the others are hashed.
    """
    if len(text) > _MAX_LEGACY_LENGTH or not text.isascii():
        return None
    if len(text) <= 22:
        try:
            internal = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        canonical = urlsafe_b64encode(internal).decode().rstrip("=")
        return internal if len(internal) == INTERNAL_ID_LENGTH and canonical == text else None
    number = 0
    for character in text:
        digit = _BASE62.find(character)
        if digit < 0:
            return None
        number = number * 62 + digit
    if number >> 17 * 8 != 1:
        return None
    raw = number.to_bytes(18, "big")[1:]
    return sha256(raw[:15]).digest()[:14] + raw[15:]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _checksum(body: bytes) -> int:
    # Fletcher-16 with sums modulo 256 rather than 255, as the format has it: the high byte is the sum of all
    # running sums.
    sums = list(accumulate(body))
    return (sums[-1] & 0xFF | (sum(sums) & 0xFF) << 8) ^ _VERSION


def _to_base32(raw: bytes) -> str:
    length = _LENGTHS[len(raw) - INTERNAL_ID_LENGTH - _FOOTER_LENGTH]
    if length == 32:
        # The 160 bits of most ids: halves are moved apart until each of the 32 digits has a byte of its own.
        bits = int.from_bytes(raw, "big")
        for shift, low, high in _APART:
            bits = bits & low | (bits & high) << shift
        return bits.to_bytes(32, "big").translate(_DIGITS).decode()
    digits = length + length % 2  # written in pairs; a surplus digit is cut off again
    bits = int.from_bytes(raw, "big") << digits * 5 - len(raw) * 8
    return "".join([_PAIRS[bits >> shift & 0x3FF] for shift in range(digits * 5 - 10, -1, -10)])[:length]
