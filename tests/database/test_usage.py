"""Limits of a transaction: texts, what counts, tightening for nested calls, warnings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from database.stores import collect, insert, opened, patch, range_of, scan_of, take
from parabola.database.database import Database
from parabola.database.usage import Limits, Usage
from parabola.values.errors import BadRequest, PaginationLimit
from parabola.values.ids import encode_id

ADVICE = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a "
    "selective index range expressions."
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


def limited(database: Database, **limits: int) -> Any:
    database.limits = Limits(**limits)
    return database.begin(writable=True)


# The texts


@pytest.mark.parametrize(
    ("limits", "code", "text"),
    [
        (
            {"documents_read": 2},
            "TooManyDocumentsRead",
            f"Too many documents read in a single function execution (limit: 2). {ADVICE}",
        ),
        (
            {"bytes_read": 200},
            "TooManyBytesRead",
            f"Too many bytes read in a single function execution (limit: 200 bytes). {ADVICE}",
        ),
    ],
)
async def test_reading_too_much(database: Database, limits: dict[str, int], code: str, text: str) -> None:
    ids = await insert(database, "t", *({"n": float(n)} for n in range(4)))

    async def get_all(tx: Any) -> None:
        for id in ids:
            await tx.get(id)

    for read in (get_all, lambda tx: tx.query(scan_of("t")).collect()):
        with pytest.raises(PaginationLimit) as refused:
            await read(limited(database, **limits))
        assert (refused.value.code, refused.value.message) == (code, text)
        assert refused.value.status == 400


async def test_too_many_intervals(database: Database) -> None:
    await insert(database, "t", {})
    tx = limited(database, database_queries=3)
    ids = [encode_id(10001, bytes([n]) * 16) for n in range(4)]
    for id in ids[:3]:
        assert await tx.get(id) is None
    assert await tx.get(ids[0]) is None  # the same interval again
    with pytest.raises(PaginationLimit) as refused:
        await tx.get(ids[3])
    assert refused.value.message == f"Too many reads in a single function execution (limit: 3). {ADVICE}"


async def test_writing_too_much(database: Database) -> None:
    await insert(database, "t", {})
    tx = limited(database, documents_written=2)
    await tx.insert("t", {})
    await tx.insert("t", {})
    with pytest.raises(PaginationLimit) as refused:
        await tx.insert("t", {})
    assert refused.value.message == "Too many writes in a single function execution (limit: 2)"
    tx = limited(database, bytes_written=300)
    with pytest.raises(PaginationLimit) as refused:
        await tx.insert("t", {"text": "x" * 300})
    assert refused.value.message == (
        "Too many bytes written in a single function execution (limit: 300 bytes)"
    )


def test_scheduling_too_much() -> None:
    usage = Usage(Limits(functions_scheduled=1, scheduled_function_args_bytes=100))
    usage.count_scheduled(50)
    with pytest.raises(PaginationLimit) as refused:
        usage.count_scheduled(1)
    assert refused.value.message == "Too many functions scheduled by this mutation (limit: 1)"
    usage = Usage(Limits(scheduled_function_args_bytes=100))
    with pytest.raises(PaginationLimit) as refused:
        usage.count_scheduled(101)
    assert refused.value.message == (
        "Too large total size of the arguments of scheduled functions from this mutation (limit: 100 bytes)"
    )


def test_the_standard_limits() -> None:
    assert Limits() == Limits(
        documents_read=32_000,
        bytes_read=16_777_216,
        database_queries=4096,
        documents_written=16_000,
        bytes_written=16_777_216,
        functions_scheduled=1000,
        scheduled_function_args_bytes=16_777_216,
        system_documents_written=40_000,
        system_bytes_written=134_217_728,
    )


# What counts


async def metrics(tx: Any) -> dict[str, float]:
    return {name: amount["used"] for name, amount in tx.metrics().items() if amount["used"]}


async def test_a_get_counts_one_document_its_bytes_and_one_interval(database: Database) -> None:
    [id] = await insert(database, "t", {"n": 1.0})
    tx = database.begin()
    document = await tx.get(id)
    assert document
    assert await metrics(tx) == {"documentsRead": 1, "bytesRead": document.size, "databaseQueries": 1}


async def test_every_call_of_a_write_counts_and_a_deletion_counts_no_bytes(database: Database) -> None:
    await insert(database, "t", {})
    tx = database.begin(writable=True)
    id = await tx.insert("t", {"n": 1.0})
    size = (await tx.patch(id, {"n": 2.0})).size
    await tx.patch(id, {"n": 2.0})  # without effect
    await tx.delete(id)
    found = tx.metrics()
    assert found["documentsWritten"]["used"] == 3
    assert found["bytesWritten"]["used"] == 2 * size


async def test_system_documents_do_not_count(database: Database) -> None:
    tx = database.begin(writable=True)
    id = await tx.insert_system("_environment_variables", {"name": "A", "value": "b"})
    await tx.get_system(id)
    await tx.query_system(scan_of("_environment_variables")).collect()
    assert await metrics(tx) == {}
    tx = limited(database, system_documents_written=1)
    await tx.insert_system("_environment_variables", {"name": "A", "value": "b"})
    with pytest.raises(PaginationLimit, match="system documents"):
        await tx.insert_system("_environment_variables", {"name": "B", "value": "b"})


async def test_a_scan_counts_what_is_consumed(database: Database) -> None:
    await insert(database, "t", *({"n": float(n)} for n in range(5)))
    tx = database.begin()
    await collect(tx, take(scan_of("t"), 2))
    assert tx.metrics()["documentsRead"]["used"] == 2
    await collect(tx, range_of("t.by_creation_time"))
    assert tx.metrics()["documentsRead"]["used"] == 7


# Tightening


async def test_nested_limits_only_tighten_and_end_with_the_call(database: Database) -> None:
    ids = await insert(database, "t", *({"n": float(n)} for n in range(6)))
    tx = limited(database, documents_read=5)
    await tx.get(ids[0])
    with tx.usage.tightened({"documentsRead": 2}):
        assert tx.metrics()["documentsRead"] == {"used": 1, "remaining": 2}
        with tx.usage.tightened({"documentsRead": 100}):
            assert tx.metrics()["documentsRead"]["remaining"] == 2
        await tx.get(ids[1])
        await tx.get(ids[2])
        with pytest.raises(PaginationLimit, match="limit: 3"):
            await tx.get(ids[3])
    assert tx.metrics()["documentsRead"] == {"used": 4, "remaining": 1}


def test_unknown_and_senseless_limits_are_refused() -> None:
    usage = Usage(Limits())
    for bad in ({"documents": 1}, {"bytesRead": -1}, {"bytesRead": "5"}, {"bytesRead": True}):
        with pytest.raises(BadRequest), usage.tightened(bad):
            pass
    with usage.tightened({"bytesRead": float("inf")}), usage.tightened(None):
        assert usage.limits == Limits()


def test_metrics_have_the_public_names() -> None:
    assert sorted(Usage(Limits()).metrics()) == [
        "bytesRead",
        "bytesWritten",
        "databaseQueries",
        "documentsRead",
        "documentsWritten",
        "fileReadBytes",
        "fileWriteBytes",
        "filesRead",
        "filesWritten",
        "functionsScheduled",
        "scheduledFunctionArgsBytes",
    ]


# Warnings


async def test_above_four_fifths_of_a_limit_a_warning_says_so(database: Database) -> None:
    ids = await insert(database, "t", *({"n": float(n)} for n in range(5)))
    tx = limited(database, documents_read=5, documents_written=5)
    for id in ids[:4]:
        await tx.get(id)
    assert tx.warnings() == []
    await tx.get(ids[4])
    assert tx.warnings() == [
        (
            f"Many documents read in a single function execution (actual: 5, limit: 5). {ADVICE}",
            "TooManyDocumentsRead",
        )
    ]


async def test_writes_of_one_transaction_do_not_count_for_the_next(database: Database) -> None:
    [id] = await insert(database, "t", {})
    await patch(database, id, {"n": 1.0})
    assert await metrics(database.begin(writable=True)) == {}
