"""Reads without a stream: they say, record and count what a stream does, or do nothing at all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.query.test_query_transaction import create_items, fields_of
from database.query_model import INDEXES, index_range, row, table_scan
from database.stores import insert, opened
from parabola.database.query.range_plans import plain_query
from parabola.database.query.short_reads import ShortRead
from parabola.database.transaction import Transaction
from parabola.database.usage import Limits
from parabola.values.errors import ConvexError, UserError
from parabola.values.placeholders import UNDEFINED

VALUES = st.sampled_from([None, 0.0, 1.0, 2.0, -1.5, "a", "é", True, b"x", UNDEFINED, [1.0], {"x": 1.0}])
COMPARISONS = st.lists(
    st.tuples(
        st.sampled_from(["Eq", "Eq", "Gt", "Gte", "Lt", "Lte", "Ne"]),
        st.sampled_from(["a", "a", "b", "o.x", "_creationTime", "_id", "missing"]),
        VALUES,
    ),
    max_size=3,
)
ORDERS = st.sampled_from([None, "asc", "desc"])
LIMITS = st.lists(st.integers(0, 5).map(lambda n: {"limit": n}), max_size=2)
NAMES = st.sampled_from([*INDEXES, "by_nothing"])
TABLES = st.sampled_from(["items", "items", "items", "items", "missing", "_tables", "_storage"])


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    """Of all kinds: most of them plain, many of them wrong."""
    operators: list[Any] = draw(LIMITS)
    if draw(st.integers(0, 9)) == 0:
        operators = [{"filter": {"$eq": [{"$field": "a"}, {"$literal": 1.0}]}}, *operators]
    table, order = draw(TABLES), draw(ORDERS)
    if draw(st.booleans()):
        return table_scan(order, *operators, table=table)
    return index_range(draw(NAMES), draw(COMPARISONS), order, *operators, table=table)


class Side:
    """One of two transactions that do the same, one of them by streams alone."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.shorts = 0
        self.reads: list[Any] = []

    async def read(self, query: Any, batch: int, *, is_short: bool) -> Any:
        """What a function is told: rows and whether that is all, or an error."""
        system = str(query["source"].get("tableName") or query["source"]["indexName"]).startswith("_")
        before = self.state()
        short = self.tx.short_query(query, batch) if is_short and not system else None
        if short is not None:
            self.shorts += 1
            self.reads.append((short, short.rows_read))
            return short.texts, True
        assert self.state() == before
        try:
            stream = self.tx.query(query, system=system)
            documents = await stream.next(batch)
        except (UserError, ConvexError) as error:
            return str(error)
        self.reads.append((stream, len(documents)))
        return [document.raw for document in documents], stream.done or not documents

    async def write(self, id: str, value: dict[str, Any]) -> Any:
        """Replaces a document."""
        try:
            return (await self.tx.replace(id, value)).raw
        except UserError as error:
            return str(error)

    async def go_on(self, at: int, batch: int) -> Any:
        """The next rows of an earlier query; none where all have been told."""
        stream, delivered = self.reads[at]
        if isinstance(stream, ShortRead):
            return []
        try:
            documents = await stream.next(batch)
        except UserError as error:
            return str(error)
        self.reads[at] = (stream, delivered + len(documents))
        return [document.raw for document in documents]

    def state(self) -> Any:
        reads = {index: list(found) for index, found in self.tx.read_set.by_index.items() if len(found)}
        return reads, self.tx.read_set.count, self.tx.metrics()


@settings(max_examples=60)
@given(st.data())
async def test_a_read_without_a_stream_is_what_it_is_with_one(data: st.DataObject) -> None:
    limits = data.draw(
        st.sampled_from(
            [Limits(), Limits(documents_read=3), Limits(bytes_read=200), Limits(database_queries=1)]
        )
    )
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory), limits=limits) as database:
            await create_items(database)
            ids = await insert(
                database,
                "items",
                *[fields_of(data.draw(row(n))) for n in range(data.draw(st.integers(0, 5)))],
            )
            streams, shorts = (Side(database.begin(writable=True, now_ms=1e12)) for _ in range(2))
            for _ in range(data.draw(st.integers(1, 5))):
                query, batch = data.draw(queries()), data.draw(st.integers(1, 6))
                expected = await streams.read(query, batch, is_short=False)
                assert await shorts.read(query, batch, is_short=True) == expected
                assert shorts.state() == streams.state()
                if ids and data.draw(st.booleans()):
                    id, changed = data.draw(st.sampled_from(ids)), fields_of(data.draw(row(0)))
                    assert await streams.write(id, changed) == await shorts.write(id, changed)
                if streams.reads and data.draw(st.booleans()):
                    at, batch = (
                        data.draw(st.integers(0, len(streams.reads) - 1)),
                        data.draw(st.integers(1, 6)),
                    )
                    assert await streams.go_on(at, batch) == await shorts.go_on(at, batch)
                    assert shorts.state() == streams.state()
                if streams.reads and data.draw(st.booleans()):
                    at = data.draw(st.integers(0, len(streams.reads) - 1))
                    (stream, delivered), (short, _) = streams.reads[at], shorts.reads[at]
                    kept = data.draw(st.integers(0, delivered))
                    for each in (stream, short):
                        each.unconsume(delivered - kept)
                    assert short.rows_read == stream.rows_read
                    assert shorts.state() == streams.state()


async def test_what_is_over_with_one_batch_needs_no_stream(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await create_items(database)
        await insert(database, "items", *({"a": float(n)} for n in range(5)))
        tx = database.begin()
        equal = index_range("by_a", [("Eq", "a", 3.0)], None, {"limit": 2})
        assert isinstance(tx.short_query(equal, 2), ShortRead)
        assert isinstance(tx.short_query(table_scan(), 6), ShortRead)
        assert isinstance(tx.short_query(table_scan("desc", {"limit": 5}), 5), ShortRead)
        assert tx.short_query(table_scan(), 5) is None  # there may be more
        found = tx.rows_at_once("items", "by_a", (("Eq", "a"),), [3.0], "asc", 2, 2)
        assert found is not None
        assert len(found) == 1
        assert tx.rows_at_once("items", "by_a", (("Eq", "a"),), ["\ud800"], "asc", 2, 2) is None


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_rows_that_were_not_used_are_given_back_once(tmp_path: Path, order: str) -> None:
    async with opened(tmp_path) as database:
        await create_items(database)
        await insert(database, "items", *({"a": float(n)} for n in range(5)))
        for kept in range(6):
            short, stream = database.begin(), database.begin()
            read, query = short.short_query(table_scan(order), 9), stream.query(table_scan(order))
            assert read is not None
            assert read.rows_read == len(await query.next(9)) == 5
            for _ in range(2):
                read.unconsume(5 - kept)
                query.unconsume(5 - kept)
                assert short.metrics() == stream.metrics()
                assert short.read_set == stream.read_set


@pytest.mark.parametrize(
    "query",
    [
        None,
        [],
        "x",
        {},
        {"source": None, "operators": []},
        {"source": {"type": "FullTableScan", "tableName": ["x"], "order": None}, "operators": []},
        {"source": {"type": "FullTableScan", "tableName": "items", "order": ""}, "operators": []},
        {"source": {"type": "FullTableScan", "tableName": "items"}, "operators": [{"limit": True}]},
        {"source": {"type": "FullTableScan", "tableName": "items"}, "operators": [{"limit": 1, "x": 1}]},
        {"source": {"type": "FullTableScan", "tableName": "items"}, "operators": [{"limit": -1}]},
        {"source": {"type": "FullTableScan", "tableName": "items"}, "operators": {"limit": 1}},
        {"source": {"type": "FullTableScan", "tableName": "items"}, "operators": [{"limit": 1}] * 300},
        {"source": {"type": "IndexRange", "indexName": "items.by_a", "range": "xx"}, "operators": []},
        {"source": {"type": "IndexRange", "indexName": "items.by_a", "range": [3]}, "operators": []},
        {"source": {"type": "IndexRange", "indexName": 7, "range": []}, "operators": []},
        {
            "source": {"type": "IndexRange", "indexName": "items.by_a", "range": [], "tableName": "_x"},
            "operators": [],
        },
        {
            "source": {
                "type": "IndexRange",
                "indexName": "items.by_a",
                "range": [{"type": "Eq", "fieldPath": [], "value": 1.0}],
            },
            "operators": [],
        },
        {
            "source": {
                "type": "IndexRange",
                "indexName": "items.by_a",
                "range": [{"type": "Eq", "fieldPath": "a", "value": {"$integer": "x"}}],
            },
            "operators": [],
        },
    ],
)
async def test_what_is_no_plain_query_is_left_to_the_general_form(tmp_path: Path, query: Any) -> None:
    async with opened(tmp_path) as database:
        await create_items(database)
        await insert(database, "items", {"a": 1.0})
        tx = database.begin()
        assert tx.short_query(query, 10) is None
        assert not tx.read_set.by_index


def test_a_plain_query_has_the_least_of_its_limits() -> None:
    asked = plain_query(table_scan("desc", {"limit": 3}, {"limit": 2}))
    assert asked == ("items", "by_creation_time", (), [], "desc", 2)
