"""What is asked of a text index, what a document is worth to it, and the weights that travel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.derived.text_model import worth_of
from parabola.database.derived.entries import TextEntry
from parabola.database.derived.text.text_query import TextQuery, score
from parabola.database.derived.text.weights import Weights

words = st.text("abcé東", min_size=1, max_size=4)
counts = st.integers(1, 300)
weights = st.builds(Weights, counts, counts, st.dictionaries(words, st.integers(0, 400)), st.booleans())
entries = st.dictionaries(words, st.integers(1, 255)).flatmap(
    lambda terms: st.builds(
        TextEntry, st.just(terms), st.integers(1, 500), st.just(()), st.floats(0, 1e9, allow_nan=False)
    )
)
queries = st.lists(words, min_size=1, max_size=4, unique=True).flatmap(
    lambda found: st.builds(TextQuery, st.just(tuple(found)), st.sampled_from([None, found[-1]]), st.just(()))
)


@given(queries, weights, entries)
def test_a_document_is_worth_its_bm25(query: TextQuery, weights: Weights, entry: TextEntry) -> None:
    expected = worth_of(query, weights, entry)
    found = score(query, weights, entry)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-12))
    assert found is None or found > 0


@given(weights)
def test_weights_come_back_from_their_bytes(weights: Weights) -> None:
    assert Weights.from_bytes(weights.to_bytes()) == weights


@given(weights, st.integers(0, 1000), st.binary(max_size=20))
def test_other_bytes_are_no_weights_or_those_of_others(weights: Weights, at: int, other: bytes) -> None:
    data = weights.to_bytes()
    try:
        Weights.from_bytes(data[: at % (len(data) + 1)] + other)
    except ValueError:
        pass


def test_weights_of_words_that_begin_alike_are_short() -> None:
    frequencies = {f"interest{n:03}": n for n in range(64)}
    assert len(Weights(100_000, 10_000_000, frequencies, True).to_bytes()) < 64 * 5


def test_a_query_has_different_words_and_the_last_one_is_a_prefix() -> None:
    assert TextQuery.of("to be or to be") == TextQuery(("to", "be", "or"), "be", ())
    assert TextQuery.of("to be", prefix=False) == TextQuery(("to", "be"), None, ())
    assert TextQuery.of("?!") == TextQuery((), None, ())
    # The seventeenth word has no effect, not even on which one is a prefix.
    sixteen = " ".join(f"w{n}" for n in range(16))
    assert TextQuery.of(sixteen + " more") == TextQuery.of(sixteen)
