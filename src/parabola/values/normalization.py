"""What a Python author hands in (ints, tuples, dataclasses, structs) made into values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from parabola.values.errors import InvalidValue
from parabola.values.int64 import Int64
from parabola.values.limits import MAX_ARRAY_LENGTH, MAX_OBJECT_FIELDS, MAX_VALUE_NESTING
from parabola.values.names import field_name_problem
from parabola.values.placeholders import COMMIT_TS, UNDEFINED
from parabola.values.record_types import struct_tag

_SUPPORTED = (
    "None, bool, int, float, Int64, str, bytes, lists, dicts with str keys, dataclasses and msgspec structs"
)

_PLAIN_OF: dict[type, Callable[[Any], Any]] = {
    bool: bool,
    float: float.__float__,
    int: int.__int__,
    str: str.__str__,
}


def normalize(obj: Any) -> Any:
    """The value a Python object stands for.

    ints become floats, tuples lists, dataclasses and ``msgspec.Struct`` instances objects; members that are
    ``UNDEFINED`` or ``msgspec.UNSET`` are left out, as JavaScript leaves out ``undefined``. ``COMMIT_TS``
    passes. Raises ``InvalidValue`` naming the path of anything else, and for a broken limit.
    """
    return _normalize(obj, (), obj)


def _normalize(obj: Any, path: tuple[str | int, ...], root: Any) -> Any:
    kind = type(obj)
    if obj is None or kind is bool or kind is float or kind is Int64 or kind is bytes:
        return obj
    if kind is str:
        if not obj.isascii():
            try:
                obj.encode()
            except UnicodeEncodeError:
                raise InvalidValue(
                    f"String {obj!a} is not valid Unicode{_place(path)}: it has a lone surrogate"
                ) from None
        return obj
    if kind is int:
        try:
            return float(obj)
        except OverflowError:
            raise InvalidValue(
                f"{obj} is out of range for a number{_place(path)}. Store it as a string."
            ) from None
    if isinstance(obj, Mapping):
        return _normalize_object(obj.items(), path, root)
    if isinstance(obj, (list, tuple)):
        if len(obj) > MAX_ARRAY_LENGTH:
            raise InvalidValue(
                f"Array length is too long ({len(obj)} > maximum length {MAX_ARRAY_LENGTH})", "ArrayTooLong"
            )
        _check_depth(path)
        return [_normalize(item, (*path, index), root) for index, item in enumerate(obj)]
    if obj is COMMIT_TS:
        return obj
    if isinstance(obj, (bool, float, int, str)):  # a subclass, such as an enum member
        return _normalize(
            _PLAIN_OF[next(base for base in _PLAIN_OF if isinstance(obj, base))](obj), path, root
        )
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return bytes(obj)
    if isinstance(obj, msgspec.Struct):
        tag = struct_tag(kind)
        return _normalize_object(
            ([tag] if tag else [])
            + [
                (field.encode_name, item)
                for field in msgspec.structs.fields(obj)
                if (item := getattr(obj, field.name)) is not msgspec.UNSET
            ],
            path,
            root,
        )
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return _normalize_object(
            [(field.name, getattr(obj, field.name)) for field in dataclasses.fields(obj)], path, root
        )
    raise InvalidValue(_not_a_value(obj, path))


def _normalize_object(items: Any, path: tuple[str | int, ...], root: Any) -> dict[str, Any]:
    _check_depth(path)
    fields: dict[str, Any] = {}
    for name, item in items:
        if not isinstance(name, str):
            raise InvalidValue(
                f"{name!r} is not a field name{_place(path)}: the keys of an object are strings"
            )
        if item is UNDEFINED:
            continue
        problem = field_name_problem(name)
        if problem is not None:
            raise InvalidValue(problem, "InvalidFieldName")
        fields[str(name)] = _normalize(item, (*path, name), root)
    if len(fields) > MAX_OBJECT_FIELDS:
        raise InvalidValue(
            f"Object has too many fields ({len(fields)} > maximum number {MAX_OBJECT_FIELDS})",
            "TooManyFieldsError",
        )
    return fields


def _check_depth(path: tuple[str | int, ...]) -> None:
    if len(path) >= MAX_VALUE_NESTING:
        raise InvalidValue(
            f"Value is too nested (nested {len(path) + 1} levels deep > maximum nesting {MAX_VALUE_NESTING})",
            "TooNestedError",
        )


def _not_a_value(obj: Any, path: tuple[str | int, ...]) -> str:
    name = type(obj).__qualname__
    if isinstance(obj, (set, frozenset)):
        advice = "Convert it to a list, for example with sorted()."
    elif type(obj).__module__ == "datetime":
        advice = (
            "Store a time as a number of milliseconds (t.timestamp() * 1000) or as a string (t.isoformat())."
        )
    elif hasattr(obj, "__await__"):
        advice = "Did you forget to await it?"
    else:
        advice = f"Supported are {_SUPPORTED}."
    return f"{_shown(obj)} of type {name} is not a supported Convex type{_place(path)}. {advice}"


def _place(path: tuple[str | int, ...]) -> str:
    if not path:
        return ""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f" (present at path {''.join(steps)})"


def _shown(obj: Any) -> str:
    text = repr(obj)
    return text if len(text) <= 200 else text[:200] + "..."
