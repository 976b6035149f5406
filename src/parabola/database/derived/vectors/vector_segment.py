"""Segments of a vector index: a matrix of vectors of length 1, and a coarse copy in a quarter of the space.

In the coarse copy a vector is 8-bit integers and a scale. How far it is from the vector itself is known for
each row, so that a scan of the copy leaves out nothing that could be among the best (`vector_scan`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.entries import VectorEntry
from parabola.database.derived.filters import filter_key
from parabola.database.derived.segments.background import Pauses
from parabola.database.derived.segments.segment_files import SegmentParts
from parabola.database.derived.segments.slots import ALIVE, Slots
from parabola.database.derived.text.postings import GrowingPostings, PostingTable

__all__ = [
    "MAX_OPEN_SLOTS",
    "CoarseRows",
    "OpenVectorSegment",
    "SealedVectorSegment",
    "VectorSegment",
    "merged_parts",
]

MAX_OPEN_SLOTS: Final = 1024
"""Documents of a segment that is not sealed yet."""
_AT_ONCE: Final = 256
_LEVELS: Final = 127


class CoarseRows:
    """Rows as 8-bit integers: `codes[row] * scales[row]` is no farther than `errors[row]` from the row."""

    def __init__(
        self, codes: NDArray[np.int8], scales: NDArray[np.float32], errors: NDArray[np.float32]
    ) -> None:
        self.codes = codes
        self.scales = scales
        self.errors = errors

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> CoarseRows:
        """The coarse copy of a matrix."""
        codes = np.empty(rows.shape, np.int8)
        scales = np.empty(len(rows), np.float32)
        errors = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            block = rows[part].astype(np.float64)
            scale = (np.abs(block).max(axis=1) / _LEVELS).astype(np.float32)
            steps = np.where(scale > 0, scale, 1)[:, np.newaxis].astype(np.float64)
            codes[part] = np.rint(block / steps).clip(-_LEVELS, _LEVELS)
            scales[part] = scale
            distances = np.sqrt(((codes[part] * steps - block) ** 2).sum(axis=1))
            errors[part] = np.nextafter(distances.astype(np.float32), np.float32(2))
        return cls(codes, scales, errors)


class OpenVectorSegment:
    """A segment that takes documents. It belongs to the event loop; rows that are there change no more."""

    def __init__(self, dimensions: int) -> None:
        self.slots = Slots.growing()
        self.coarse: CoarseRows | None = None
        self._rows = np.empty((0, dimensions), np.float32)
        self._row_slots = np.empty(0, np.uint32)
        self._row_count = 0
        self._filters: GrowingPostings[bytes] = GrowingPostings()

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def is_full(self) -> bool:
        """Whether it should take no more documents."""
        return len(self.slots) >= MAX_OPEN_SLOTS

    def add(self, id: str, ts: int, since: int, entry: VectorEntry, removed: int = ALIVE) -> None:
        """A revision of `ts`, visible from `since` until `removed`."""
        slot = self.slots.append(id, ts, since, removed)
        for field, key in enumerate(entry.filters):
            self._filters.add(filter_key(field, key), slot)
        if entry.vector is None:
            return
        row = self._row_count
        if row == len(self._rows):
            rows = np.empty((max(16, 2 * row), self._rows.shape[1]), np.float32)
            rows[:row] = self._rows
            self._rows = rows
            self._row_slots = np.resize(self._row_slots, len(rows))
        self._rows[row] = entry.vector
        self._row_slots[row] = slot
        self._row_count += 1

    @property
    def rows(self) -> NDArray[np.float32]:
        """The vectors, in the order of their slots."""
        return self._rows[: self._row_count]

    @property
    def row_slots(self) -> NDArray[np.uint32]:
        """The slot of each row; documents without a vector have none."""
        return self._row_slots[: self._row_count]

    def filtered_slots(self, key: bytes) -> NDArray[Any]:
        numbers = self._filters.numbers(key)
        return np.empty(0, np.uint32) if numbers is None else numbers

    @property
    def nbytes(self) -> int:
        """About what it takes in memory."""
        return self._rows.nbytes + len(self) * 400

    def filter_table(self, pauses: Pauses) -> PostingTable:
        """The values of filter fields as arrays, of a segment that takes no more documents."""
        keys, slots, lengths = self._filters.flat(pauses, bytes)
        return PostingTable.of("filter", keys, lengths, slots.astype(np.int32), None)


class SealedVectorSegment:
    """A segment that changes no more, but for what is still visible of it."""

    def __init__(self, parts: SegmentParts, slots: Slots) -> None:
        self.slots = slots
        self.coarse = CoarseRows(parts["codes"], parts["scales"], parts["errors"])
        self.rows: NDArray[np.float32] = parts["rows"]
        self.row_slots: NDArray[np.uint32] = parts["row_slots"]
        self._filters = PostingTable(parts, "filter")
        self._nbytes = sum(array.nbytes for array in parts.values())

    def __len__(self) -> int:
        return len(self.slots)

    def filtered_slots(self, key: bytes) -> NDArray[Any]:
        place = self._filters.find(key)
        return np.empty(0, np.uint16) if place < 0 else self._filters.slots(place)

    @property
    def nbytes(self) -> int:
        """What its arrays take, in memory or in its file."""
        return self._nbytes + self.slots.nbytes

    def filter_table(self, pauses: Pauses) -> PostingTable:
        return self._filters


VectorSegment: TypeAlias = OpenVectorSegment | SealedVectorSegment


def merged_parts(sources: Sequence[tuple[VectorSegment, NDArray[np.int64]]], pauses: Pauses) -> SegmentParts:
    """The arrays of one segment that has these slots of each of these segments."""
    new_slots, chosen, count = [], [], 0
    for segment, kept in sources:
        new = np.full(len(segment), -1, np.int32)
        new[kept] = np.arange(count, count + len(kept), dtype=np.int32)
        new_slots.append(new)
        chosen.append(np.flatnonzero(new[segment.row_slots] >= 0))
        count += len(kept)
    rows = np.empty((sum(map(len, chosen)), sources[0][0].rows.shape[1]), np.float32)
    row_slots = np.empty(len(rows), np.uint32)
    start = 0
    for (segment, _), new, places in zip(sources, new_slots, chosen, strict=True):
        row_slots[start : start + len(places)] = new[segment.row_slots[places]]
        for at in range(0, len(places), _AT_ONCE):
            some = places[at : at + _AT_ONCE]
            rows[start : start + len(some)] = segment.rows[some]
            start += len(some)
            pauses.step()
    coarse = CoarseRows.of(rows)
    tables = [segment.filter_table(pauses) for segment, _ in sources]
    return {
        **Slots.parts([(segment.slots, kept) for segment, kept in sources], pauses),
        "rows": rows,
        "row_slots": row_slots,
        "codes": coarse.codes,
        "scales": coarse.scales,
        "errors": coarse.errors,
        **PostingTable.merged("filter", tables, new_slots),
    }
