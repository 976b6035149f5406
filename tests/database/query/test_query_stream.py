"""Streams: what they return, against the naive evaluator, and exactly what they read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.query_model import (
    INDEXES,
    TABLE,
    MemoryReader,
    NaiveError,
    any_expressions,
    index_range,
    naive_filter,
    naive_query,
    operators,
    orders,
    ranges,
    rows,
    table_scan,
)
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval, ReadSet
from parabola.database.query.evaluator import QueryStream, open_stream
from parabola.database.query.ranges import parse_range, range_interval
from parabola.database.snapshot import Access
from parabola.values.errors import BadRequest, PaginationLimit


def open(reader: MemoryReader, query: dict[str, Any], access: Access = Access.USER) -> QueryStream:
    return open_stream(reader, query, access)


async def ids(stream: QueryStream, n: int = 1024) -> list[str]:
    return [document.id for document in await stream.next(n)]


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"_id": f"id{n:04}", "_creationTime": float(n + 1), "n": float(n)} for n in range(count)]


def reads(reader: MemoryReader) -> dict[int, list[Interval]]:
    return {index_id: list(intervals) for index_id, intervals in reader.read_set.by_index.items()}


def key(document: dict[str, Any], index: str = "by_creation_time") -> bytes:
    return INDEXES[index].key(document)


# Results


@given(st.data(), rows(), orders, operators, st.integers(1, 4))
async def test_a_query_returns_what_filtering_and_sorting_a_list_returns(
    data: st.DataObject, documents: list[dict[str, Any]], order: str | None, chain: list[Any], chunk: int
) -> None:
    name, comparisons = data.draw(ranges(documents))
    reader = MemoryReader(documents, chunk=chunk)
    stream = open(reader, index_range(name, comparisons, order, *chain))
    found: list[str] = []
    while batch := await ids(stream, data.draw(st.integers(1, 5))):
        found += batch
    expected = naive_query(documents, INDEXES[name].fields, comparisons, order, chain)
    assert found == [document["_id"] for document in expected]
    assert stream.done
    assert await stream.next(5) == []


@given(rows(), orders, st.lists(any_expressions, min_size=1, max_size=2))
async def test_a_filter_that_fails_on_a_document_fails_when_the_caller_gets_there(
    documents: list[dict[str, Any]], order: str | None, expressions: list[Any]
) -> None:
    chain = [{"filter": expression} for expression in expressions]
    expected: list[str] = []
    fails = False
    for document in naive_query(documents, ("_creationTime",), (), order):
        try:
            if all(naive_filter(expression, document) for expression in expressions):
                expected.append(document["_id"])
        except NaiveError:
            fails = True
            break
    stream = open(MemoryReader(documents), table_scan(order, *chain))
    found: list[str] = []

    async def read_on() -> None:
        while batch := await ids(stream, 3):
            found.extend(batch)

    if fails:
        for _ in range(2):
            with pytest.raises(BadRequest) as caught:
                await read_on()
            assert caught.value.code == "EvalError"
    else:
        await read_on()
    assert found == expected


async def test_collect_returns_everything_and_closes_the_stream() -> None:
    reader = MemoryReader(numbered(250), chunk=70)
    stream = open(reader, table_scan())
    assert len(await stream.collect()) == 250
    assert reader.open_reads == 0
    assert reads(reader) == {INDEXES["by_creation_time"].index_id: [Interval.everything()]}


# What is read


class Expected:
    """Rows looked at, and the interval read, when `used` documents are consumed (or all, seeing the end)."""

    def __init__(
        self,
        documents: list[dict[str, Any]],
        index: Index,
        comparisons: list[Any],
        order: str | None,
        chain: list[Any],
        used: int | None,
    ) -> None:
        whole = range_interval(
            "t.i", index.fields, parse_range(index_range("i", comparisons)["source"]["range"])
        )
        limits = [int(operator["limit"]) for operator in chain if "limit" in operator]
        passed = 0
        self.looked_at: list[dict[str, Any]] = []
        self.interval: Interval | None = whole
        for document in naive_query(documents, index.fields, comparisons, order):
            if used == passed or 0 in limits:
                break
            self.looked_at.append(document)
            at = 0
            for operator in chain:
                if "limit" in operator:
                    limits[at] -= 1
                    at += 1
                elif not naive_filter(operator["filter"], document):
                    break
            else:
                passed += 1
        else:
            if used != passed and 0 not in limits:
                return
        self.interval = None
        if self.looked_at:
            last = index.key(self.looked_at[-1])
            self.interval = whole.through(last) if order != "desc" else whole.starting_at(last)


@given(st.data(), rows(), orders, operators, st.integers(1, 4))
async def test_exactly_what_was_consumed_is_read(
    data: st.DataObject, documents: list[dict[str, Any]], order: str | None, chain: list[Any], chunk: int
) -> None:
    name, comparisons = data.draw(ranges(documents))
    index = INDEXES[name]
    reader = MemoryReader(documents, chunk=chunk)
    stream = open(reader, index_range(name, comparisons, order, *chain))
    returned, saw_end = 0, False
    for n in data.draw(st.lists(st.integers(1, 4), max_size=6)):
        batch = await stream.next(n)
        returned += len(batch)
        saw_end = saw_end or len(batch) < n
    unused = data.draw(st.integers(0, returned))
    if data.draw(st.booleans()) or unused:
        stream.unconsume(unused)
        stream.unconsume(1)  # the stream has ended: nothing happens
    used = returned - unused if unused or not saw_end else None
    expected = Expected(documents, index, comparisons, order, chain, used)
    assert reader.documents_read == len(expected.looked_at)
    assert reader.bytes_read == 100 * len(expected.looked_at)
    read_set = ReadSet()
    if expected.interval is not None:
        read_set.record(index.index_id, expected.interval)
    assert reader.read_set == read_set


@given(st.data(), rows(), rows(), orders, operators)
async def test_only_a_write_inside_the_read_set_can_change_the_result(
    data: st.DataObject,
    documents: list[dict[str, Any]],
    others: list[dict[str, Any]],
    order: str | None,
    chain: list[Any],
) -> None:
    name, comparisons = data.draw(ranges(documents))
    wanted = data.draw(st.integers(1, 6))
    query = index_range(name, comparisons, order, *chain)
    index = INDEXES[name]
    reader = MemoryReader(documents)
    before = await ids(open(reader, query), wanted)
    for other in others:
        changed = MemoryReader(documents)
        previous = changed.documents.get(other["_id"])
        keys = [index.key(other)] + ([index.key(previous)] if previous is not None else [])
        if not any(reader.read_set.contains(index.index_id, key) for key in keys):
            changed.put(other)
            assert await ids(open(changed, query), wanted) == before


async def test_the_first_document_of_a_big_table_costs_one_row() -> None:
    documents = numbered(5_000)
    reader = MemoryReader(documents)
    stream = open(reader, table_scan("desc", {"limit": 1}))
    assert await ids(stream) == ["id4999"]
    assert stream.done
    assert await stream.next(1) == []
    assert reader.scans == [1]
    assert reader.documents_read == 1
    assert reads(reader) == {
        INDEXES["by_creation_time"].index_id: [Interval.everything().starting_at(key(documents[-1]))]
    }


async def test_a_limit_of_zero_reads_nothing() -> None:
    reader = MemoryReader(numbered(3))
    assert await ids(open(reader, table_scan(None, {"limit": 0}))) == []
    assert (reader.scans, reads(reader)) == ([], {})


async def test_a_stream_that_was_never_asked_reads_nothing() -> None:
    reader = MemoryReader(numbered(3))
    stream = open(reader, table_scan())
    assert not stream.done
    assert (reader.scans, reads(reader)) == ([], {})
    assert reader.names_read == ["items.by_creation_time"]


async def test_two_documents_are_asked_for_where_one_is_expected() -> None:
    """`unique()`: the end is seen only when there is no second one."""
    reader = MemoryReader(numbered(1))
    assert await ids(open(reader, table_scan(None, {"limit": 2}))) == ["id0000"]
    assert reads(reader) == {INDEXES["by_creation_time"].index_id: [Interval.everything()]}


async def test_rows_are_fetched_a_hundred_at_a_time_or_as_many_as_are_wanted() -> None:
    reader = MemoryReader(numbered(2_000))
    stream = open(reader, table_scan())
    for _ in range(150):
        await stream.next(1)
    assert reader.scans == [100, 100]
    assert len(await stream.next(1_500)) == 1_500
    assert max(reader.scans) == 1_024
    reader.scans.clear()
    await open(reader, table_scan(None, {"limit": 700})).next(1)
    assert reader.scans == [700]


async def test_a_filter_reads_what_it_drops() -> None:
    reader = MemoryReader(numbered(10))
    only_the_fifth = {"filter": {"$eq": [{"$field": "n"}, {"$literal": 4}]}}
    stream = open(reader, table_scan(None, only_the_fifth))
    assert await ids(stream, 1) == ["id0004"]
    assert reader.documents_read == 5


async def test_documents_are_not_decoded_without_a_filter() -> None:
    for chain, decoded in (([{"limit": 5}], False), ([{"filter": {"$literal": True}}], True)):
        for document in await open(MemoryReader(numbered(10)), table_scan(None, *chain)).next(10):
            assert (document.revision._value is not None) is decoded


async def test_a_stream_sees_own_writes_in_batches_fetched_after_them() -> None:
    reader = MemoryReader(numbered(150))
    stream = open(reader, table_scan())
    await stream.next(1)
    reader.put({"_id": "early", "_creationTime": 50.5})
    reader.put({"_id": "late", "_creationTime": 149.5})
    found = [id for _ in range(200) for id in await ids(stream, 1)]
    assert "early" not in found
    assert "late" in found
    assert "early" in await ids(open(reader, table_scan()))


# Limits


async def test_a_limit_of_the_transaction_strikes_at_the_document_that_exceeds_it() -> None:
    for chain in ([], [{"filter": {"$literal": True}}]):
        reader = MemoryReader(numbered(10), max_documents=4)
        stream = open(reader, table_scan(None, *chain))
        assert len(await stream.next(10)) == 4
        assert not stream.done
        assert reader.documents_read == 4
        with pytest.raises(PaginationLimit):
            await stream.next(10)


async def test_rows_that_were_given_back_do_not_count() -> None:
    reader = MemoryReader(numbered(10), max_documents=6)
    stream = open(reader, table_scan())
    await stream.next(5)
    stream.unconsume(3)
    assert len(await open(reader, table_scan(None, {"limit": 4})).next(10)) == 4


async def test_one_interval_too_many_is_refused() -> None:
    reader = MemoryReader(numbered(10), max_intervals=0)
    with pytest.raises(PaginationLimit):
        await open(reader, table_scan()).next(1)


# Tables and indexes


async def test_scanning_a_missing_table_finds_nothing_but_looks_for_it() -> None:
    reader = MemoryReader()
    for query in (
        table_scan(table="nothing"),
        index_range("by_creation_time", table="nothing"),
        index_range("by_id", [("Eq", "_id", "x")], table="nothing"),
    ):
        reader.names_read.clear()
        stream = open(reader, query)
        assert stream.done
        assert await stream.next(5) == []
        assert len(reader.names_read) == 1
        stream.unconsume(0)


def test_a_range_on_an_index_of_a_missing_table_is_an_error() -> None:
    with pytest.raises(BadRequest, match=r"^Index nothing\.by_a not found\.$"):
        open(MemoryReader(), index_range("by_a", table="nothing"))


def test_a_range_on_a_search_index_is_an_error() -> None:
    reader = MemoryReader()
    reader.indexes["search"] = Index(900, TABLE.tablet_id, "search", (), kind="search")
    with pytest.raises(BadRequest) as caught:
        open(reader, index_range("search"))
    assert caught.value.code == "IndexNotADatabaseIndexError"


def test_a_wrong_range_is_reported_before_anything_is_read() -> None:
    reader = MemoryReader(numbered(3))
    with pytest.raises(BadRequest) as caught:
        open(reader, index_range("by_a_b", [("Eq", "b", 1.0)]))
    assert caught.value.code == "InvalidIndexRange"
    assert "items.by_a_b" in caught.value.message
