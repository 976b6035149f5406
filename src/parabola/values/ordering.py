"""The total order of values, and the bytes of an index key that sort the same way.

Across types: undefined < null < Int64 < Float64 < false < true < string < bytes < array < object
(semantics 1.2). The encoding (semantics 1.3) is self-delimiting, so a key is its parts one after another.
Python's own `==` and `hash` must not be used on values: `True == 1 == 1.0` and `-0.0 == 0.0`.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any, Final

from parabola.values.int64 import Int64
from parabola.values.limits import INT64_MAX
from parabola.values.placeholders import UNDEFINED, CommitTs, Undefined

__all__ = ["after_all_with", "compare", "decode_key", "encode_key", "encode_value", "equal"]

_UNDEFINED: Final = 0x01
_NULL: Final = 0x03
_INT64_ZERO: Final = 0x08
_FLOAT64: Final = 0x0D
_FALSE: Final = 0x0E
_TRUE: Final = 0x0F
_STRING: Final = 0x10
_BYTES: Final = 0x11
_ARRAY: Final = 0x12
_OBJECT: Final = 0x15

_FLOAT_KEY: Final = Struct(">Bd")
_BITS: Final = Struct(">Q")
_DOUBLE: Final = Struct(">d")
_SIGN_BIT: Final = 1 << 63
_ALL_BITS: Final = (1 << 64) - 1
# Tags of integers by width in bytes: the more negative the smaller, the more positive the larger.
_NEGATIVE_TAG: Final = {8: 0x04, 4: 0x05, 2: 0x06, 1: 0x07}
_POSITIVE_TAG: Final = {1: 0x09, 2: 0x0A, 4: 0x0B, 8: 0x0C}
_INTEGER_WIDTH: Final = {tag: width for tags in (_NEGATIVE_TAG, _POSITIVE_TAG) for width, tag in tags.items()}


def encode_key(values: Iterable[Any]) -> bytes:
    """The index key of these values in this order; keys compare as bytes just as the lists of values do."""
    return b"".join(map(encode_value, values))


def encode_value(value: Any) -> bytes:
    """The part of an index key that is one value's."""
    kind = type(value)
    if kind is str:
        raw: bytes = value.encode()
        return b"\x10" + (raw.replace(b"\0", b"\0\xff") if b"\0" in raw else raw) + b"\0"
    if kind is float:
        if value > 0.0:
            return _FLOAT_KEY.pack(
                _FLOAT64, -value
            )  # negating sets the sign bit, all a positive number needs
        bits = _BITS.unpack(_DOUBLE.pack(value))[0]
        return b"\x0d" + _BITS.pack(bits ^ _ALL_BITS if bits & _SIGN_BIT else bits | _SIGN_BIT)
    if value is None:
        return b"\x03"
    if kind is bool:
        return b"\x0f" if value else b"\x0e"
    if kind is Int64:
        return _encode_integer(value.value)
    if kind is Undefined:
        return b"\x01"
    if kind is list or kind is tuple:
        return b"\x12" + b"".join(map(encode_value, value)) + b"\0"
    if kind is dict:
        parts = [b"\x15"]
        for name in sorted(value):
            parts.append(_encode_name(name))
            parts.append(encode_value(value[name]))
        parts.append(b"\0")
        return b"".join(parts)
    if kind is bytes:
        return b"".join((b"\x11", value.replace(b"\0", b"\0\xff"), b"\0"))
    if kind is CommitTs:
        return _encode_integer(INT64_MAX)
    if kind is int:
        return encode_value(float(value))
    if isinstance(value, str):
        return encode_value(str.__str__(value))
    raise TypeError(f"{value!r} of type {kind.__name__} has no place in the order of values")


def _encode_integer(number: int) -> bytes:
    if number == 0:
        return b"\x08"
    magnitude = number if number > 0 else ~number
    bits = magnitude.bit_length()
    width = 1 if bits < 8 else 2 if bits < 16 else 4 if bits < 32 else 8
    tag = (_POSITIVE_TAG if number > 0 else _NEGATIVE_TAG)[width]
    return bytes((tag,)) + number.to_bytes(width, "big", signed=True)


def _encode_name(name: str) -> bytes:
    # An object ends with a 00 where the next name would begin, and FF is no tag: so 00 FF is the empty name.
    return name.encode().replace(b"\0", b"\0\xff") + b"\0" if name else b"\0\xff"


def decode_key(key: bytes) -> list[Any]:
    """The values `encode_key` was given; `COMMIT_TS` comes back as the largest Int64.

    Raises `ValueError` for bytes that no list of values encodes to.
    """
    values = []
    position = 0
    try:
        while position < len(key):
            value, position = _decode(key, position)
            values.append(value)
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"not an index key: {error}") from None
    return values


def _decode(key: bytes, position: int) -> tuple[Any, int]:
    tag = key[position]
    position += 1
    if tag == _UNDEFINED:
        return UNDEFINED, position
    if tag == _NULL:
        return None, position
    if tag == _INT64_ZERO:
        return Int64(0), position
    if tag in _INTEGER_WIDTH:
        end = position + _INTEGER_WIDTH[tag]
        number = int.from_bytes(key[position:end], "big", signed=True)
        if end > len(key) or _encode_integer(number) != key[position - 1 : end]:
            raise ValueError("not an index key: an integer in more bytes than it needs")
        return Int64(number), end
    if tag == _FLOAT64:
        end = position + 8
        if end > len(key):
            raise ValueError("not an index key: it ends within a number")
        bits = _BITS.unpack_from(key, position)[0]
        bits = bits ^ _SIGN_BIT if bits & _SIGN_BIT else bits ^ _ALL_BITS
        return _DOUBLE.unpack(_BITS.pack(bits))[0], end
    if tag in (_FALSE, _TRUE):
        return tag == _TRUE, position
    if tag == _STRING:
        raw, position = _decode_text(key, position)
        return raw.decode(), position
    if tag == _BYTES:
        return _decode_text(key, position)
    if tag == _ARRAY:
        items = []
        while key[position] != 0:
            item, position = _decode(key, position)
            items.append(item)
        return items, position + 1
    if tag == _OBJECT:
        return _decode_object(key, position)
    raise ValueError(f"not an index key: unknown tag {tag:#04x}")


def _decode_object(key: bytes, position: int) -> tuple[dict[str, Any], int]:
    fields: dict[str, Any] = {}
    while True:
        if key[position] == 0:
            if key[position + 1 : position + 2] != b"\xff":
                return fields, position + 1
            name, position = "", position + 2
        else:
            raw, position = _decode_text(key, position)
            name = raw.decode()
        if name in fields:
            raise ValueError(f"not an index key: duplicate field {name!r}")
        fields[name], position = _decode(key, position)


def _decode_text(key: bytes, position: int) -> tuple[bytes, int]:
    start = position
    while True:
        end = key.find(b"\0", position)
        if end < 0:
            raise ValueError("not an index key: it ends within a string")
        if key[end + 1 : end + 2] != b"\xff":
            return key[start:end].replace(b"\0\xff", b"\0"), end + 1
        position = end + 2


def compare(a: Any, b: Any) -> int:
    """-1, 0 or 1 as `a` sorts before, with or after `b`; either may be `UNDEFINED` or `COMMIT_TS`."""
    kind = type(a)
    if kind is type(b):
        if kind is str and a.isascii() and b.isascii():
            return int(a > b) - int(a < b)
        if kind is float and a != b and a == a and b == b:
            return 1 if a > b else -1
    key, other = encode_value(a), encode_value(b)
    return (key > other) - (key < other)


def equal(a: Any, b: Any) -> bool:
    """True when the values are the same in the total order: `-0.0` and `0.0` are not, NaN is itself."""
    kind = type(a)
    if kind is str or kind is bool or a is None:
        return type(b) is kind and bool(a == b)
    if kind is float and type(b) is float and a and a - a == 0.0:  # neither a zero nor NaN nor infinite
        return bool(a == b)
    return encode_value(a) == encode_value(b)


def after_all_with(prefix: bytes) -> bytes | None:
    """The smallest bytes after every key that begins with the values of the key `prefix`.

    None when `prefix` holds no value. A further value begins with its tag, and `FF` is none: where a key
    goes on with `FF` the last value of `prefix` is another one, which only begins alike. `"a"` is
    `10 61 00`, and `"a\\0"` is `10 61 00 FF 00`.
    """
    return prefix + b"\xff" if prefix else None
