"""Postings: which slots of a segment have a key, be it a word or the value of a filter field."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.segments.background import Pauses
from parabola.database.derived.segments.runs import ends, lengths_of, runs
from parabola.database.derived.segments.segment_files import SegmentParts

__all__ = ["GrowingPostings", "PostingTable"]

Key = TypeVar("Key", str, bytes)

_FEW_NEW_KEYS: Final = 512
_AT_ONCE: Final = 1 << 17
"""Postings that a merge holds in memory at a time, several times over, and moves in one step of NumPy, which
keeps the interpreter for a moment.
"""


class GrowingPostings(Generic[Key]):
    """Postings of a segment that still grows: for each key numbers in ascending order.

    What a number means is its owner's business. One posting is a plain integer, as most words have one.
    """

    def __init__(self) -> None:
        self._numbers: dict[Key, int | array[int]] = {}
        self._sorted: list[Key] = []
        self._new: list[Key] = []
        self.count = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, key: Key, number: int) -> None:
        """A posting that is greater than those of this key so far."""
        before = self._numbers.get(key)
        if before is None:
            self._numbers[key] = number
            self._new.append(key)
        elif isinstance(before, int):
            self._numbers[key] = array("I", (before, number))
        else:
            before.append(number)
        self.count += 1

    def add_counts(self, counts: Mapping[Key, int], slot: int) -> None:
        """A posting `slot << 8 | count` for each key."""
        numbers, new = self._numbers, self._new
        high = slot << 8
        for key, count in counts.items():
            before = numbers.get(key)
            if before is None:
                numbers[key] = high | count
                new.append(key)
            elif isinstance(before, int):
                numbers[key] = array("I", (before, high | count))
            else:
                before.append(high | count)
        self.count += len(counts)

    def numbers(self, key: Key) -> NDArray[np.uint32] | None:
        """A copy of a key's postings: a view would forbid the array to grow."""
        numbers = self._numbers.get(key)
        if numbers is None:
            return None
        return np.array((numbers,) if isinstance(numbers, int) else numbers, dtype=np.uint32)

    def starting_with(self, prefix: Key) -> list[Key]:
        """The keys that begin so, sorted."""
        if len(self._new) > _FEW_NEW_KEYS:
            self._sorted = sorted(self._sorted + sorted(self._new))
            self._new.clear()
        found = [key for key in self._new if key.startswith(prefix)]
        keys = self._sorted
        position = bisect_left(keys, prefix)
        while position < len(keys) and keys[position].startswith(prefix):
            found.append(keys[position])
            position += 1
        return sorted(found)

    def flat(
        self, pauses: Pauses, encode: Callable[[Key], bytes]
    ) -> tuple[list[bytes], NDArray[np.uint32], NDArray[np.int64]]:
        """All keys, their postings one after another, and how many each has; for one that grows no more."""
        keys: list[bytes] = []
        flat: array[int] = array("I")
        lengths: array[int] = array("q")
        for key, numbers in self._numbers.items():
            keys.append(encode(key))
            if isinstance(numbers, int):
                flat.append(numbers)
                lengths.append(1)
            else:
                flat.extend(numbers)
                lengths.append(len(numbers))
            pauses.step()
        return keys, np.frombuffer(flat, np.uint32), np.frombuffer(lengths, np.int64)


class PostingTable:
    """Postings of a sealed segment: sorted keys, and for each its slots, perhaps with counts, in order.

    `parts` are its arrays as they are saved, their names beginning with the name of the table.
    """

    def __init__(self, parts: SegmentParts, name: str) -> None:
        self._keys = parts[f"{name}_keys"]
        self._key_ends = parts[f"{name}_key_ends"]
        self._ends = parts[f"{name}_ends"]
        self._slots = parts[f"{name}_slots"]
        self._counts = parts.get(f"{name}_counts")
        self._key_bytes = self._keys.data
        self._key_places = self._key_ends.data
        self._places = self._ends.data

    def __len__(self) -> int:
        return len(self._ends) - 1

    def key(self, number: int) -> bytes:
        """The key at a place in the order."""
        places = self._key_places
        return bytes(self._key_bytes[places[number] : places[number + 1]])

    def find(self, key: bytes) -> int:
        """The place of a key, -1 for one that is not here."""
        number = self._first_from(key)
        return number if number < len(self) and self.key(number) == key else -1

    def starting_with(self, prefix: bytes) -> Iterator[int]:
        """The places of the keys that begin so, in order."""
        for number in range(self._first_from(prefix), len(self)):
            if not self.key(number).startswith(prefix):
                break
            yield number

    def _first_from(self, key: bytes) -> int:
        return bisect_left(range(len(self)), key, key=self.key)

    def slots(self, number: int) -> NDArray[Any]:
        """The slots that have the key at this place."""
        return self._slots[self._places[number] : self._places[number + 1]]

    def counts(self, number: int) -> NDArray[Any]:
        """How often each of them has it."""
        assert self._counts is not None
        return self._counts[self._places[number] : self._places[number + 1]]

    @classmethod
    def of(
        cls,
        name: str,
        keys: Sequence[bytes],
        lengths: NDArray[np.int64],
        slots: NDArray[Any],
        counts: NDArray[np.uint8] | None,
    ) -> PostingTable:
        """A table of keys in any order, whose postings follow each other in that order."""
        key_lengths = np.fromiter(map(len, keys), np.int64, len(keys))
        whole = _Unsorted(np.frombuffer(b"".join(keys), np.uint8), key_lengths, lengths, slots, counts)
        return cls(whole.sorted(name), name)

    @classmethod
    def merged(
        cls, name: str, tables: Sequence[PostingTable], new_slots: Sequence[NDArray[np.int32]]
    ) -> SegmentParts:
        """The arrays of one table that has the postings of several.

        `new_slots` says for each slot of each table what it is called now, -1 if it is left out; the new ones
        of a table are greater than those of the tables before it.
        """
        mapped = [new[table._slots] for table, new in zip(tables, new_slots, strict=True)]
        counts = [table._counts for table in tables if table._counts is not None]
        whole = _Unsorted(
            np.concatenate([table._keys for table in tables]),
            np.concatenate([lengths_of(table._key_ends) for table in tables]),
            np.concatenate([lengths_of(table._ends) for table in tables]),
            np.concatenate(mapped),
            np.concatenate(counts) if counts else None,
        )
        return whole.sorted(name)


class _Unsorted:
    """Postings by keys in any order, of which some may be there several times."""

    def __init__(
        self,
        keys: NDArray[np.uint8],
        key_lengths: NDArray[np.int64],
        lengths: NDArray[np.int64],
        slots: NDArray[Any],
        counts: NDArray[np.uint8] | None,
    ) -> None:
        self._keys, self._key_lengths = keys, key_lengths
        self._key_starts = np.cumsum(key_lengths) - key_lengths
        self._lengths, self._slots, self._counts = lengths, slots, counts
        self._starts = np.cumsum(lengths) - lengths

    def sorted(self, name: str) -> SegmentParts:
        """The arrays of the table. Postings of slot -1 are left out, and keys that have no others."""
        order, is_new = self._order()
        key_number = np.cumsum(is_new) - 1
        posting_counts = np.zeros(int(is_new.sum()), np.int64)
        slot_parts: list[NDArray[np.uint16]] = [np.empty(0, np.uint16)]
        count_parts: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)]
        for begin, end in self._portions(order):
            chosen = order[begin:end]
            lengths = self._lengths[chosen]
            places = runs(self._starts[chosen], lengths)
            slots = self._slots[places]
            kept = slots >= 0
            owners = np.repeat(key_number[begin:end], lengths)[kept]
            posting_counts += np.bincount(owners, minlength=len(posting_counts))
            slot_parts.append(slots[kept].astype(np.uint16))
            if self._counts is not None:
                count_parts.append(self._counts[places][kept])
        used = posting_counts > 0
        firsts = order[is_new][used]
        key_lengths = self._key_lengths[firsts]
        parts: dict[str, NDArray[Any]] = {
            f"{name}_keys": self._keys[runs(self._key_starts[firsts], key_lengths)],
            f"{name}_key_ends": ends(key_lengths),
            f"{name}_ends": ends(posting_counts[used]),
            f"{name}_slots": np.concatenate(slot_parts),
        }
        if self._counts is not None:
            parts[f"{name}_counts"] = np.concatenate(count_parts)
        return parts

    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The sorted order of the keys, equal ones as they were, and which of them are not like the one
        before.

        As fixed strings of NumPy, which sorts them without the interpreter. They leave zeros at the end out
        of account: no key is another one with zeros behind it.
        """
        count = len(self._key_lengths)
        width = int(self._key_lengths.max(initial=1))
        matrix = np.zeros((count, width), np.uint8)
        matrix[np.arange(width) < self._key_lengths[:, np.newaxis]] = self._keys
        strings = matrix.reshape(-1).view(f"S{width}")
        order = np.argsort(strings, kind="stable")
        strings = strings[order]
        is_new = np.ones(count, np.bool_)
        is_new[1:] = strings[1:] != strings[:-1]
        return order, is_new

    def _portions(self, order: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        """Stretches of the order with a bounded number of postings each, unless one key alone has more."""
        totals = np.cumsum(self._lengths[order])
        begin = 0
        while begin < len(order):
            before = int(totals[begin - 1]) if begin else 0
            end = max(int(np.searchsorted(totals, before + _AT_ONCE, side="right")), begin + 1)
            yield begin, end
            begin = end
