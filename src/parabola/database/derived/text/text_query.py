"""What is asked of a text index, and what one document is worth to it (search 1.3 and 1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from parabola.database.derived.entries import TextEntry
from parabola.database.derived.ranks import Rank
from parabola.database.derived.text.tokens import query_words
from parabola.database.derived.text.weights import Weights

__all__ = ["TextQuery", "TextResult", "score"]


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A search: a document needs one of the words, or one that begins with the prefix, and every filter.

    `words` are different ones, in the order of their first occurrence; `prefix` is the last one searched
    for, if it stands for all that begin with it. `filters` are numbers of filter fields with the key their
    value must have.
    """

    words: tuple[str, ...]
    prefix: str | None
    filters: tuple[tuple[int, bytes], ...]

    @classmethod
    def of(cls, text: str, filters: Iterable[tuple[int, bytes]] = (), prefix: bool = True) -> TextQuery:
        """The search for a text; `prefix` is False for clients that know no search as one types."""
        found = query_words(text)
        return cls(tuple(dict.fromkeys(found)), found[-1] if found and prefix else None, tuple(filters))

    def concerns(self, term: str) -> bool:
        """Whether a document may be found by this word of it."""
        return term in self.words or (self.prefix is not None and term.startswith(self.prefix))

    def concerned(self, terms: Mapping[str, int]) -> dict[str, int]:
        """Of the words of a document those that it may be found by, each with how often it has it."""
        found = {word: terms[word] for word in self.words if word in terms}
        if (prefix := self.prefix) is not None:
            found.update([item for item in terms.items() if item[0].startswith(prefix)])
        return found

    def lets_through(self, filters: tuple[bytes, ...]) -> bool:
        """Whether a document with these values of the filter fields may be shown."""
        return all(filters[field] == key for field, key in self.filters)


class TextResult(NamedTuple):
    """The best documents, best first.

    `weights` are those they were ranked by. `exhausted` says that no other match was left out, be it for the
    limit or for an end that was asked for.
    """

    hits: list[Rank]
    weights: Weights
    exhausted: bool


def score(query: TextQuery, weights: Weights, entry: TextEntry) -> float | None:
    """What a document is worth by these weights; None if it has none of the words. Filters aside.

    It depends on nothing else, so that pages ranked by the same weights fit together. Parts are added in the
    order of the words, as every search does, so that equal documents have the same score to the last bit.
    """
    terms = entry.terms
    prefix = query.prefix
    factors = {word: weights.factor(word, is_exact=True) for word in query.words if word in terms}
    if prefix is not None:
        for term in terms:
            if (
                term.startswith(prefix)
                and term not in factors
                and (not weights.is_full or term in weights.frequencies)
            ):
                factors[term] = weights.factor(term, is_exact=False)
    if not factors:
        return None
    total = 0.0
    for term in sorted(factors):
        total += weights.part(factors[term], terms[term], entry.length)
    return total
