"""How large and how deep a value is, and whether a document may be stored (semantics 1.1 and 1.4)."""

from __future__ import annotations

from math import copysign
from typing import Any, Final

from parabola.values.display import display
from parabola.values.errors import BadRequest, InvalidValue
from parabola.values.limits import (
    MAX_DOCUMENT_NESTING,
    MAX_DOCUMENT_SIZE,
    MAX_VALUE_NESTING,
    MAX_VALUE_SIZE,
    MIB,
)

__all__ = [
    "EXACT_SIZES_FROM",
    "check_document",
    "check_value",
    "flat_size",
    "humanize",
    "nesting_of",
    "size_by_json",
    "size_of",
    "too_large",
    "too_nested",
]

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def size_of(value: Any) -> int:
    """Bytes a value counts for: 1 for null and booleans, 9 for numbers, 2 and the contents for the rest."""
    kind = type(value)
    if kind is str:
        return 2 + (len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass")))
    if kind is float:
        return 9
    if value is None or kind is bool:
        return 1
    if kind is dict:
        total = 2 + len(value) + sum(map(len, value))
        for item in value.values():
            kind = type(item)
            # The common leaves are counted in place: a call for each is most of the cost of this walk.
            if kind is float:
                total += 9
            elif kind is str and item.isascii():
                total += 2 + len(item)
            else:
                total += size_of(item)
        return total
    if kind is list:
        return 2 + sum(map(size_of, value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return 2 + len(value)
    if isinstance(value, str):
        return 2 + len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return 2 + sum(len(name) + 1 + size_of(item) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return 2 + sum(map(size_of, value))
    return 9  # Int64, the commit timestamp to come, a Python int


EXACT_SIZES_FROM: Final = 4 * MIB
"""Bytes from which sizes are worth knowing: 80 % of the smallest limit."""


def size_by_json(value: Any, json: bytes) -> int:
    """The size of a value from `EXACT_SIZES_FROM` on, below that an upper bound; `json` is what it is written
    as.

    No value is larger than three times its JSON: the worst is a number, which counts 9 and may be written as
    `1.0`.
    """
    bound = 3 * len(json)
    return bound if bound < EXACT_SIZES_FROM else size_of(value)


def nesting_of(value: Any) -> int:
    """Levels of arrays and objects: 0 for a scalar, else 1 more than the deepest member."""
    # Level by level rather than by recursion: what it is asked about may be too deep for that.
    depth = 0
    level = [value] if isinstance(value, (dict, list, tuple)) else []
    while level:
        depth += 1
        level = [
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else container)
            if isinstance(member, (dict, list, tuple))
        ]
    return depth


def check_value(value: Any) -> int:
    """Raise `InvalidValue` if a value is too large or too nested for anything; return its size."""
    nesting = nesting_of(value)
    if nesting > MAX_VALUE_NESTING:
        raise too_nested(nesting)
    size = size_of(value)
    if size > MAX_VALUE_SIZE:
        raise too_large(size, MAX_VALUE_SIZE)
    return size


def check_document(document: dict[str, Any], *, system: bool = False) -> int:
    """Raise unless a document may be stored: size, nesting, underscore fields; return its size.

    `document` carries `_id` and `_creationTime`. A system document may be as large as any value.
    Codes: `ValueTooLargeError` and `InvalidDocumentError`.
    """
    problems = []
    underscored = []
    too_deep = False
    for name, item in document.items():
        if name[:1] == "_" and name != "_id" and name != "_creationTime":
            underscored.append(name)
        kind = type(item)
        if (kind is dict or kind is list) and _is_deeper(item, MAX_DOCUMENT_NESTING - 1):
            too_deep = True
    if too_deep:
        problems.append(
            f"Document is too nested (nested {nesting_of(document)} levels deep "
            f"> maximum nesting {MAX_DOCUMENT_NESTING})"
        )
    problems += [
        f"Field '{name}' starts with an underscore, which is only allowed for system fields like '_id'"
        for name in sorted(underscored)
    ]
    if problems:
        raise BadRequest(
            f"Document(value: {display(document)}) isn't a valid document: " + "\n ".join(problems),
            "InvalidDocumentError",
        )
    size = size_of(document)
    limit = MAX_VALUE_SIZE if system else MAX_DOCUMENT_SIZE
    if size > limit:
        raise too_large(size, limit)
    return size


def flat_size(document: dict[str, Any]) -> int | None:
    """The size of a document of plain values: texts in ASCII, booleans, null, and numbers that JSON writes.

    None for others, which may be quite as good, and for one that is too large to be stored.
    """
    total = 2 + len(document) + sum(map(len, document))
    for item in document.values():
        kind = type(item)
        if kind is float:
            if item - item != 0.0 or not (item or copysign(1.0, item) > 0.0):
                return None
            total += 9
        elif kind is str:
            if not item.isascii():
                return None
            total += 2 + len(item)
        elif item is None or kind is bool:
            total += 1
        else:
            return None
    return total if total <= MAX_DOCUMENT_SIZE else None


def _is_deeper(container: Any, levels: int) -> bool:
    """True when a dict or list has more than this many levels, itself being the first."""
    if not levels:
        return True
    for member in container.values() if type(container) is dict else container:
        kind = type(member)
        if (kind is dict or kind is list) and _is_deeper(member, levels - 1):
            return True
    return False


def too_large(size: int, limit: int) -> InvalidValue:
    """The error for a value of `size` bytes where `limit` are allowed."""
    return InvalidValue(
        f"Value is too large ({humanize(size)} > maximum size {humanize(limit)})", "ValueTooLargeError"
    )


def too_nested(nesting: int) -> InvalidValue:
    """The error for a value of `nesting` levels."""
    return InvalidValue(
        f"Value is too nested (nested {nesting} levels deep > maximum nesting {MAX_VALUE_NESTING})",
        "TooNestedError",
    )


def humanize(size: int) -> str:
    """A number of bytes for people, in binary units with at most two decimals: `1.5 MiB`, `16 MiB`."""
    number = float(size)
    for unit in _UNITS:
        if number < 1024 or unit == _UNITS[-1]:
            break
        number /= 1024
    return f"{number:.2f}".rstrip("0").rstrip(".") + f" {unit}"
