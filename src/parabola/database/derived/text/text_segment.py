"""Segments of a text index: which of its documents have a word, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.entries import TextEntry
from parabola.database.derived.filters import filter_key
from parabola.database.derived.segments.background import Pauses
from parabola.database.derived.segments.segment_files import SegmentParts
from parabola.database.derived.segments.slots import ALIVE, Slots
from parabola.database.derived.text.postings import GrowingPostings, PostingTable

__all__ = [
    "MAX_OPEN_SLOTS",
    "OpenTextSegment",
    "Postings",
    "SealedTextSegment",
    "TextSegment",
    "merged_parts",
]

MAX_OPEN_SLOTS: Final = 4096
"""Documents of a segment that is not sealed yet: about as many are indexed anew after a crash."""
MAX_OPEN_POSTINGS: Final = 1 << 21
"""Its postings, however few documents they are of."""


class Postings(NamedTuple):
    """The slots that have a word, in order, and how often each has it."""

    slots: NDArray[Any]
    counts: NDArray[np.uint8]


class OpenTextSegment:
    """A segment that takes documents. It belongs to the event loop; what it gives away is copied."""

    def __init__(self) -> None:
        self.slots = Slots.growing()
        self._terms: GrowingPostings[str] = GrowingPostings()
        self._filters: GrowingPostings[bytes] = GrowingPostings()
        self._lengths = np.empty(0, np.uint16)
        self._creation_times = np.empty(0, np.float64)
        self._alive_length = _AliveLength()

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def is_full(self) -> bool:
        """Whether it should take no more documents: it has many, or long ones."""
        return len(self.slots) >= MAX_OPEN_SLOTS or self._terms.count >= MAX_OPEN_POSTINGS

    def add(self, id: str, ts: int, since: int, entry: TextEntry, removed: int = ALIVE) -> None:
        """A revision of `ts`, visible from `since` until `removed`."""
        slot = self.slots.append(id, ts, since, removed)
        if slot == len(self._lengths):
            self._lengths = np.resize(self._lengths, max(64, 2 * slot))
            self._creation_times = np.resize(self._creation_times, max(64, 2 * slot))
        self._lengths[slot] = entry.length
        self._creation_times[slot] = entry.creation_time
        self._terms.add_counts(entry.terms, slot)
        for field, key in enumerate(entry.filters):
            self._filters.add(filter_key(field, key), slot)

    def postings(self, term: str, place: int = -1) -> Postings | None:
        """The postings of a word, None if no document has or had it."""
        numbers = self._terms.numbers(term)
        return None if numbers is None else Postings(numbers >> 8, (numbers & 0xFF).astype(np.uint8))

    def starting_with(self, prefix: str) -> Iterator[tuple[str, int]]:
        """The words that begin so, in order; there is no place by which they are found faster."""
        return ((term, -1) for term in self._terms.starting_with(prefix))

    def filtered_slots(self, key: bytes) -> NDArray[Any]:
        numbers = self._filters.numbers(key)
        return np.empty(0, np.uint32) if numbers is None else numbers

    @property
    def lengths(self) -> NDArray[np.uint16]:
        """Of each text in words; documents that come later do not change what was taken."""
        return self._lengths[: len(self)]

    @property
    def creation_times(self) -> NDArray[np.float64]:
        """Of each document."""
        return self._creation_times[: len(self)]

    def alive_length(self) -> int:
        """The words of all documents that are visible at the newest timestamp."""
        return self._alive_length.of(self.slots, self.lengths)

    @property
    def nbytes(self) -> int:
        """About what it takes in memory."""
        return self._terms.count * 6 + len(self._terms) * 150 + len(self) * (300 + 50 * 2)

    def sealed(self, pauses: Pauses) -> SealedTextSegment:
        """The same as arrays, for one that takes no more documents; the slots are shared."""
        keys, numbers, lengths = self._terms.flat(pauses, str.encode)
        terms = PostingTable.of(
            "term",
            keys,
            lengths,
            (numbers >> 8).astype(np.int32),
            (numbers & 0xFF).astype(np.uint8),
        )
        filter_keys, slots, filter_lengths = self._filters.flat(pauses, bytes)
        filters = PostingTable.of("filter", filter_keys, filter_lengths, slots.astype(np.int32), None)
        return SealedTextSegment(self.slots, terms, filters, self.lengths, self.creation_times, 0)


class SealedTextSegment:
    """A segment that changes no more, but for what is still visible of it."""

    def __init__(
        self,
        slots: Slots,
        terms: PostingTable,
        filters: PostingTable,
        lengths: NDArray[np.uint16],
        creation_times: NDArray[np.float64],
        nbytes: int,
    ) -> None:
        self.slots = slots
        self.terms = terms
        self.filters = filters
        self.lengths = lengths
        self.creation_times = creation_times
        self._nbytes = nbytes
        self._alive_length = _AliveLength()

    @classmethod
    def of(cls, parts: SegmentParts, slots: Slots) -> SealedTextSegment:
        """The segment with these arrays."""
        return cls(
            slots,
            PostingTable(parts, "term"),
            PostingTable(parts, "filter"),
            parts["lengths"],
            parts["creation_times"],
            sum(array.nbytes for array in parts.values()),
        )

    def __len__(self) -> int:
        return len(self.slots)

    def postings(self, term: str, place: int = -1) -> Postings | None:
        """The postings of a word, None if no document has or had it; at once if its place is known."""
        if place < 0:
            place = self.terms.find(term.encode())
        return None if place < 0 else Postings(self.terms.slots(place), self.terms.counts(place))

    def starting_with(self, prefix: str) -> Iterator[tuple[str, int]]:
        """The words that begin so, in order, each with its place."""
        places = self.terms.starting_with(prefix.encode())
        return ((self.terms.key(place).decode(), place) for place in places)

    def filtered_slots(self, key: bytes) -> NDArray[Any]:
        place = self.filters.find(key)
        return np.empty(0, np.uint16) if place < 0 else self.filters.slots(place)

    def alive_length(self) -> int:
        """The words of all documents that are visible at the newest timestamp."""
        return self._alive_length.of(self.slots, self.lengths)

    @property
    def nbytes(self) -> int:
        """What its arrays take, in memory or in its file."""
        return self._nbytes + self.slots.nbytes


TextSegment: TypeAlias = OpenTextSegment | SealedTextSegment


def merged_parts(given: Sequence[tuple[TextSegment, NDArray[np.int64]]], pauses: Pauses) -> SegmentParts:
    """The arrays of one segment that has these slots of each of these segments."""
    sources = [
        (segment.sealed(pauses) if isinstance(segment, OpenTextSegment) else segment, kept)
        for segment, kept in given
    ]
    new_slots, count = [], 0
    for segment, kept in sources:
        new = np.full(len(segment), -1, np.int32)
        new[kept] = np.arange(count, count + len(kept), dtype=np.int32)
        new_slots.append(new)
        count += len(kept)
    return {
        **Slots.parts([(segment.slots, kept) for segment, kept in sources], pauses),
        "lengths": np.concatenate([segment.lengths[kept] for segment, kept in sources]),
        "creation_times": np.concatenate([segment.creation_times[kept] for segment, kept in sources]),
        **PostingTable.merged("term", [segment.terms for segment, _ in sources], new_slots),
        **PostingTable.merged("filter", [segment.filters for segment, _ in sources], new_slots),
    }


class _AliveLength:
    """The sum of the lengths of what is alive, added up again only when that has changed."""

    def __init__(self) -> None:
        self._version = -1
        self._length = 0

    def of(self, slots: Slots, lengths: NDArray[np.uint16]) -> int:
        if self._version != slots.version:
            self._length = int(lengths[slots.alive()].sum(dtype=np.int64))
            self._version = slots.version
        return self._length
