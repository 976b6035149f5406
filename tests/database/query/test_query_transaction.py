"""Queries on real transactions: stored and pending documents together, read sets, subscriptions, limits."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.query_model import (
    INDEXES,
    MemoryReader,
    index_range,
    naive_query,
    operators,
    orders,
    row,
    table_scan,
)
from database.stores import insert, opened
from parabola.database.database import Database
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval
from parabola.database.query.cursors import CursorCodec
from parabola.database.transaction import Transaction
from parabola.database.usage import Limits
from parabola.values.errors import PaginationLimit

CODEC = CursorCodec("instance", b"secret" * 5)


async def create_items(database: Database) -> None:
    """The table `items` with the indexes of the model."""
    tx = database.begin(writable=True)
    table = tx.create_table("items")
    for name, index in INDEXES.items():
        if not name.startswith("by_id") and name != "by_creation_time":
            tx.create_index(Index(database.new_id(), table.tablet_id, name, index.fields))
    await database.commit(tx)


def index_of(tx: Transaction, name: str) -> Index:
    found = tx.find_index("items", name)
    assert found is not None
    return found[1]


def fields_of(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if not name.startswith("_")}


@st.composite
def comparisons(draw: st.DrawFn, name: str) -> list[tuple[str, str, Any]]:
    """A range on the first declared field of an index, if it has one."""
    field = INDEXES[name].fields[0] if INDEXES[name].fields else ""
    if field in ("", "_creationTime") or draw(st.booleans()):
        return []
    value = draw(row(0)).get(field.split(".")[0])
    kinds = draw(st.sampled_from([("Eq",), ("Gt",), ("Lte",), ("Gte", "Lt")]))
    return [(kind, field, value) for kind in kinds]


async def write_at_random(data: st.DataObject, tx: Transaction, model: dict[str, dict[str, Any]]) -> None:
    """One insert, replacement or deletion, in the transaction and in the model."""
    action = data.draw(st.sampled_from(["insert", "insert", "replace", "delete"]))
    if action == "insert" or not model:
        id = await tx.insert("items", fields_of(data.draw(row(0))))
        document = await tx.get(id)
        assert document is not None
        model[id] = document.value
        return
    id = list(model)[data.draw(st.integers(0, len(model) - 1))]
    if action == "delete":
        await tx.delete(id)
        del model[id]
    else:
        model[id] = (await tx.replace(id, fields_of(data.draw(row(0))))).value


@settings(max_examples=25)
@given(st.data())
async def test_a_transaction_sees_stored_and_pending_documents_as_one(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as database:
            await create_items(database)
            model: dict[str, dict[str, Any]] = {}
            tx = database.begin(writable=True)
            for _ in range(data.draw(st.integers(0, 8))):
                await write_at_random(data, tx, model)
            await database.commit(tx)
            tx = database.begin(writable=True)
            for _ in range(data.draw(st.integers(0, 5))):
                await write_at_random(data, tx, model)
                name = data.draw(st.sampled_from(sorted(INDEXES)))
                bounds, order, chain = data.draw(comparisons(name)), data.draw(orders), data.draw(operators)
                sizes = itertools.cycle(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
                stream = tx.query(index_range(name, bounds, order, *chain))
                found: list[str] = []
                while batch := await stream.next(next(sizes)):
                    found += [document.id for document in batch]
                expected = naive_query(model.values(), INDEXES[name].fields, bounds, order, chain)
                assert found == [document["_id"] for document in expected]


@settings(max_examples=25)
@given(st.data())
async def test_a_subscription_is_told_exactly_when_a_key_it_read_is_written(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as database:
            await create_items(database)
            model: dict[str, dict[str, Any]] = {}
            for _ in range(data.draw(st.integers(1, 6))):
                tx = database.begin(writable=True)
                await write_at_random(data, tx, model)
                await database.commit(tx)
                name = data.draw(st.sampled_from(sorted(INDEXES)))
                query = index_range(name, data.draw(comparisons(name)), data.draw(orders))
                reader = database.begin()
                await reader.query(query).next(data.draw(st.integers(1, 3)))
                told: list[int] = []
                database.subscriptions.subscribe(reader.read_set, reader.begin_ts, told.append)
                before = dict(model)
                tx = database.begin(writable=True)
                await write_at_random(data, tx, model)
                ts = await database.commit(tx)
                index_id = index_of(tx, name).index_id
                written = [
                    INDEXES[name].key(document)
                    for id in before.keys() | model.keys()
                    if before.get(id) is not model.get(id)
                    for document in (before.get(id), model.get(id))
                    if document is not None
                ]
                touched = ts != reader.begin_ts and any(
                    reader.read_set.contains(index_id, k) for k in written
                )
                assert told == ([ts] if touched else [])


async def test_creating_the_table_a_query_found_missing_is_a_change(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        reader = database.begin()
        assert await reader.query(table_scan()).collect() == []
        told: list[int] = []
        database.subscriptions.subscribe(reader.read_set, reader.begin_ts, told.append)
        await insert(database, "others", {})
        assert told == []
        await insert(database, "items", {})
        assert len(told) == 1


async def test_rows_given_back_are_neither_counted_nor_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "items", *({"n": float(n)} for n in range(20)))
        tx = database.begin()
        stream = tx.query(table_scan())
        documents = await stream.next(20)
        stream.unconsume(15)
        assert tx.metrics()["documentsRead"]["used"] == 5
        assert tx.metrics()["bytesRead"]["used"] == sum(document.size for document in documents[:5])
        index = index_of(tx, "by_creation_time")
        assert list(tx.read_set.by_index[index.index_id]) == [
            Interval.everything().through(index.key(documents[4].value))
        ]


async def test_the_limit_of_documents_ends_a_page_and_stops_a_stream(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=Limits(documents_read=7)) as database:
        await insert(database, "items", *({"n": float(n)} for n in range(20)))
        tx = database.begin()
        page = await tx.paginate(table_scan(), cursor=None, page_size=20, cursor_codec=CODEC)
        assert (len(page.page), page.page_status) == (7, "SplitRequired")
        tx = database.begin()
        stream = tx.query(table_scan())
        assert len(await stream.next(20)) == 7
        with pytest.raises(PaginationLimit, match=r"^Too many documents read in a single function execution"):
            await stream.next(20)


def test_the_model_offers_what_a_transaction_offers() -> None:
    """The fake of the evaluator's own tests has no method that transactions lack."""
    for name in ("find_index", "scan", "open_read", "close_read", "count_document", "uncount_documents"):
        assert callable(getattr(Transaction, name))
        assert callable(getattr(MemoryReader, name))
