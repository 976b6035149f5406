"""Weights: how much each word of a search counts, frozen when the search first ran (search 1.4 and 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from typing import Final

__all__ = ["Weights"]

_K1: Final = 1.2
_B: Final = 0.75
_PREFIX_WEIGHT: Final = 0.5
"""What a word counts that only begins like the last one searched for."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The statistics of an index at one timestamp, as far as one search needs them.

    `documents` of the index and the `total_length` of their texts; `frequencies` says of each word that was
    looked up in how many documents it is. `is_full` when there were more words that begin like the last one
    than a search looks up: those that are not in `frequencies` do not count then. A word that they do not
    know counts as if it were in one document.
    """

    documents: int
    total_length: int
    frequencies: Mapping[str, int]
    is_full: bool = False
    idf: dict[str, float] = field(init=False, repr=False, compare=False)
    unknown_idf: float = field(init=False, repr=False, compare=False)
    base: float = field(init=False, repr=False, compare=False)
    slope: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        idf = {term: self._idf(frequency) for term, frequency in self.frequencies.items()}
        object.__setattr__(self, "idf", idf)
        object.__setattr__(self, "unknown_idf", self._idf(1))
        object.__setattr__(self, "base", _K1 * (1.0 - _B))
        object.__setattr__(self, "slope", _K1 * _B / self.average_length)

    @property
    def average_length(self) -> float:
        """In words; 1.0 if there are none."""
        return self.total_length / self.documents if self.documents and self.total_length else 1.0

    def _idf(self, frequency: int) -> float:
        documents = max(self.documents, frequency)
        return log(1.0 + (documents - frequency + 0.5) / (frequency + 0.5))

    def factor(self, term: str, *, is_exact: bool) -> float:
        """What a word is multiplied with."""
        factor = self.idf.get(term, self.unknown_idf) * (_K1 + 1.0)
        return factor if is_exact else factor * _PREFIX_WEIGHT

    def part(self, factor: float, count: int, length: int) -> float:
        """A word's part of the score of a document that has it `count` times among `length` words."""
        return factor * count / (self.slope * length + self.base + count)

    def to_bytes(self) -> bytes:
        """Short, for a cursor."""
        parts = [b"\1", _varint(self.documents), _varint(self.total_length), bytes((self.is_full,))]
        before = b""
        for term, frequency in sorted((term.encode(), n) for term, n in self.frequencies.items()):
            shared = 0
            while shared < min(len(before), len(term), 255) and before[shared] == term[shared]:
                shared += 1
            rest = term[shared:]
            parts += (bytes((shared, len(rest))), rest, _varint(frequency))
            before = term
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Weights:
        """The weights that were `to_bytes`. Raises `ValueError` for other bytes."""
        try:
            if data[0] != 1:
                raise ValueError("weights of another version")
            documents, position = _read_varint(data, 1)
            total_length, position = _read_varint(data, position)
            is_full = bool(data[position])
            position += 1
            frequencies: dict[str, int] = {}
            before = b""
            while position < len(data):
                shared, length = data[position], data[position + 1]
                position += 2
                before = before[:shared] + data[position : position + length]
                frequencies[before.decode()], position = _read_varint(data, position + length)
        except (IndexError, UnicodeDecodeError) as error:
            raise ValueError(f"not weights: {error}") from None
        return cls(documents, total_length, frequencies, is_full)


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return number, position
        shift += 7
