"""Filters: which documents a search looks at, by the values of an index's filter fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

__all__ = ["And", "Eq", "FilterExpression", "Or", "filter_key", "matches"]

_LONG_KEY: Final = 40


@dataclass(frozen=True, slots=True)
class Eq:
    """A filter field has exactly this value.

    `field` is the number of the filter field in the index's definition, `key` the value as
    `values.ordering.encode_key([value])`; a missing field has that of `UNDEFINED`.
    """

    field: int
    key: bytes


@dataclass(frozen=True, slots=True)
class And:
    """Every one of the parts holds; so does none at all."""

    parts: tuple[FilterExpression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the parts holds, which none of none does."""

    parts: tuple[FilterExpression, ...]


FilterExpression: TypeAlias = Eq | And | Or


def matches(expression: FilterExpression, filters: Sequence[bytes]) -> bool:
    """Whether a document with these values of the filter fields is let through."""
    if isinstance(expression, Eq):
        return filters[expression.field] == expression.key
    if isinstance(expression, And):
        return all(matches(part, filters) for part in expression.parts)
    return any(matches(part, filters) for part in expression.parts)


def filter_key(field: int, key: bytes) -> bytes:
    """What stands for a value of a field in a segment: a digest where the value is long.

    No key is another one with something behind it. A digest begins with a byte that no value begins with.
    """
    if len(key) > _LONG_KEY:
        key = b"\xff" + blake2b(key, digest_size=16).digest()
    return bytes((field,)) + key
