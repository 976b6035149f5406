"""A write touches a search if, and only if, it could change what the search showed (search 1.6)."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from database.derived import text_model as texts
from database.derived import vector_model as vectors
from database.derived.index_machine import IDS
from database.derived.text_model import TextModel
from parabola.database.derived.entries import EntryChange
from parabola.database.derived.text.text_reads import TextRead, TextWatchers
from parabola.database.derived.vectors.vector_reads import VectorRead, VectorWatchers

RANDOMS = st.integers(0, 2**32).map(Random)


def written(model: Any, random: Random, entry: Any) -> tuple[str, Any, Any]:
    """Writes one document: its id, its old and its new version."""
    id = random.choice(IDS)
    old = dict(model.at(1)).get(id)
    new = None if random.random() < 0.3 else entry(random)
    model.apply(2, [EntryChange(id, new)])
    return id, old, new


def touches(read: Any, id: str, *versions: Any) -> bool:
    return any(version is not None and read.touched_by(id, version) for version in versions)


@settings(max_examples=300, deadline=None)
@given(RANDOMS)
def test_a_write_touches_a_text_search_if_it_could_change_its_rows(random: Random) -> None:
    model = TextModel()
    entry = lambda random: texts.DEFINITION.entry(texts.document(random))  # noqa: E731
    model.apply(1, [EntryChange(id, entry(random)) for id in random.sample(IDS, 7)])
    query, limit = texts.query(random), random.choice((1, 2, 3, 100))
    before = model.search(query, 1, limit)
    read = TextRead(1, query, before.weights, None if before.exhausted else before.hits[-1])
    id, old, new = written(model, random, entry)
    after = model.search(query, 2, limit, weights=before.weights)
    is_changed = before.hits != after.hits or (old != new and id in {rank.id for rank in after.hits})
    is_touched = touches(read, id, old, new)
    if is_changed:
        assert is_touched
    # What it was, or what it is, has a place among the rows: nothing less touches.
    if is_touched:
        assert id in {rank.id for rank in (*before.hits, *after.hits)} or before.exhausted


@settings(max_examples=300, deadline=None)
@given(RANDOMS)
def test_a_write_touches_a_page_if_it_could_change_its_rows(random: Random) -> None:
    model = TextModel()
    entry = lambda random: texts.DEFINITION.entry(texts.document(random))  # noqa: E731
    model.apply(1, [EntryChange(id, entry(random)) for id in random.sample(IDS, 8)])
    query = texts.query(random)
    first = model.search(query, 1, 2)
    if len(first.hits) < 2:
        return
    ceiling = first.hits[-1]
    page = model.search(query, 1, 2, weights=first.weights, after=ceiling)
    read = TextRead(1, query, first.weights, None if page.exhausted else page.hits[-1], ceiling)
    id, old, new = written(model, random, entry)
    again = model.search(query, 2, 2, weights=first.weights, after=ceiling)
    is_touched = touches(read, id, old, new)
    if page.hits != again.hits:
        assert is_touched
    if is_touched:
        assert id in {rank.id for rank in (*page.hits, *again.hits)} or page.exhausted


@settings(max_examples=300, deadline=None)
@given(RANDOMS)
def test_a_write_touches_a_vector_search_if_it_could_change_its_rows(random: Random) -> None:
    model = vectors.VectorModel()
    entry = lambda random: vectors.DEFINITION.entry(vectors.document(random))  # noqa: E731
    model.apply(1, [EntryChange(id, entry(random)) for id in random.sample(IDS, 7)])
    query, limit = vectors.query(random), random.choice((1, 2, 3, 100))
    before = model.search(query, 1, limit, pending={})
    read = VectorRead(1, query, None if before.exhausted else before.hits[-1])
    id, old, new = written(model, random, entry)
    after = model.search(query, 2, limit, pending={})
    is_touched = touches(read, id, old, new)
    if before.hits != after.hits:
        assert is_touched
    if is_touched:
        worths = [query.worth(version) for version in (old, new) if version is not None]
        is_nearly = any(
            worth is not None and abs(worth - rank.score) < 2e-9
            for worth in worths
            for rank in before.hits[-1:]
        )
        shown = {rank.id for rank in (*before.hits, *after.hits)}
        assert id in shown or before.exhausted or is_nearly


@settings(max_examples=200, deadline=None)
@given(RANDOMS)
def test_watchers_find_the_text_reads_that_are_touched(random: Random) -> None:
    model = TextModel()
    entry = lambda random: texts.DEFINITION.entry(texts.document(random))  # noqa: E731
    model.apply(1, [EntryChange(id, entry(random)) for id in IDS])
    reads = []
    for _ in range(random.randint(1, 12)):
        query = texts.query(random)
        found = model.search(query, 1, random.choice((1, 2, 100)))
        reads.append(TextRead(1, query, found.weights, None if found.exhausted else found.hits[-1]))
    watch(TextWatchers(), [read for read in reads if read.query.words], entry, random)


@settings(max_examples=200, deadline=None)
@given(RANDOMS)
def test_watchers_find_the_vector_reads_that_are_touched(random: Random) -> None:
    model = vectors.VectorModel()
    entry = lambda random: vectors.DEFINITION.entry(vectors.document(random))  # noqa: E731
    model.apply(1, [EntryChange(id, entry(random)) for id in IDS])
    reads = []
    for _ in range(random.randint(1, 30)):
        query = vectors.query(random)
        found = model.search(query, 1, random.choice((1, 2, 100)), pending={})
        reads.append(VectorRead(1, query, None if found.exhausted else found.hits[-1]))
    watch(VectorWatchers(), reads, entry, random)


def watch(watchers: Any, reads: list[Any], entry: Any, random: Random) -> None:
    """Adds and discards, and holds what is touched against each of the reads."""
    held: set[tuple[int, str]] = set()
    for _ in range(40):
        if not reads:
            return
        number, holder = random.randrange(len(reads)), random.choice("abc")
        if random.random() < 0.6:
            watchers.add(reads[number], holder)
            held.add((number, holder))
        else:
            watchers.discard(reads[number], holder)
            held.discard((number, holder))
        assert len(watchers) == len(held)
        id, version = random.choice(IDS), entry(random)
        expected = {holder for number, holder in held if reads[number].touched_by(id, version)}
        assert set(watchers.touched(id, version)) == expected


def test_a_search_without_words_is_touched_by_nothing() -> None:
    read = TextRead(1, texts.TextQuery.of("!"), TextModel().weights(texts.TextQuery.of("!"), []), None)
    watchers: TextWatchers[str] = TextWatchers()
    watchers.add(read, "holder")
    entry = texts.DEFINITION.entry({"_creationTime": 1.0, "body": "anything"})
    assert not read.touched_by("id", entry)
    assert watchers.touched("id", entry) == set()
    watchers.discard(read, "holder")
    assert len(watchers) == 0
