"""Definitions of text and vector indexes, and what each keeps of one revision of a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from parabola.database.derived.text.tokens import words
from parabola.values.ordering import encode_key
from parabola.values.placeholders import UNDEFINED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "MAX_COUNT",
    "MAX_LENGTH",
    "Entry",
    "EntryChange",
    "TextDefinition",
    "TextEntry",
    "VectorDefinition",
    "VectorEntry",
    "unit_vector",
]

MAX_COUNT: Final = 255
"""How often a word counts in one document."""
MAX_LENGTH: Final = 65_535
"""Words of one document that count as its length."""


@dataclass(frozen=True, slots=True)
class TextEntry:
    """What a text index keeps of a revision.

    `terms` are its words and how often it has each (1 to 255), `length` their number (at most 65,535).
    `filters` holds the key of each filter field's value. A document without a text has no terms; it counts
    among the documents of the index all the same.
    """

    terms: Mapping[str, int]
    length: int
    filters: tuple[bytes, ...]
    creation_time: float


@dataclass(frozen=True, slots=True)
class VectorEntry:
    """What a vector index keeps of a revision: its vector at length 1 (or zero), None if it has none."""

    vector: NDArray[np.float32] | None
    filters: tuple[bytes, ...]


Entry: TypeAlias = TextEntry | VectorEntry
AnyEntry = TypeVar("AnyEntry", TextEntry, VectorEntry)


class EntryChange(NamedTuple, Generic[AnyEntry]):
    """One document written: its new entry, or None where it was deleted."""

    id: str
    entry: AnyEntry | None


@dataclass(frozen=True, slots=True)
class TextDefinition:
    """A search index; fields are dotted paths."""

    search_field: str
    filter_fields: tuple[str, ...] = ()

    def entry(self, value: Mapping[str, Any]) -> TextEntry:
        """What to keep of a document with this value."""
        text = _at_path(value, self.search_field)
        found = words(text) if type(text) is str else []
        terms = Counter(found)
        if len(found) > MAX_COUNT:
            for word, count in terms.items():
                if count > MAX_COUNT:
                    terms[word] = MAX_COUNT
        return TextEntry(
            terms,
            min(len(found), MAX_LENGTH),
            _filters(value, self.filter_fields),
            float(value["_creationTime"]),
        )


@dataclass(frozen=True, slots=True)
class VectorDefinition:
    """A vector index; fields are dotted paths."""

    vector_field: str
    dimensions: int
    filter_fields: tuple[str, ...] = ()

    def entry(self, value: Mapping[str, Any]) -> VectorEntry:
        """What to keep of a document with this value.

        A vector is an array of exactly `dimensions` floats; one of another length, with other values among
        them, or with one that is not finite, is not found.
        """
        array = _at_path(value, self.vector_field)
        vector = None
        if (
            type(array) is list
            and len(array) == self.dimensions
            and all(type(number) is float or type(number) is int for number in array)
        ):
            vector = unit_vector(array)
        return VectorEntry(vector, _filters(value, self.filter_fields))


def unit_vector(numbers: Sequence[float]) -> NDArray[np.float32] | None:
    """The vector of this direction and length 1, zero for zero; None if a number is not finite."""
    import numpy as np  # here, as text indexes are known without it

    vector = np.array(numbers, dtype=np.float64)
    largest = float(np.abs(vector).max(initial=0.0))
    if not isfinite(largest):
        return None
    if largest > 0.0:
        vector /= largest  # so that no square is too large or too small for a float
        vector /= np.sqrt((vector * vector).sum())
    return vector.astype(np.float32)


def _filters(value: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple([encode_key((_at_path(value, field),)) for field in fields])


def _at_path(value: Any, field: str) -> Any:
    if "." not in field:
        return value.get(field, UNDEFINED)
    for name in field.split("."):
        if type(value) is not dict or name not in value:
            return UNDEFINED
        value = value[name]
    return value
