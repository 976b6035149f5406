"""Filters: which documents a search looks at, by the values of an index's filter fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["And", "Eq", "FilterExpression", "Or", "fields_of", "matches"]


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


def fields_of(expression: FilterExpression) -> Iterator[int]:
    """The numbers of the filter fields that are asked for."""
    if isinstance(expression, Eq):
        yield expression.field
    else:
        for part in expression.parts:
            yield from fields_of(part)
