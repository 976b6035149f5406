"""The documents of a segment: whose revision each slot is, and the slots of a document."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.segments.background import Pauses
from parabola.database.derived.segments.runs import runs
from parabola.database.derived.segments.segment_files import SegmentParts

__all__ = ["GrowingIds", "IdColumns", "SavedIds", "SlotIds"]


class SlotIds(Protocol):
    """The document of each slot."""

    def __len__(self) -> int: ...

    def __getitem__(self, slot: int) -> str: ...

    def newest_first(self, id: str) -> Iterator[int]:
        """The slots of a document, that of the newest revision first."""

    def at(self, slots: NDArray[np.int64]) -> list[str]:
        """The ids of these slots."""

    def columns(self, slots: NDArray[np.int64], pauses: Pauses) -> IdColumns:
        """The ids of these slots as arrays."""


class IdColumns(NamedTuple):
    """Ids one after another, their lengths and their hashes."""

    ids: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    hashes: NDArray[np.uint64]


class GrowingIds:
    """The documents of a segment that still grows."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._newest: dict[str, int] = {}
        self._before: list[int] = []

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, slot: int) -> str:
        return self._ids[slot]

    def append(self, id: str) -> int:
        """The next slot, for a newer revision of this document than it has here."""
        slot = len(self._ids)
        self._ids.append(id)
        self._before.append(self._newest.get(id, -1))
        self._newest[id] = slot
        return slot

    def newest_first(self, id: str) -> Iterator[int]:
        slot = self._newest.get(id, -1)
        while slot >= 0:
            yield slot
            slot = self._before[slot]

    def at(self, slots: NDArray[np.int64]) -> list[str]:
        return [self._ids[slot] for slot in slots.tolist()]

    def columns(self, slots: NDArray[np.int64], pauses: Pauses) -> IdColumns:
        encoded, hashes = [], []
        for slot in slots.tolist():
            encoded.append(self._ids[slot].encode())
            hashes.append(_hash(self._ids[slot]))
            pauses.step()
        return IdColumns(
            np.frombuffer(b"".join(encoded), np.uint8),
            np.fromiter(map(len, encoded), np.int64, len(encoded)),
            np.array(hashes, np.uint64),
        )


class SavedIds:
    """The documents of a sealed segment: their ids, and the slots in the order of their hashes and times."""

    def __init__(self, parts: SegmentParts) -> None:
        self._id_array = parts["ids"]
        self._end_array = parts["id_ends"]
        self._order_array = parts["id_order"]
        self.sorted_hashes: NDArray[np.uint64] = parts["id_hashes"]
        self._ids, self._ends = self._id_array.data, self._end_array.data
        self._order, self._hashes = self._order_array.data, self.sorted_hashes.data

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, slot: int) -> str:
        return str(self._ids[self._ends[slot] : self._ends[slot + 1]], "utf-8")

    def at(self, slots: NDArray[np.int64]) -> list[str]:
        starts = self._end_array[slots].astype(np.int64)
        lengths = self._end_array[slots + 1] - starts
        text = self._id_array[runs(starts, lengths)].tobytes().decode()
        places = [0, *np.cumsum(lengths).tolist()]
        if len(text) < places[-1]:  # not all of it is ASCII
            return [self[slot] for slot in slots.tolist()]
        return [text[start:end] for start, end in pairwise(places)]

    def newest_first(self, id: str) -> Iterator[int]:
        hash = _hash(id)
        place = bisect_right(self._hashes, hash) - 1
        while place >= 0 and self._hashes[place] == hash:
            slot = self._order[place]
            if self[slot] == id:
                yield slot
            place -= 1

    def of_any(self, ids: Collection[str]) -> Iterable[str]:
        """Those of `ids` that may be here, found faster than one by one."""
        wanted = np.fromiter(map(_hash, ids), np.uint64, len(ids))
        places = np.searchsorted(self.sorted_hashes, wanted)
        places[places == len(self)] = 0
        found = self.sorted_hashes[places] == wanted if len(self) else np.zeros(len(ids), np.bool_)
        return (id for id, is_here in zip(ids, found.tolist(), strict=True) if is_here)

    def columns(self, slots: NDArray[np.int64], pauses: Pauses) -> IdColumns:
        starts = self._end_array[slots].astype(np.int64)
        lengths = self._end_array[slots + 1] - starts
        hashes = np.empty(len(self), np.uint64)
        hashes[self._order_array] = self.sorted_hashes
        return IdColumns(self._id_array[runs(starts, lengths)], lengths, hashes[slots])


def _hash(id: str) -> int:
    return int.from_bytes(blake2b(id.encode(), digest_size=8).digest(), "little")
