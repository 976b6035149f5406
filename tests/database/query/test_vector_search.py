"""Vector searches: rules, texts, and that they are a part of a transaction (semantics 9.2)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.searching import create_indexes, near
from database.stores import delete, insert, patch
from parabola.database.database import Database
from parabola.database.derived.vectors.vector_reads import VectorRead
from parabola.database.model.errors import ConflictError
from parabola.database.query.vector_search import VectorHit
from parabola.database.store.memory import MemoryPersistence
from parabola.values.errors import BadRequest

VECTORS = ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.5], [0.9, 0.1], [1.0])


async def database_with(*documents: dict[str, Any]) -> Database:
    database = await Database.open(MemoryPersistence())
    await create_indexes(database)
    if documents:
        await insert(database, "t", *documents)
    return database


async def search(snapshot: Any, query: Any, *, in_transaction: bool = True) -> list[VectorHit]:
    found: list[VectorHit] = await snapshot.vector_search(query, in_transaction=in_transaction)
    return found


def equal(field: str, value: Any) -> dict[str, Any]:
    return {"$eq": [{"$field": field}, {"$literal": value}]}


async def test_the_nearest_come_first_with_their_cosines() -> None:
    database = await database_with(*({"vector": vector} for vector in VECTORS))
    hits = await search(database.begin(), near(2, 0))
    assert [round(hit.score, 6) for hit in hits] == [1.0, 0.993884, 0.707107, 0.0, -0.894427]
    assert [hit.score for hit in await search(database.begin(), near(2, 0, limit=2))] == [
        hit.score for hit in hits[:2]
    ]
    assert [round(hit.score, 3) for hit in await search(database.begin(), near(2, 0, minimumScore=0.7))] == [
        1.0,
        0.994,
        0.707,
    ]
    assert await search(database.begin(), near(2, 0, limit=0)) == []
    assert {hit.score for hit in await search(database.begin(), near(0, 0))} == {0.0}
    await database.close()


async def test_filters_combine() -> None:
    database = await database_with(
        *({"vector": [1.0, 0.0], "c": c} for c in ("a", "b", "c")), {"vector": [1.0, 0.0]}
    )
    tx = database.begin()

    async def count(expression: Any, **options: Any) -> int:
        return len(await search(tx, near(1, 0, expressions=expression), **options))

    either = {"$or": [equal("c", "a"), {"$or": [equal("c", "b")]}]}
    assert await count(equal("c", "a")) == 1
    assert await count(either) == await count(either, in_transaction=False) == 2
    assert await count(equal("c", {"$undefined": None})) == 1
    assert await count({"$and": [either, equal("c", "b")]}) == 1
    assert await count({"$or": []}) == 0
    with pytest.raises(BadRequest, match=r"combination of `q\.eq` and `q\.or`"):
        await count({"$and": [either]}, in_transaction=False)
    await database.close()


NOT_A_FILTER = "Filters should be a combination of `q.eq` and `q.or`."


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (
            near(1, 0, limit=257),
            "VectorLimitTooLargeError",
            "Vector queries can fetch at most 256 results, requested 257.",
        ),
        (near(1), "VectorDimensionsMismatch", "Expected a vector with dimensions 2, received 1."),
        (
            near(1, 0, expressions=equal("d", 1)),
            "IncorrectVectorFilterField",
            "Vector query against t.by_vector contains a filter on d but that field isn't indexed for "
            "filtering in `filterFields`.",
        ),
        (
            near(1, 0, expressions={"$or": [equal("c", n) for n in range(65)]}),
            "TooManyElementsInVectorQueryError",
            "Vector query against t.by_vector has too many conditions. Max: 64 Actual: 65",
        ),
        (near(1, 0, expressions={"$neq": []}), "InvalidVectorSearchFilter", NOT_A_FILTER),
        (near(1, 0, expressions={"$eq": [{"$field": "c"}]}), "InvalidVectorSearchFilter", NOT_A_FILTER),
        (near(1, 0, expressions=7), "InvalidVectorSearchFilter", NOT_A_FILTER),
        (
            {**near(1, 0), "indexName": "t.search_text"},
            "IndexNotAVectorIndexError",
            "Index t.search_text is not a vector index",
        ),
        (
            {**near(1, 0), "indexName": "t.by_id"},
            "IndexNotAVectorIndexError",
            "Index t.by_id is not a vector index",
        ),
        ({**near(1, 0), "indexName": "t.none"}, "IndexNotFoundError", "Index t.none not found."),
        (near(1, 0, limit=1.5), "InvalidArgument", "`limit` must be a non-negative integer, not 1.5."),
        (near(1, 0, limit=-1), "InvalidArgument", "`limit` must be a non-negative integer, not -1."),
        ({**near(1, 0), "vector": "x"}, "InvalidArgument", "`vector` must be an array of numbers."),
        ({**near(1, 0), "vector": [1, True]}, "InvalidArgument", "array of numbers, found True in it."),
        ({**near(1, 0), "indexName": "t"}, "InvalidArgument", "An index is named as table.index, not 't'."),
        (None, "InvalidArgument", "expected an object"),
    ],
)  # fmt: skip
async def test_a_wrong_search_says_what_is_wrong(query: Any, code: str, message: str) -> None:
    database = await database_with({"vector": [1.0, 0.0]})
    with pytest.raises(BadRequest) as caught:
        await search(database.begin(), query, in_transaction=False)
    assert caught.value.code == code
    assert caught.value.message.endswith(message)
    await database.close()


async def test_what_is_not_finite_is_refused() -> None:
    database = await database_with()
    with pytest.raises(BadRequest, match="finite numbers"):
        await search(database.begin(), {**near(1, 0), "vector": [{"$float": "AAAAAAAA8H8="}, 0]})
    await database.close()


async def test_a_missing_table_has_no_vectors() -> None:
    database = await database_with()
    assert await search(database.begin(), near(1, 0, table="nothing")) == []
    await database.close()


async def test_a_transaction_may_ask_for_more_than_256() -> None:
    database = await database_with(*({"vector": [1.0, float(n)]} for n in range(300)))
    tx = database.begin()
    assert len(await search(tx, near(1, 0, limit=300))) == 300
    assert tx.usage.documents_read == 300
    await database.close()


@given(st.integers(0, 2**32))
@settings(max_examples=60)
async def test_a_search_is_told_exactly_of_what_could_change_what_it_found(seed: int) -> None:
    random = Random(seed)
    database = await database_with()
    ids = await insert(
        database, "t", *({"vector": random.choice(VECTORS), "c": random.choice("xy")} for _ in range(6))
    )
    for _ in range(6):
        limit = random.randrange(1, 5)
        query = near(
            *random.choice(VECTORS[:5]),
            limit=limit,
            expressions=random.choice([None, equal("c", "x")]),
            minimumScore=random.choice([None, 0.5]),
        )
        reader = database.begin()
        before = await search(reader, query)
        (read,) = reader.read_set.searches
        assert isinstance(read, VectorRead)
        told: list[int] = []
        database.subscriptions.subscribe(reader.read_set, reader.begin_ts, told.append)
        chosen, fields = random.choice(ids), {"vector": random.choice(VECTORS), "c": random.choice("xy")}
        if await database.begin().get(chosen) is None or random.random() < 0.3:
            ids += await insert(database, "t", fields)
        elif random.random() < 0.7:
            await patch(database, chosen, dict(random.sample(sorted(fields.items()), 1)))
        else:
            await delete(database, chosen)
        after = database.begin()
        again = await search(after, query)
        if again != before:
            assert told == [after.begin_ts]
        elif told:  # no more than that a version was where another result would have changed it
            assert before or read.floor is None
        late: list[int] = []
        database.subscriptions.subscribe(reader.read_set, reader.begin_ts, late.append)
        assert late == told
    await database.close()


async def test_a_vector_below_what_was_found_disturbs_nobody() -> None:
    database = await database_with({"vector": [1.0, 0.0]}, {"vector": [0.9, 0.1]})
    reader = database.begin()
    await search(reader, near(1, 0, limit=2))
    told: list[int] = []
    database.subscriptions.subscribe(reader.read_set, reader.begin_ts, told.append)
    [low] = await insert(database, "t", {"vector": [0.0, 1.0]})
    await patch(database, low, {"vector": [-1.0, 0.0]})
    assert told == [] or len(await search(reader, near(1, 0, limit=3))) == 2
    await database.close()


async def test_of_two_mutations_the_one_that_would_have_found_another_is_run_again() -> None:
    database = await database_with({"vector": [0.0, 1.0]})
    first, second = database.begin(writable=True), database.begin(writable=True)
    await search(first, near(1, 0, limit=1))
    await first.insert("t", {})
    await second.insert("t", {"vector": [1.0, 0.0]})
    await database.commit(second)
    with pytest.raises(ConflictError):
        await database.commit(first)
    await database.close()
