"""What a search depends on: the writes that could change what it showed (search 1.6)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from parabola.database.derived.entries import TextEntry
from parabola.database.derived.ranks import Rank, may_reach
from parabola.database.derived.text.text_query import TextQuery, score
from parabola.database.derived.text.weights import Weights

__all__ = ["TextRead", "TextWatchers"]

Holder = TypeVar("Holder")
_CLOSE: Final = 1e-6
"""How close to a floor it is left to the read itself: far more than rounding makes."""


@dataclass(frozen=True, slots=True)
class TextRead:
    """One search that was read: by what it ranked, and the ranks of the rows it showed.

    `floor` is that of the last one, None if it showed all that there was: then everything that matches could
    change it. A later page showed nothing that ranks at or above `ceiling`, where the one before it ended.
    """

    index_id: int
    query: TextQuery
    weights: Weights
    floor: Rank | None
    ceiling: Rank | None = None

    def touched_by(self, id: str, entry: TextEntry) -> bool:
        """Whether this version of a document, before or after a write, has or had a place among the rows."""
        if not self.query.lets_through(entry.filters):
            return False
        worth = score(self.query, self.weights, entry)
        if worth is None:
            return False
        rank = Rank(worth, entry.creation_time, id)
        if self.floor is not None and not may_reach(rank, self.floor):
            return False
        return self.ceiling is None or (rank != self.ceiling and may_reach(self.ceiling, rank))

    def watchers(self) -> TextWatchers[Any]:
        """An empty collection for reads of this kind."""
        return TextWatchers()


class TextWatchers(Generic[Holder]):
    """The live reads of one index and who holds each, by one of their filters and by their words.

    A write is held against the reads alone that ask for a word of it among documents with its value of a
    filter field, or among all.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, bytes] | None, _Group[Holder]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, read: TextRead, holder: Holder) -> None:
        """Again does nothing: a read is that very object."""
        filter = read.query.filters[0] if read.query.filters else None
        group = self._groups.get(filter)
        if group is None:
            group = self._groups[filter] = _Group()
        self._count += group.add(read, holder)

    def discard(self, read: TextRead, holder: Holder) -> None:
        """Does nothing for what is not there."""
        filter = read.query.filters[0] if read.query.filters else None
        group = self._groups.get(filter)
        if group is not None:
            self._count -= group.discard(read, holder)
            if not group.words and not group.prefixes:
                del self._groups[filter]

    def touched(self, id: str, entry: TextEntry) -> set[Holder]:
        """Who holds a read that this version of a document touches."""
        holders: set[Holder] = set()
        for filter in (None, *enumerate(entry.filters)):
            group = self._groups.get(filter)
            if group is not None:
                for held in group.concerned(entry):
                    if not held.holders <= holders and held.read.touched_by(id, entry):
                        holders |= held.holders
        return holders


class _Group(Generic[Holder]):
    """Reads with one filter in common, by each of their words and by their prefixes."""

    def __init__(self) -> None:
        self.words: dict[str, dict[int, _Held[Holder]]] = {}
        self.prefixes: dict[str, dict[int, _Held[Holder]]] = {}
        self._lengths: Counter[int] = Counter()

    def add(self, read: TextRead, holder: Holder) -> bool:
        """Whether it was not there yet."""
        held = self._held(read)
        if held is None:
            held = _Held(read)
            for word in read.query.words:
                self.words.setdefault(word, {})[id(read)] = held
            if (prefix := read.query.prefix) is not None:
                reads = self.prefixes.setdefault(prefix, {})
                if not reads:
                    self._lengths[len(prefix)] += 1
                reads[id(read)] = held
        is_new = bool(read.query.words) and holder not in held.holders
        held.holders.add(holder)
        return is_new

    def discard(self, read: TextRead, holder: Holder) -> bool:
        """Whether it was there."""
        held = self._held(read)
        if held is None or holder not in held.holders:
            return False
        held.holders.discard(holder)
        if not held.holders:
            for word in read.query.words:
                _drop(self.words, word, read)
            if (prefix := read.query.prefix) is not None:
                _drop(self.prefixes, prefix, read)
                if prefix not in self.prefixes:
                    self._lengths -= Counter({len(prefix): 1})
        return True

    def _held(self, read: TextRead) -> _Held[Holder] | None:
        word = next(iter(read.query.words), "")
        return self.words.get(word, {}).get(id(read))

    def concerned(self, entry: TextEntry) -> list[_Held[Holder]]:
        """The reads that ask for a word of a document, each once, without most that it ranks too low for.

        Its score is added up word by word here, which costs less than asking each read: in another order, so
        what is close is left to the read.
        """
        found: dict[int, _Held[Holder]] = {}
        scores: defaultdict[int, float] = defaultdict(float)
        length = entry.length
        for word in entry.terms.keys() & self.words.keys():
            count = entry.terms[word]
            for key, held in self.words[word].items():
                found[key] = held
                scores[key] += held.weights.part(held.factors[word], count, length)
        if self._lengths:
            for term, count in entry.terms.items():
                for size in self._lengths:
                    begun = self.prefixes.get(term[:size]) if size < len(term) else None
                    if begun is not None:
                        for key, held in begun.items():
                            if term not in held.factors:
                                found[key] = held
                                factor = held.weights.factor(term, is_exact=False)
                                scores[key] += held.weights.part(factor, count, length)
        return [held for key, held in found.items() if scores[key] >= held.least]


class _Held(Generic[Holder]):
    """A read, who holds it, what each of its words is multiplied with, and a score below which nothing
    touches it.
    """

    __slots__ = ("factors", "holders", "least", "read", "weights")

    def __init__(self, read: TextRead) -> None:
        self.read = read
        self.weights = read.weights
        self.holders: set[Holder] = set()
        self.factors = {word: read.weights.factor(word, is_exact=True) for word in read.query.words}
        self.least = 0.0 if read.floor is None else read.floor.score - _CLOSE * max(1.0, read.floor.score)


def _drop(reads: dict[str, dict[int, _Held[Holder]]], key: str, read: TextRead) -> None:
    del reads[key][id(read)]
    if not reads[key]:
        del reads[key]
