"""Values and their JSON forms: what crosses the wire, what is stored, what other formats show.

In the engine a value is `None`, `bool`, `float`, `Int64`, `str`, `bytes`, a list or a dict of
values. Every number that JSON writes plainly is a float. What JSON cannot say is wrapped in an object with
one key: `$integer`, `$float`, `$bytes`, and the placeholders `$commitTs` and `$undefined`
(semantics 1.1). Object members have no order; whatever is written out has them sorted by name.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from math import copysign
from struct import Struct
from typing import Any, Final, TypeAlias, Union

import orjson

from parabola.values.display import display, display_float
from parabola.values.errors import BadRequest, InvalidValue, UnresolvedCommitTs
from parabola.values.int64 import Int64
from parabola.values.limits import (
    MAX_ARRAY_LENGTH,
    MAX_OBJECT_FIELDS,
    MAX_VALUE_NESTING,
    MAX_VALUE_SIZE,
)
from parabola.values.names import check_field_name, known_names
from parabola.values.normalization import normalize
from parabola.values.placeholders import COMMIT_TS, UNDEFINED, CommitTs, Undefined
from parabola.values.sizes import nesting_of, size_of, too_large, too_nested

__all__ = [
    "COMMIT_TS",
    "FORMATS",
    "JSON",
    "UNDEFINED",
    "CommitTs",
    "Int64",
    "Undefined",
    "Value",
    "decode",
    "display",
    "dumps",
    "dumps_plain",
    "dumps_with_integers",
    "encode",
    "encode_as",
    "loads",
    "normalize",
    "resolve_commit_ts",
    "revive",
]

Value: TypeAlias = Union[bool, float, Int64, str, bytes, "list[Value]", "dict[str, Value]", None]
"""What a function takes, returns and stores."""

JSON: TypeAlias = Any
"""What a JSON parser returns: None, bool, int, float, str, list, dict."""

_INT64: Final = Struct("<q")
_FLOAT64: Final = Struct("<d")

_EXACT: Final = 2**53

_UNCHANGED: Final = frozenset((float, bool, type(None)))
_PLAIN_LEAVES: Final = frozenset((str, bool, type(None)))


def decode(
    json: JSON, *, allow_undefined: bool = False, allow_commit_ts: bool = False, check_size: bool = True
) -> Value:
    """The value that parsed wire JSON stands for, with every limit of semantics 1.4 enforced.

    `allow_undefined` lets `{"$undefined": null}` stand anywhere, `allow_commit_ts` lets
    `{"$commitTs": null}`. Without `check_size` the total size is the caller's to check. Raises
    `InvalidValue`.
    """
    kind = type(json)
    if kind is not dict and kind is not list:
        value: Value = _decode_leaf(json)
        if kind is not str:
            return value
    else:
        value = _decode(json, 0, json, allow_undefined, allow_commit_ts)
    if not check_size:
        return value
    size = size_of(value)
    if size > MAX_VALUE_SIZE:
        raise too_large(size, MAX_VALUE_SIZE)
    return value


def _decode(json: Any, depth: int, root: Any, undefined: bool, commit_ts: bool) -> Any:
    kind = type(json)
    if kind is dict:
        if len(json) == 1:
            ((name, item),) = json.items()
            if name[:1] == "$":
                return _decode_special(name, item, undefined, commit_ts)
        elif len(json) > MAX_OBJECT_FIELDS:
            raise InvalidValue(
                f"Object has too many fields ({len(json)} > maximum number {MAX_OBJECT_FIELDS})",
                "TooManyFieldsError",
            )
        depth += 1
        if depth > MAX_VALUE_NESTING:
            raise too_nested(nesting_of(root))
        fields: dict[str, Any] = {}
        for name, item in json.items():
            if name not in known_names:
                check_field_name(name)
            kind = type(item)
            if kind in _UNCHANGED or (kind is str and item.isascii()):
                fields[name] = item
            elif kind is dict or kind is list:
                fields[name] = _decode(item, depth, root, undefined, commit_ts)
            elif kind is int and -_EXACT < item < _EXACT:
                fields[name] = float(item)
            else:
                fields[name] = _decode_leaf(item)
        return fields
    if kind is list:
        if len(json) > MAX_ARRAY_LENGTH:
            raise InvalidValue(
                f"Array length is too long ({len(json)} > maximum length {MAX_ARRAY_LENGTH})", "ArrayTooLong"
            )
        depth += 1
        if depth > MAX_VALUE_NESTING:
            raise too_nested(nesting_of(root))
        return [_decode(item, depth, root, undefined, commit_ts) for item in json]
    return _decode_leaf(json)


def _decode_leaf(json: Any) -> Any:
    kind = type(json)
    if json is None or kind is bool or kind is float:
        return json
    if kind is str:
        if not json.isascii():
            try:
                json.encode()
            except UnicodeEncodeError:
                raise InvalidValue(f"String {json!a} is not valid Unicode: it has a lone surrogate") from None
        return json
    if kind is int:
        try:
            return float(json)
        except OverflowError:
            raise InvalidValue("A number is out of range for a Float64") from None
    raise InvalidValue(f"{json!r} is not JSON")


def _decode_special(name: str, payload: Any, undefined: bool, commit_ts: bool) -> Any:
    if name == "$integer":
        return Int64(_INT64.unpack(_eight_bytes(name, payload))[0])
    if name == "$float":
        number: float = _FLOAT64.unpack(_eight_bytes(name, payload))[0]
        if number and number - number == 0:
            raise InvalidValue(f"Float64 {display_float(number)} should be encoded as a number")
        return number
    if name == "$bytes":
        return _base64(name, payload)
    if name == "$commitTs" and payload is None:
        if commit_ts:
            return COMMIT_TS
        raise UnresolvedCommitTs("An unresolved commit timestamp is only allowed inside a mutation")
    if name == "$undefined" and payload is None:
        if undefined:
            return UNDEFINED
        raise InvalidValue("undefined is not a valid Convex value")
    if name == "$set":
        raise InvalidValue("Received a Set which is no longer supported as a Convex type.")
    if name == "$map":
        raise InvalidValue("Received a Map which is no longer supported as a Convex type.")
    check_field_name(name)
    raise AssertionError("a name that starts with '$' passed the check of field names")


def _base64(name: str, payload: Any) -> bytes:
    if type(payload) is not str:
        raise InvalidValue(f"{name} must be a base64 string")
    try:
        return b64decode(payload, validate=True)
    except (Base64Error, ValueError):
        raise InvalidValue(f"{name} must be a base64 string") from None


def _eight_bytes(name: str, payload: Any) -> bytes:
    raw = _base64(name, payload)
    if len(raw) != 8:
        raise InvalidValue(f"Received {len(raw)} bytes, expected 8 for {name}")
    return raw


def encode(value: Any) -> JSON:
    """The JSON-able form of a value (`convex_encoded_json`), objects with sorted keys.

    Python ints become floats. Raises `InvalidValue` for anything that is not a value.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is float:
        # NaN, infinities and -0.0 have no plain form; for every other number x - x is 0.
        if value - value == 0.0 and (value or copysign(1.0, value) > 0.0):
            return value
        return {"$float": b64encode(_FLOAT64.pack(value)).decode()}
    if kind is dict:
        fields = {}
        for name in sorted(value):
            item = value[name]
            fields[name] = item if type(item) in _PLAIN_LEAVES else encode(item)
        return fields
    if kind is list or kind is tuple:
        return [encode(item) for item in value]
    if kind is Int64:
        return {"$integer": b64encode(_INT64.pack(value.value)).decode()}
    if kind is bytes:
        return {"$bytes": b64encode(value).decode()}
    if kind is CommitTs:
        return {"$commitTs": None}
    if kind is Undefined:
        return {"$undefined": None}
    return encode(normalize(value))


_COPIED: Final = 16 * 1024
"""Bytes of a text up to which a copy costs less than the memory it saves."""


def dumps(value: Any) -> bytes:
    """Canonical JSON bytes of a value: equal values give equal bytes; keys sorted, floats with a fraction."""
    return dumps_plain(value if _is_plain(value) else encode(value))


def dumps_plain(value: Any) -> bytes:
    """The same of a value that is known to be as JSON has it (`sizes.flat_size` knows of some)."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise InvalidValue(f"The value cannot be encoded: {error}") from None
    # orjson leaves a text in the buffer it was written to, which is some 4 KiB larger. Documents and results
    # are kept by the hundred thousand.
    return b"%b" % text if len(text) <= _COPIED else text


def resolve_commit_ts(json: bytes, ts: int) -> bytes:
    """Canonical JSON with the commit timestamp in the place of its placeholder (semantics 1.6).

    In a string the text of the placeholder would have its quotes escaped.
    """
    return json.replace(b'{"$commitTs":null}', dumps(Int64(ts))) if b'{"$commitTs"' in json else json


def _is_plain(value: Any) -> bool:
    """True when `orjson` writes exactly what `encode` would: it turns NaN into null and keeps ints."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is float:
        return value - value == 0.0 and (value != 0.0 or copysign(1.0, value) > 0.0)
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return False
    for item in value:
        kind = type(item)
        if kind is float:
            if item - item != 0.0 or not (item or copysign(1.0, item) > 0.0):
                return False
        elif kind not in _PLAIN_LEAVES and not _is_plain(item):
            return False
    return True


def loads(raw: bytes) -> Any:
    """The value whose canonical JSON `dumps` made; nothing is checked again."""
    json = orjson.loads(raw)
    # Only a wrapped form, or a string that begins with a dollar sign, has these two bytes in a row.
    return revive(json) if b'"$' in raw else json


def revive(json: Any) -> Any:
    """What `loads` does with JSON that is parsed already: wrapped forms are opened, in place."""
    kind = type(json)
    if kind is dict:
        if len(json) == 1:
            ((name, item),) = json.items()
            if name[:1] == "$":
                return _decode_special(name, item, True, True)
        for name, item in json.items():
            kind = type(item)
            if kind is dict or kind is list:
                json[name] = revive(item)
        return json
    if kind is list:
        for index, item in enumerate(json):
            kind = type(item)
            if kind is dict or kind is list:
                json[index] = revive(item)
    return json


def dumps_with_integers(value: Any) -> bytes:
    """The JSON text of a value in which some numbers are `int`s: `revive` leaves them so."""
    return orjson.dumps(_with_integers(value, encode(value)))


def _with_integers(value: Any, json: Any) -> Any:
    if type(value) is int:
        return value
    if type(value) is dict:
        return {name: _with_integers(item, json[name]) for name, item in value.items()}
    if type(value) is list:
        return [_with_integers(item, part) for item, part in zip(value, json, strict=True)]
    return json


FORMATS: Final = ("convex_encoded_json", "convex_json", "json", "convex_clean_json", "export_json")
"""The names `encode_as` knows; the second and fourth are aliases of the ones before them."""


def encode_as(value: Any, format: str) -> JSON:
    """The JSON-able form of a value in one of `FORMATS` (semantics 1.1).

    In `export_json` an Int64 becomes a Python int, in `json` a decimal string. Raises `BadRequest`
    with code `BadFormat` for another name.
    """
    if format == "convex_encoded_json" or format == "convex_json":
        return encode(value)
    if format == "json" or format == "convex_clean_json":
        return _encode_clean(value)
    if format == "export_json":
        return _encode_export(value)
    raise BadRequest(f"format param must be one of [`json`]. Got {format}", "BadFormat")


def _encode_clean(value: Any) -> JSON:
    kind = type(value)
    if kind is dict:
        return {name: _encode_clean(value[name]) for name in sorted(value)}
    if kind is list or kind is tuple:
        return [_encode_clean(item) for item in value]
    if kind is Int64:
        return str(value.value)
    if kind is bytes:
        return b64encode(value).decode()
    if kind is float and value - value != 0.0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return encode(value) if kind is not float else value


def _encode_export(value: Any) -> JSON:
    kind = type(value)
    if kind is dict:
        return {name: _encode_export(value[name]) for name in sorted(value)}
    if kind is list or kind is tuple:
        return [_encode_export(item) for item in value]
    if kind is Int64:
        return value.value
    return encode(value)
