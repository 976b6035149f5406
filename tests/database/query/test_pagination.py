"""Pages: together they are the query, and they stay so while documents come and go (semantics 6.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.query_model import (
    INDEXES,
    MemoryReader,
    boolean_expressions,
    index_range,
    naive_query,
    orders,
    ranges,
    row,
    rows,
    table_scan,
)
from parabola.database.model.intervals import Interval
from parabola.database.query.cursors import CursorCodec
from parabola.database.query.evaluator import Page, run_page
from parabola.database.snapshot import Access
from parabola.values.errors import BadRequest, ConvexError, PaginationLimit

CODEC = CursorCodec("instance", b"secret" * 5)
INDEX = INDEXES["by_creation_time"]


async def page_of(reader: MemoryReader, query: dict[str, Any], size: float = 3, **options: Any) -> Page:
    """One page, each in a function of its own."""
    reader.paginated = False
    options.setdefault("cursor", None)
    return await run_page(reader, query, page_size=size, cursor_codec=CODEC, access=Access.USER, **options)


def ids(*pages: Page) -> list[str]:
    return [document.id for page in pages for document in page.page]


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"_id": f"id{n:04}", "_creationTime": float(n + 1), "n": float(n)} for n in range(count)]


def dropping_all_but(*numbers: int) -> dict[str, Any]:
    return {"filter": {"$or": [{"$eq": [{"$field": "n"}, {"$literal": number}]} for number in numbers]}}


filters = st.lists(boolean_expressions.map(lambda expression: {"filter": expression}), max_size=1)


# Walking


@given(st.data(), rows(), orders, filters)
async def test_pages_one_after_another_are_the_whole_query(
    data: st.DataObject, documents: list[dict[str, Any]], order: str | None, chain: list[Any]
) -> None:
    name, comparisons = data.draw(ranges(documents))
    query = index_range(name, comparisons, order, *chain)
    pages: list[Page] = []
    while not pages or not pages[-1].is_done:
        size = data.draw(st.integers(1, 4))
        page = await page_of(
            MemoryReader(documents, chunk=data.draw(st.integers(1, 4))),
            query,
            size,
            cursor=pages[-1].continue_cursor if pages else None,
            maximum_rows_read=data.draw(st.sampled_from([None, 2, 4])),
            maximum_bytes_read=data.draw(st.sampled_from([None, 1, 250])),
        )
        assert len(page.page) <= size
        pages.append(page)
    expected = naive_query(documents, INDEXES[name].fields, comparisons, order, chain)
    assert ids(*pages) == [document["_id"] for document in expected]


@dataclass
class Held:
    """A page that a client holds, and its query's subscription re-runs."""

    cursor: str | None
    page: Page


@given(st.data(), rows(), orders, filters)
async def test_held_pages_neither_overlap_nor_leave_gaps_while_documents_come_and_go(
    data: st.DataObject, documents: list[dict[str, Any]], order: str | None, chain: list[Any]
) -> None:
    name, comparisons = data.draw(ranges(documents))
    query = index_range(name, comparisons, order, *chain)
    reader = MemoryReader(documents)
    held: list[Held] = []
    for _ in range(data.draw(st.integers(1, 8))):
        action = data.draw(st.sampled_from(["more", "insert", "delete", "replace"]))
        if action == "more" and not (held and held[-1].page.is_done):
            cursor = held[-1].page.continue_cursor if held else None
            page = await page_of(reader, query, data.draw(st.integers(1, 3)), cursor=cursor)
            held.append(Held(cursor, page))
        elif action == "insert":
            reader.put(data.draw(row(data.draw(st.integers(100, 110)))))
        elif reader.documents:
            number = data.draw(st.sampled_from(sorted(reader.documents)))
            document = reader.documents.pop(number)
            if action == "replace":
                reader.put(data.draw(row(0)) | {"_id": document["_id"]})
    held_through_end = held and held[-1].page.is_done
    for item in held:
        again = await page_of(reader, query, 1, cursor=item.cursor, journal=item.page.journal)
        assert again.continue_cursor == item.page.continue_cursor
        assert again.is_done == item.page.is_done
        assert again.journal == item.page.journal
        item.page = again
    expected = naive_query(reader.documents.values(), INDEXES[name].fields, comparisons, order, chain)
    found = ids(*(item.page for item in held))
    assert found == [document["_id"] for document in expected][: len(found)]
    if held_through_end:
        assert len(found) == len(expected)
    elif held:
        rest = []
        cursor, done = held[-1].page.continue_cursor, False
        while not done:
            page = await page_of(reader, query, 3, cursor=cursor)
            rest += ids(page)
            cursor, done = page.continue_cursor, page.is_done
        assert found + rest == [document["_id"] for document in expected]


@given(st.data(), rows(), rows(), orders, filters)
async def test_only_a_write_inside_the_read_set_can_change_a_page(
    data: st.DataObject,
    documents: list[dict[str, Any]],
    others: list[dict[str, Any]],
    order: str | None,
    chain: list[Any],
) -> None:
    name, comparisons = data.draw(ranges(documents))
    query = index_range(name, comparisons, order, *chain)
    index = INDEXES[name]
    size = data.draw(st.integers(1, 4))
    first = await page_of(MemoryReader(documents), query, size)
    for options in ({}, {"journal": first.journal}, {"cursor": first.continue_cursor}):
        reader = MemoryReader(documents)
        page = await page_of(reader, query, size, **options)
        for other in others:
            changed = MemoryReader(documents)
            previous = changed.documents.get(other["_id"])
            keys = [index.key(other)] + ([index.key(previous)] if previous is not None else [])
            if not any(reader.read_set.contains(index.index_id, key) for key in keys):
                changed.put(other)
                again = await page_of(changed, query, size, **options)
                assert (ids(again), again.continue_cursor) == (ids(page), page.continue_cursor)


# One page


async def test_a_page_that_ends_at_the_last_document_is_not_done_and_the_next_is_empty() -> None:
    reader = MemoryReader(numbered(4))
    first = await page_of(reader, table_scan(), 4)
    assert (ids(first), first.is_done) == (["id0000", "id0001", "id0002", "id0003"], False)
    second = await page_of(reader, table_scan(), 4, cursor=first.continue_cursor)
    assert (ids(second), second.is_done) == ([], True)
    third = await page_of(reader, table_scan(), 4, cursor=second.continue_cursor)
    assert (ids(third), third.is_done) == ([], True)


async def test_a_full_page_reads_up_to_its_last_document() -> None:
    documents = numbered(10)
    reader = MemoryReader(documents)
    await page_of(reader, table_scan(), 4)
    assert list(reader.read_set.by_index[INDEX.index_id]) == [
        Interval.everything().through(INDEX.key(documents[3]))
    ]
    assert reader.documents_read == 4
    assert reader.open_reads == 0


async def test_a_query_with_a_limit_of_its_own_ends_there() -> None:
    reader = MemoryReader(numbered(10))
    page = await page_of(reader, table_scan(None, {"limit": 2}), 5)
    assert (ids(page), page.is_done) == (["id0000", "id0001"], True)
    assert reader.documents_read == 2


async def test_a_pinned_page_reads_up_to_its_end_and_ignores_its_size_and_maxima() -> None:
    documents = numbered(10)
    reader = MemoryReader(documents)
    end = (await page_of(reader, table_scan(), 6)).continue_cursor
    start = (await page_of(reader, table_scan(), 2)).continue_cursor
    pinned = MemoryReader(documents)
    page = await page_of(
        pinned, table_scan(), 1, cursor=start, end_cursor=end, maximum_rows_read=1, maximum_bytes_read=1
    )
    assert ids(page) == ["id0002", "id0003", "id0004", "id0005"]
    assert page.continue_cursor == end
    assert not page.is_done
    assert list(pinned.read_set.by_index[INDEX.index_id]) == [
        Interval.everything().after(INDEX.key(documents[1])).through(INDEX.key(documents[5]))
    ]


async def test_an_end_cursor_goes_before_the_journal() -> None:
    reader = MemoryReader(numbered(10))
    short, long = [await page_of(reader, table_scan(), size) for size in (2, 6)]
    page = await page_of(reader, table_scan(), end_cursor=long.continue_cursor, journal=short.journal)
    assert len(page.page) == 6
    assert page.journal == long.journal


async def test_a_page_grows_with_an_insert_and_the_next_one_stays() -> None:
    reader = MemoryReader(numbered(6))
    first = await page_of(reader, table_scan(), 3)
    second = await page_of(reader, table_scan(), 3, cursor=first.continue_cursor)
    reader.put({"_id": "new", "_creationTime": 1.5})
    again = await page_of(reader, table_scan(), 3, journal=first.journal)
    assert ids(again) == ["id0000", "new", "id0001", "id0002"]
    kept = await page_of(reader, table_scan(), 3, cursor=first.continue_cursor, journal=second.journal)
    assert ids(kept) == ids(second)


async def test_the_page_at_the_end_takes_in_what_is_appended() -> None:
    reader = MemoryReader(numbered(2))
    page = await page_of(reader, table_scan(), 5)
    assert page.is_done
    reader.put({"_id": "new", "_creationTime": 99.0})
    again = await page_of(reader, table_scan(), 5, journal=page.journal)
    assert ids(again) == ["id0000", "id0001", "new"]
    assert again.is_done


async def test_a_missing_table_is_one_empty_page_that_fills_when_the_table_appears() -> None:
    reader = MemoryReader(numbered(2))
    tables, reader.tables = reader.tables, {}
    page = await page_of(reader, table_scan())
    assert (page.page, page.is_done, page.split_cursor, page.page_status) == ([], True, None, None)
    assert reader.names_read == ["items.by_creation_time"]
    reader.tables = tables
    assert len((await page_of(reader, table_scan(), journal=page.journal)).page) == 2


# Maxima, limits, splitting


async def test_a_row_maximum_cuts_the_page_short() -> None:
    reader = MemoryReader(numbered(10))
    page = await page_of(reader, table_scan(None, dropping_all_but(0, 1, 9)), 3, maximum_rows_read=5)
    assert ids(page) == ["id0000", "id0001"]
    assert page.page_status == "SplitRequired"
    assert not page.is_done
    assert reader.documents_read == 5
    assert max(reader.scans) <= 5
    rest = await page_of(reader, table_scan(None, dropping_all_but(0, 1, 9)), 3, cursor=page.continue_cursor)
    assert (ids(rest), rest.is_done) == (["id0009"], True)


async def test_a_full_page_is_not_cut_short_by_a_maximum_it_just_reaches() -> None:
    reader = MemoryReader(numbered(10))
    page = await page_of(reader, table_scan(), 3, maximum_rows_read=3)
    assert (len(page.page), page.page_status) == (3, "SplitRecommended")


async def test_a_byte_maximum_is_tested_before_each_further_document() -> None:
    reader = MemoryReader(numbered(10))
    page = await page_of(reader, table_scan(), 10, maximum_bytes_read=1)
    assert (len(page.page), page.page_status) == (1, "SplitRequired")
    page = await page_of(reader, table_scan(), 10, maximum_bytes_read=250)
    assert (len(page.page), page.page_status) == (3, "SplitRequired")


async def test_a_limit_of_the_transaction_cuts_the_page_short_after_the_first_row() -> None:
    reader = MemoryReader(numbered(10), max_documents=4)
    page = await page_of(reader, table_scan(), 10)
    assert (len(page.page), page.page_status) == (4, "SplitRequired")
    assert not page.is_done
    assert reader.documents_read == 4
    with pytest.raises(PaginationLimit):
        await page_of(reader, table_scan(), 10)


async def test_a_limit_of_the_transaction_is_fatal_to_a_pinned_page() -> None:
    reader = MemoryReader(numbered(10))
    journal = (await page_of(reader, table_scan(), 8)).journal
    with pytest.raises(PaginationLimit):
        await page_of(MemoryReader(numbered(10), max_documents=4), table_scan(), 8, journal=journal)


async def test_splitting_is_recommended_near_a_maximum() -> None:
    reader = MemoryReader(numbered(10_000))
    for options, expected in (
        ({"size": 3, "maximum_rows_read": 4}, None),
        ({"size": 4, "maximum_rows_read": 5}, "SplitRecommended"),
        ({"size": 3, "maximum_bytes_read": 400}, None),
        ({"size": 4, "maximum_bytes_read": 500}, "SplitRecommended"),
        ({"size": 6_144}, None),
        ({"size": 6_145}, "SplitRecommended"),
    ):
        assert (await page_of(reader, table_scan(), **options)).page_status == expected, options


async def test_a_page_splits_in_the_middle_of_what_it_scanned() -> None:
    reader = MemoryReader(numbered(20))
    query = table_scan(None, dropping_all_but(0, 1, 2, 9))
    page = await page_of(reader, query, 4)
    assert page.split_cursor is not None
    left = await page_of(reader, query, 1, end_cursor=page.split_cursor)
    right = await page_of(reader, query, 1, cursor=page.split_cursor, end_cursor=page.continue_cursor)
    assert reader.documents_read == 10 + 10
    assert ids(left, right) == ids(page)
    assert ids(right) == ["id0009"]


async def test_two_rows_are_too_few_to_split() -> None:
    reader = MemoryReader(numbered(5))
    assert (await page_of(reader, table_scan(), 2)).split_cursor is None
    assert (await page_of(reader, table_scan(), 3)).split_cursor is not None


async def test_a_page_of_dropped_rows_may_be_empty_and_not_done() -> None:
    reader = MemoryReader(numbered(10))
    page = await page_of(reader, table_scan(None, dropping_all_but(9)), 3, maximum_rows_read=5)
    assert (page.page, page.is_done, page.page_status) == ([], False, "SplitRequired")


# Errors


async def test_a_function_paginates_once() -> None:
    reader = MemoryReader(numbered(5))
    await page_of(reader, table_scan())
    with pytest.raises(BadRequest) as caught:
        await run_page(reader, table_scan(), cursor=None, page_size=3, cursor_codec=CODEC, access=Access.USER)
    assert caught.value.message == (
        "This query or mutation function ran multiple paginated queries. "
        "Convex only supports a single paginated query in each function."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "Must request at least 1 document while paginating"),
        ({"size": 32_001}, "Requested too many items: 32001"),
        ({"size": 1.5}, "`numItems` must be a whole number while paginating. Received 1.5"),
        ({"size": "5"}, "`numItems` must be a whole number while paginating. Received '5'"),
        ({"maximum_rows_read": 0}, "maximumRowsRead and maximumBytesRead must be greater than 0"),
        ({"maximum_bytes_read": 0.0}, "maximumRowsRead and maximumBytesRead must be greater than 0"),
        (
            {"maximum_rows_read": 2.5},
            "`maximumRowsRead` must be a whole number while paginating. Received 2.5",
        ),
    ],
)
async def test_numbers_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await page_of(MemoryReader(numbered(5)), table_scan(), **options)
    assert caught.value.message == message


async def test_numbers_may_arrive_as_floats() -> None:
    page = await page_of(MemoryReader(numbered(5)), table_scan(), 2.0, maximum_rows_read=4.0)
    assert len(page.page) == 2


async def test_cursors_and_journals_of_other_queries_are_invalid() -> None:
    reader = MemoryReader(numbered(5))
    other = await page_of(reader, table_scan("desc"), 2)
    for options in (
        {"cursor": other.continue_cursor},
        {"end_cursor": other.continue_cursor},
        {"journal": other.journal},
        {"cursor": "garbage"},
        {"end_cursor": ""},
        {"journal": other.continue_cursor},
    ):
        with pytest.raises(ConvexError) as caught:
            await page_of(reader, table_scan(), **options)
        assert caught.value.data == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
        assert caught.value.message.startswith("InvalidCursor: ")


async def test_a_cursor_of_an_index_with_other_fields_is_invalid() -> None:
    reader = MemoryReader(numbered(5))
    page = await page_of(reader, index_range("by_a"), 2)
    reader.indexes["by_a"] = INDEXES["by_a_b"]
    with pytest.raises(ConvexError):
        await page_of(reader, index_range("by_a"), 2, cursor=page.continue_cursor)
