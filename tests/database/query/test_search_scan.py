"""Text searches as queries: what they find, count, read and page through (semantics 9.1)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.searching import WORDS, create_indexes, words
from database.stores import collect, delete, insert, patch, take
from parabola.database.database import Database
from parabola.database.derived.text.text_reads import TextRead
from parabola.database.model.errors import ConflictError
from parabola.database.query.cursors import CursorCodec
from parabola.database.query.evaluator import Page
from parabola.database.snapshot import Snapshot
from parabola.database.store.memory import MemoryPersistence
from parabola.database.usage import Limits
from parabola.values.errors import BadRequest, ConvexError, PaginationLimit

CODEC = CursorCodec("instance", b"secret" * 5)
TEXTS = ("a", "a b", "a b c", "b c", "ab", "b b b a", "d", "a d d")


async def database_with(*documents: dict[str, Any], **options: Any) -> Database:
    database = await Database.open(MemoryPersistence(), **options)
    await create_indexes(database)
    if documents:
        await insert(database, "t", *documents)
    return database


async def found(snapshot: Any, query: dict[str, Any]) -> list[Any]:
    return [each.value["n"] for each in await collect(snapshot, query)]


def texts(*all: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"text": text, "n": float(n), **fields} for n, text in enumerate(all)]


# Finding


async def test_any_word_finds_and_the_last_one_also_what_begins_like_it() -> None:
    database = await database_with(*texts("hello world", "hello there", "nothing", "worldly"))
    tx = database.begin()
    assert sorted(await found(tx, words("wor"))) == [0.0, 3.0]
    assert await found(tx, words("hel world")) == [0.0, 3.0]
    assert await found(tx, words("world hel")) == [0.0, 1.0]
    assert await found(tx, words("")) == []
    assert await found(tx, words(" -- ")) == []
    await database.close()


async def test_filters_hold_all_and_may_ask_for_a_missing_field() -> None:
    database = await database_with(
        {"text": "x", "n": 0.0, "c": "a"},
        {"text": "x", "n": 1.0, "c": "b", "deep": {"d": [1.0]}},
        {"text": "x", "n": 2.0},
    )
    tx = database.begin()
    assert await found(tx, words("x", c="b")) == [1.0]
    assert await found(tx, words("x", c={"$undefined": None})) == [2.0]
    assert await found(tx, words("x", **{"deep.d": [1]})) == [1.0]
    assert await found(tx, words("x", c="a", **{"deep.d": [1]})) == []
    await database.close()


async def test_what_a_filter_drops_was_read() -> None:
    database = await database_with(*texts("x x x", "x x", "x"))
    tx = database.begin()
    query = words("x")
    is_two = {"filter": {"$eq": [{"$field": "n"}, {"$literal": 2}]}}
    assert await found(tx, {**query, "operators": [is_two]}) == [2.0]
    assert tx.usage.documents_read == 3
    await database.close()


async def test_a_search_counts_what_it_shows_and_one_range() -> None:
    database = await database_with(*texts(*["x"] * 20))
    tx = database.begin()
    before = tx.usage.database_queries
    assert len(await collect(tx, take(words("x"), 5))) == 5
    assert tx.usage.documents_read == 5
    assert tx.usage.database_queries == before + 1
    await database.close()


async def test_more_than_1024_results_are_too_many_and_1024_are_not() -> None:
    database = await database_with(*({"text": "x", "n": 0.0} for _ in range(1025)))
    assert len(await collect(database.begin(), take(words("x"), 1024))) == 1024
    stream = database.begin().query(words("x"))
    assert len(await stream.next(1000)) == 1000
    assert len(await stream.next(1000)) == 24
    with pytest.raises(BadRequest, match=r"scanned too many documents \(fetched 1024\)") as caught:
        await stream.next(1)
    assert caught.value.code == "SearchQueryScannedTooManyDocumentsError"
    await database.close()


async def test_limits_of_a_transaction_hold_for_searches() -> None:
    database = await database_with(*texts(*["x"] * 20), limits=Limits(documents_read=10))
    with pytest.raises(PaginationLimit):
        await collect(database.begin(), words("x"))
    assert len(await collect(database.begin(), take(words("x"), 10))) == 10
    await database.close()


async def test_a_nested_failure_leaves_nothing_to_be_found() -> None:
    database = await database_with()
    tx = database.begin(writable=True)
    await tx.insert("t", {"text": "kept", "n": 1.0})
    savepoint = tx.savepoint()
    await tx.insert("t", {"text": "kept not", "n": 2.0})
    assert sorted(await found(tx, words("kept"))) == [1.0, 2.0]
    tx.rollback_to(savepoint)
    assert await found(tx, words("kept")) == [1.0]
    await database.close()


# Reading


async def test_rows_given_back_were_not_read() -> None:
    database = await database_with(*texts("x x x", "x x", "x"))
    tx = database.begin()
    stream = tx.query(words("x"))
    assert len(await stream.next(3)) == 3
    stream.unconsume(2)
    (read,) = tx.read_set.searches
    assert isinstance(read, TextRead)
    assert read.floor is not None
    assert tx.usage.documents_read == 1
    whole = database.begin()
    await collect(whole, words("x"))
    (read,) = whole.read_set.searches
    assert isinstance(read, TextRead)
    assert read.floor is None
    await database.close()


async def test_a_search_that_is_not_run_or_has_no_words_reads_nothing_of_the_index() -> None:
    database = await database_with(*texts("x"))
    tx = database.begin()
    tx.query(words("x"))
    await collect(tx, words("?"))
    await collect(tx, take(words("x"), 0))
    assert tx.read_set.searches == []
    await database.close()


@given(st.integers(0, 2**32))
@settings(max_examples=60)
async def test_a_search_is_told_exactly_of_what_could_change_what_it_showed(seed: int) -> None:
    random = Random(seed)
    database = await database_with()
    ids = await insert(database, "t", *texts(*random.choices(TEXTS, k=random.randrange(1, 9)), c="x"))
    for _ in range(6):
        query = words(random.choice(("a", "b a", "c", "d a")), **random.choice(({}, {"c": "x"})))
        limit = random.randrange(1, 5)
        reader = database.begin()
        shown = await collect(reader, take(query, limit))
        (read,) = reader.read_set.searches
        assert isinstance(read, TextRead)
        told: list[int] = []
        database.subscriptions.subscribe(reader.read_set, reader.begin_ts, told.append)
        chosen = random.choice(ids)
        old = await database.begin().get(chosen)
        fields = {"text": random.choice(TEXTS), "c": random.choice("xy"), "m": random.random()}
        action = random.randrange(4)
        new: str | None = chosen
        if action == 0 or old is None:
            [new] = await insert(database, "t", fields)
            ids.append(new)
            old = None
        elif action < 3:
            await patch(database, chosen, dict(random.sample(sorted(fields.items()), 2)))
        else:
            await delete(database, chosen)
            new = None
        after = database.begin()
        changed = await after.get(new) if new is not None else None
        is_changed = after.begin_ts != reader.begin_ts  # and not patched with what it has
        touched = is_changed and (touches(read, old) or touches(read, changed))
        assert told == ([after.begin_ts] if touched else [])
        again = await again_by(after, read, limit)
        if [(each.id, each.raw) for each in again] != [(each.id, each.raw) for each in shown]:
            assert told
        late: list[int] = []  # a subscription that comes late hears of it at once
        database.subscriptions.subscribe(reader.read_set, reader.begin_ts, late.append)
        assert late == told
        writer = database.begin(writable=True)
        assert bool(database._committer.log.first_touching(reader.read_set, reader.begin_ts)) == touched
        await database.commit(writer)
    await database.close()


def touches(read: TextRead, version: Any) -> bool:
    """By the words of the reference: all filters equal, some word in it, and not below what was shown."""
    if version is None:
        return False
    filters = [value_of(version.value, field) for field, _ in read.query.filters]
    if filters and filters != ["x"]:
        return False
    present = version.value.get("text", "").split()
    matching = {
        word
        for word in present
        if word in read.query.words or (read.query.prefix and word.startswith(read.query.prefix))
    }
    if not matching:
        return False
    if read.floor is None:
        return True
    worth = 0.0
    for word in sorted(matching):
        factor = read.weights.factor(word, is_exact=word in read.query.words)
        worth += read.weights.part(factor, present.count(word), len(present))
    rank = (worth, version.value["_creationTime"], version.id)
    close = abs(worth - read.floor.score) < 1e-9
    return (rank[1:] >= read.floor[1:] if close else worth > read.floor.score) or (
        close and version.id == read.floor.id
    )


def value_of(value: dict[str, Any], field: int) -> Any:
    return value.get("c") if field == 0 else value.get("deep", {}).get("d")


async def again_by(snapshot: Snapshot, read: TextRead, limit: int) -> list[Any]:
    """The same search by the same weights, now."""
    table = snapshot.find_table("t")
    assert table is not None
    index = snapshot.registry.index(table, WORDS)
    assert index is not None
    result = await snapshot.search_text(index, read.query, limit, weights=read.weights)
    return [await snapshot.document(table, hit.id) for hit in result.hits]


async def test_of_two_mutations_the_one_that_would_have_found_more_is_run_again() -> None:
    database = await database_with(*texts("x"))
    first, second, third = (database.begin(writable=True) for _ in range(3))
    for tx in (first, third):
        await collect(tx, words("x"))
        await tx.insert("t", {"text": "other"})
    await second.insert("t", {"text": "x y"})
    await database.commit(second, source="second")
    with pytest.raises(ConflictError) as caught:
        await database.commit(first)
    assert (caught.value.table, caught.value.source) == ("t", "second")
    fourth = database.begin(writable=True)
    await collect(fourth, words("x"))
    await insert(database, "t", {"text": "neither"})
    await fourth.insert("t", {"text": "y"})
    await database.commit(fourth)
    await database.close()


# Pages


async def page(
    database: Database, query: dict[str, Any], size: float = 3, **options: Any
) -> tuple[Page, Any]:
    tx = database.begin()
    options.setdefault("cursor", None)
    return await tx.paginate(query, page_size=size, cursor_codec=CODEC, **options), tx


@given(st.integers(0, 2**32))
@settings(max_examples=40)
async def test_pages_neither_miss_nor_double_whatever_is_written_meanwhile(seed: int) -> None:
    """The numbers that weigh words change with every write; pages keep those of the first one."""
    random = Random(seed)
    database = await database_with()
    count = random.randrange(1, 15)
    ids = await insert(database, "t", *texts(*random.choices(TEXTS, k=count)))
    query = words(random.choice(("a", "b a", "d a", "a b")))
    matching = {each.id for each in await collect(database.begin(), query)}
    written: set[str] = set()
    pages: list[Page] = []
    cursor = None
    while not pages or not pages[-1].is_done:
        one, _ = await page(database, query, random.randrange(1, 5), cursor=cursor)
        pages.append(one)
        cursor = one.continue_cursor
        for _ in range(random.randrange(3)):
            if random.random() < 0.5:
                written |= set(await insert(database, "t", {"text": random.choice(TEXTS)}))
            else:
                chosen = random.choice(ids)
                written.add(chosen)
                await patch(database, chosen, {"text": random.choice(TEXTS)})
    seen = [document.id for one in pages for document in one.page]
    unchanged = [id for id in seen if id not in written]
    assert len(unchanged) == len(set(unchanged))
    assert set(unchanged) >= matching - written
    # Run again between the same ends, all pages together are the search as it is now, each document once.
    start = None
    again: list[str] = []
    for one in pages:
        rerun, _ = await page(database, query, cursor=start, journal=one.journal)
        again += [document.id for document in rerun.page]
        start = one.continue_cursor
    assert len(again) == len(set(again))
    assert set(again) == {each.id for each in await collect(database.begin(), query)}
    await database.close()


async def test_pages_go_on_past_1024_results() -> None:
    database = await database_with(*({"text": "x"} for _ in range(1100)))
    first, _ = await page(database, words("x"), 1000)
    second, _ = await page(database, words("x"), 1000, cursor=first.continue_cursor)
    assert (len(first.page), len(second.page)) == (1000, 100)
    assert (first.is_done, second.is_done) == (False, True)
    assert first.page_status == "SplitRecommended"
    assert first.split_cursor is None
    await database.close()


async def test_a_page_hears_of_its_own_part_only() -> None:
    database = await database_with(*texts("x x x", "x x", "x", "x y y", "x y y y"))
    first, one = await page(database, words("x"), 2)
    second, two = await page(database, words("x"), 2, cursor=first.continue_cursor)
    told: list[str] = []
    database.subscriptions.subscribe(one.read_set, one.begin_ts, lambda ts: told.append("first"))
    database.subscriptions.subscribe(two.read_set, two.begin_ts, lambda ts: told.append("second"))
    await patch(database, second.page[0].id, {"other": 1.0})
    assert told == ["second"]
    await insert(database, "t", {"text": "x x x x"})
    assert told == ["second", "first"]
    await database.close()


async def test_a_cursor_of_another_search_is_refused() -> None:
    database = await database_with(*texts("x", "x"))
    first, _ = await page(database, words("x"), 1)
    with pytest.raises(ConvexError, match="InvalidCursor"):
        await page(database, words("y"), 1, cursor=first.continue_cursor)
    await database.close()


async def test_a_row_that_the_transaction_deletes_before_it_gets_there_is_passed_over() -> None:
    database = await database_with(*texts("a", "a", "a", pad="x" * 900_000))
    await insert(database, "t", *texts("a", "a", "a", pad="y" * 900_000))
    tx = database.begin(writable=True)
    stream = tx.query(words("a"))
    [first] = await stream.next(1)
    for document in await collect(tx, "t"):
        if document.id != first.id:
            await tx.delete(document.id)
    rest = await stream.next(100)
    while found := await stream.next(100):
        rest += found
    # Those that had been fetched with the first are shown as they were; the others are gone.
    assert len(rest) < 5
    await database.commit(tx)
    await database.close()
