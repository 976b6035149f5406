"""Scans that mix what is stored with what is pending, in chunks; and what a look-up depends on."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stores import collect, create_index, insert, opened, patch, scan_of
from parabola.database.database import Database
from parabola.database.model.intervals import Interval
from parabola.database.store import sqlite_reads
from parabola.values.ids import encode_id
from parabola.values.ordering import encode_key


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


changes = st.lists(st.tuples(st.sampled_from("+-~"), st.integers(0, 12)), max_size=12)


@given(
    st.lists(st.integers(0, 12), max_size=10),
    changes,
    st.integers(1, 4),
    st.sampled_from(["asc", "desc"]),
    st.tuples(st.integers(0, 12), st.integers(0, 13)),
    st.booleans(),
)
@settings(max_examples=80)
async def test_chunks_of_a_scan_are_the_stored_and_pending_documents_in_order(
    stored: list[int],
    changes: list[tuple[str, int]],
    limit: int,
    order: Literal["asc", "desc"],
    bounds: tuple[int, int],
    large: bool,
) -> None:
    before = sqlite_reads.CHUNK_BYTES
    sqlite_reads.CHUNK_BYTES = 1 if large else before  # type: ignore[misc]
    try:
        with tempfile.TemporaryDirectory() as directory:
            async with opened(Path(directory)) as database:
                ids = await insert(database, "t", *({"n": float(n)} for n in stored))
                index = await create_index(database, "t", "by_n", "n")
                state = dict(zip(ids, map(float, stored), strict=True))
                tx = database.begin(writable=True)
                for kind, number in changes:
                    chosen = sorted(state)[number % len(state)] if state else None
                    if kind == "+":
                        state[await tx.insert("t", {"n": float(number)})] = float(number)
                    elif chosen is not None and kind == "-":
                        await tx.delete(chosen)
                        del state[chosen]
                    elif chosen is not None:
                        await tx.patch(chosen, {"n": float(number)})
                        state[chosen] = float(number)
                interval = Interval(encode_key([float(bounds[0])]), encode_key([float(bounds[1])]))
                found: list[float] = []
                rest = interval
                while True:
                    rows = await tx.scan(index, rest, order, limit)
                    assert len(rows) <= limit
                    found += [document.value["n"] for _, document in rows]
                    if rows.exhausted:
                        break
                    assert rows
                    last = rows[-1][0]
                    rest = rest.after(last) if order == "asc" else rest.before(last)
                expected = sorted(n for n in state.values() if bounds[0] <= n < bounds[1])
                assert found == (expected if order == "asc" else expected[::-1])
    finally:
        sqlite_reads.CHUNK_BYTES = before  # type: ignore[misc]


# What a look-up depends on


async def reruns(database: Database, tx: Any) -> list[int]:
    hit: list[int] = []
    database.subscriptions.subscribe(tx.read_set, tx.begin_ts, hit.append)
    return hit


async def test_a_missing_table_is_a_dependency_on_its_name(database: Database) -> None:
    tx = database.begin()
    assert await collect(tx, "t") == []
    assert await tx.count("t") == 0
    assert tx.normalize_id("t", "x") is None
    hit = await reruns(database, tx)
    await insert(database, "other", {})
    assert hit == []
    await insert(database, "t", {})
    assert len(hit) == 1


async def test_an_unknown_id_is_a_dependency_on_its_number(database: Database) -> None:
    tx = database.begin()
    assert await tx.get(encode_id(10002, bytes(16))) is None
    hit = await reruns(database, tx)
    await insert(database, "first", {})
    assert hit == []
    await insert(database, "second", {})
    assert len(hit) == 1


async def test_a_get_is_a_dependency_on_one_document(database: Database) -> None:
    a, b = await insert(database, "t", {}, {})
    tx = database.begin()
    await tx.get(a)
    hit = await reruns(database, tx)
    await patch(database, b, {"x": 1.0})
    await insert(database, "t", {})
    assert hit == []
    await patch(database, a, {"x": 1.0})
    assert len(hit) == 1


async def test_a_count_is_a_dependency_on_the_whole_table(database: Database) -> None:
    [a] = await insert(database, "t", {})
    tx = database.begin()
    assert await tx.count("t") == 1
    hit = await reruns(database, tx)
    await insert(database, "u", {})
    assert hit == []
    await patch(database, a, {"x": 1.0})
    assert len(hit) == 1


async def test_a_scan_may_be_used_with_writes_in_between(database: Database) -> None:
    await insert(database, "t", *({"n": float(n)} for n in range(4)))
    tx = database.begin(writable=True)
    stream = tx.query(scan_of("t"))
    first = await stream.next(1)
    await tx.insert("u", {})
    await tx.delete(first[0].id)
    assert [d.value["n"] for d in await collect(tx, "t")] == [1.0, 2.0, 3.0]
    assert [d.value["n"] for d in await stream.next(9)] == [1.0, 2.0, 3.0]


async def test_a_look_up_finds_what_a_query_by_equality_finds(database: Database) -> None:
    def query(session: str, request: float) -> dict[str, Any]:
        bounds = [("sessionId", session), ("requestId", request)]
        return {
            "source": {
                "type": "IndexRange",
                "indexName": "_session_requests.by_session",
                "range": [{"type": "Eq", "fieldPath": path, "value": value} for path, value in bounds],
                "order": "asc",
            },
            "operators": [],
        }

    tx = database.begin(writable=True)
    for session, request in (("a", 1.0), ("a", 2.0), ("b", 1.0)):
        row = {"sessionId": session, "requestId": request, "result": "null", "logLines": "[]"}
        await tx.insert_system("_session_requests", row)
    await database.commit(tx, source="test")
    for session, request in (("a", 2.0), ("b", 2.0), ("c", 1.0)):
        asked, looked_up = database.begin(), database.begin()
        expected = await asked.query_system(query(session, request)).collect()
        found = await looked_up.find_system("_session_requests", "by_session", session, request)
        assert [None if found is None else found.id] == ([document.id for document in expected] or [None])
        assert looked_up.read_set == asked.read_set
