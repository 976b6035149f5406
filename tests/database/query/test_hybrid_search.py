"""Words and meaning together: reciprocal ranks of both lists, and both searches are read."""

from __future__ import annotations

from typing import Any

import pytest

from database.searching import WORDS, create_indexes, near, words
from database.stores import insert
from parabola.database.database import Database
from parabola.database.store.memory import MemoryPersistence
from parabola.values.errors import BadRequest

DOCUMENTS = (
    {"text": "apple", "vector": [1.0, 0.0], "c": "x"},
    {"text": "apple apple pie", "vector": [0.0, 1.0], "c": "x"},
    {"text": "pear", "vector": [0.9, 0.1], "c": "y"},
    {"text": "plum", "vector": [-1.0, 0.0], "c": "y"},
)


def both(text: str, *vector: float, limit: int | None = None, **equal: Any) -> dict[str, Any]:
    query = near(*vector, **({} if limit is None else {"limit": limit}))
    return {**query, "searchIndex": WORDS, "filters": words(text, **equal)["source"]["filters"]}


@pytest.fixture
async def database() -> Any:
    database = await Database.open(MemoryPersistence())
    await create_indexes(database)
    await insert(database, "t", *DOCUMENTS)
    yield database
    await database.close()


async def texts(tx: Any, query: dict[str, Any]) -> list[str]:
    found = [await tx.get(hit.id) for hit in await tx.hybrid_search(query)]
    return [document.value["text"] for document in found]


async def test_a_document_in_both_lists_comes_before_those_in_one(database: Database) -> None:
    tx = database.begin()
    assert (await texts(tx, both("apple", 1, 0)))[0] == "apple"
    assert (await texts(tx, both("pie pear", 1, 0)))[0] == "pear"
    assert await texts(tx, both("apple", 1, 0, limit=2)) == (await texts(tx, both("apple", 1, 0)))[:2]
    scores = [hit.score for hit in await tx.hybrid_search(both("apple", 1, 0))]
    assert scores[0] == pytest.approx(1 / 61 + 1 / 62, abs=0.001)
    assert scores == sorted(scores, reverse=True)


async def test_without_words_only_the_vectors_count_and_filters_are_those_of_each(database: Database) -> None:
    tx = database.begin()
    assert await texts(tx, both("?", 1, 0, limit=2)) == ["apple", "pear"]
    only = {"$eq": [{"$field": "c"}, {"$literal": "y"}]}
    assert set(await texts(tx, {**both("apple", 1, 0, c="y"), "expressions": only})) == {"pear", "plum"}


async def test_both_searches_are_read(database: Database) -> None:
    for document in ({"text": "apple"}, {"text": "none", "vector": [1.0, 0.0]}):
        tx = database.begin()
        await tx.hybrid_search(both("apple", 1, 0))
        told: list[int] = []
        database.subscriptions.subscribe(tx.read_set, tx.begin_ts, told.append)
        await insert(database, "t", {"text": "none"})
        assert told == []
        await insert(database, "t", document)
        assert len(told) == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({**both("a", 1, 0), "searchIndex": None}, "`searchIndex` must be a name"),
        ({**both("a", 1, 0), "searchIndex": "by_vector"}, "Index t.by_vector is not a search index"),
        ({**both("a", 1, 0), "filters": []}, "does not contain any search filters"),
        (both("a", 1, 0, limit=1025), "Hybrid queries can fetch at most 1024 results, requested 1025."),
        (both("a", 1), "Expected a vector with dimensions 2, received 1."),
    ],
)
async def test_a_wrong_search_says_what_is_wrong(
    database: Database, query: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await database.begin().hybrid_search(query)
    assert message in caught.value.message
