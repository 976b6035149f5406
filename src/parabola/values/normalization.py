"""What a Python author hands in (ints, tuples, sets, times, dataclasses, models) made into values."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from parabola.values.errors import InvalidValue
from parabola.values.int64 import Int64
from parabola.values.library_types import library_type_of
from parabola.values.limits import MAX_ARRAY_LENGTH, MAX_OBJECT_FIELDS, MAX_VALUE_NESTING
from parabola.values.names import field_name_problem, known_names, remember_name
from parabola.values.ordering import encode_key
from parabola.values.placeholders import COMMIT_TS, UNDEFINED
from parabola.values.record_types import is_model, is_root_model, model_names, struct_tag

__all__ = ["MAX_SAFE_INTEGER", "normalize"]

MAX_SAFE_INTEGER: Final = 2**53
"""Beyond it a float does not tell neighbouring integers apart; the official Python client stops there too."""

_SUPPORTED: Final = (
    "None, bool, int, float, Int64, str, bytes, lists, tuples, sets, dicts with str keys, dataclasses, "
    "msgspec structs, Pydantic models, enumerations, datetime, date, time, timedelta, UUID and Decimal"
)
_UNCHANGED: Final = frozenset((float, bool, type(None), Int64, bytes))
_PLAIN_OF: Final[dict[type, Callable[[Any], Any]]] = {
    bool: bool,
    float: float.__float__,
    int: int.__int__,
    str: str.__str__,
}


def normalize(obj: Any) -> Any:
    """The value a Python object stands for.

    ints become floats, tuples lists, sets lists in the order of values, dataclasses, `msgspec.Struct`
    instances and Pydantic models objects, members of enumerations their values, and the types of
    `library_types` what is said there. Members that are `UNDEFINED` or `msgspec.UNSET` are left out, as
    JavaScript leaves out `undefined`. `COMMIT_TS` passes. Raises `InvalidValue` naming the path of anything
    else, and for a broken limit.
    """
    try:
        return _normalize(obj, 0)
    except _Rejected as rejected:
        raise InvalidValue(rejected.text(), rejected.code) from None


class _Rejected(Exception):
    """Carries what is wrong up to the root, gathering the path on the way."""

    def __init__(
        self, what: str, advice: str = "", code: str | None = None, *, is_name: bool = False
    ) -> None:
        self.what = what
        self.advice = advice
        self.code = code
        self.is_name = is_name
        self.path: list[str] = []

    def add_step(self, step: str) -> None:
        """Go one level up; a name that is wrong stands in the object itself, not in its member."""
        if self.is_name:
            self.is_name = False
        else:
            self.path.append(step)

    def text(self) -> str:
        # The texts with a code are literal: clients of every language show the same.
        if self.code is not None or not self.path:
            return f"{self.what}{self.advice}"
        place = f" (present at path {''.join(reversed(self.path))})"
        return f"{self.what}{place}{self.advice}"


def _normalize(obj: Any, depth: int) -> Any:
    kind = type(obj)
    if kind in _UNCHANGED or (kind is str and obj.isascii()):
        return obj
    if kind is dict:
        return _normalize_object(obj.items(), depth)
    if kind is list or kind is tuple:
        return _normalize_array(obj, depth)
    if kind is int:
        if -MAX_SAFE_INTEGER <= obj <= MAX_SAFE_INTEGER:
            return float(obj)
        shown = f"The int {obj}" if abs(obj) < 10**40 else "An int"
        raise _Rejected(
            f"{shown} is out of the range in which numbers are exact (-2^53 to 2^53)",
            ". Use Int64(...) or a string, or float(...) where digits may be lost.",
        )
    return _normalize_other(obj, kind, depth)


def _normalize_array(items: Any, depth: int) -> list[Any]:
    if len(items) > MAX_ARRAY_LENGTH:
        raise _Rejected(
            f"Array length is too long ({len(items)} > maximum length {MAX_ARRAY_LENGTH})", "", "ArrayTooLong"
        )
    depth = _deeper(depth)
    values: list[Any] = []
    try:
        for item in items:
            values.append(item if type(item) in _UNCHANGED else _normalize(item, depth))
    except _Rejected as rejected:
        rejected.add_step(f"[{len(values)}]")
        raise
    return values


def _normalize_object(items: Any, depth: int) -> dict[str, Any]:
    depth = _deeper(depth)
    fields: dict[str, Any] = {}
    name = None
    try:
        for name, item in items:  # the name is needed where it fails
            kind = type(item)
            if type(name) is not str or name not in known_names:
                name = _field_name(name)
            if kind in _UNCHANGED or (kind is str and item.isascii()):
                fields[name] = item
            elif item is not UNDEFINED:
                fields[name] = _normalize(item, depth)
    except _Rejected as rejected:
        rejected.add_step(f".{name}")
        raise
    if len(fields) > MAX_OBJECT_FIELDS:
        raise _Rejected(
            f"Object has too many fields ({len(fields)} > maximum number {MAX_OBJECT_FIELDS})",
            "",
            "TooManyFieldsError",
        )
    return fields


def _field_name(name: Any) -> str:
    if not isinstance(name, str):
        raise _Rejected(f"{name!r} is not a field name: the keys of an object are strings", is_name=True)
    plain = str.__str__(name)
    problem = field_name_problem(plain)
    if problem is not None:
        raise _Rejected(problem, "", "InvalidFieldName")
    remember_name(plain)
    return plain


def _deeper(depth: int) -> int:
    if depth >= MAX_VALUE_NESTING:
        raise _Rejected(
            f"Value is too nested (nested {depth + 1} levels deep > maximum nesting {MAX_VALUE_NESTING})",
            "",
            "TooNestedError",
        )
    return depth + 1


def _normalize_set(items: Any, depth: int) -> list[Any]:
    """Always the same list for the same set, whatever the order in which Python keeps it."""
    keyed = {encode_key((value,)): value for value in _normalize_array(list(items), depth)}
    return [keyed[key] for key in sorted(keyed)]


def _normalize_model(obj: Any, kind: Any, depth: int) -> Any:
    if is_root_model(kind):
        return _normalize(obj.root, depth)
    items = [(name, getattr(obj, attribute)) for attribute, name in model_names(kind).items()]
    return _normalize_object([*items, *(obj.model_extra or {}).items()], depth)


def _normalize_other(obj: Any, kind: type, depth: int) -> Any:
    if kind is str:
        try:
            obj.encode()
        except UnicodeEncodeError:
            raise _Rejected(f"String {obj!a} is not valid Unicode: it has a lone surrogate") from None
        return obj
    if obj is COMMIT_TS:
        return obj
    if isinstance(obj, enum.Enum):
        return _normalize(obj.value, depth)
    if isinstance(obj, Mapping):
        return _normalize_object(obj.items(), depth)
    if isinstance(obj, (list, tuple)):
        return _normalize_array(obj, depth)
    if isinstance(obj, (set, frozenset)):
        return _normalize_set(obj, depth)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return bytes(obj)
    for base, plain in _PLAIN_OF.items():
        if isinstance(obj, base):  # a subclass, such as the members of an enumeration
            return _normalize(plain(obj), depth)
    if isinstance(obj, msgspec.Struct):
        tag = struct_tag(kind)
        items = [
            (field.encode_name, item)
            for field in msgspec.structs.fields(obj)
            if (item := getattr(obj, field.name)) is not msgspec.UNSET
        ]
        return _normalize_object([tag, *items] if tag else items, depth)
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return _normalize_object(
            [(field.name, getattr(obj, field.name)) for field in dataclasses.fields(obj)], depth
        )
    if is_model(kind):
        return _normalize_model(obj, kind, depth)
    library = library_type_of(kind)
    if library is not None:
        try:
            return _normalize(library.to_plain(obj), depth)
        except ValueError as error:
            raise _Rejected(f"{error}") from None
    raise _Rejected(
        f"{_shown(obj)} of type {kind.__qualname__} is not a supported Convex type", f". {_advice(obj)}"
    )


def _advice(obj: Any) -> str:
    if callable(getattr(obj, "collect", None)):
        return "Did you forget .collect(), .take(n) or .first()?"
    if hasattr(obj, "__await__"):
        return "Did you forget to await it?"
    if callable(getattr(obj, "tolist", None)):  # arrays and numbers of NumPy, and what is made like them
        return "Convert it with .tolist()."
    return f"Supported are {_SUPPORTED}."


def _shown(obj: Any) -> str:
    text = repr(obj)
    return text if len(text) <= 200 else text[:200] + "..."
