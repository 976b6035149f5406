"""What is imported is found by searches, from the moment it is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parabola.backend import Backend
from services.archive_driver import insert, lines, opened, push_schema, run_import

TABLE = (
    '"t": define_table(v.any()).search_index("find", search_field="text")'
    '.vector_index("near", vector_field="vector", dimensions=2)'
)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        await push_schema(backend, TABLE)
        await insert(backend, "t", {"text": "hello old", "vector": [1.0, 0.0]})
        yield backend


async def found(backend: Backend, text: str) -> list[str]:
    filters = [{"type": "Search", "fieldPath": "text", "value": text}]
    source = {"type": "Search", "indexName": "t.find", "filters": filters}
    rows = await backend.database.begin().query({"source": source, "operators": []}).collect()
    return sorted(row.value["text"] for row in rows)


async def near(backend: Backend) -> int:
    query: dict[str, Any] = {"indexName": "t.near", "vector": [1.0, 0.0], "expressions": None}
    return len(await backend.database.begin().vector_search(query, in_transaction=True))


@pytest.mark.parametrize(
    ("mode", "texts"), [("append", ["hello new", "hello old"]), ("replace", ["hello new"])]
)
async def test_imported_rows_are_found(backend: Backend, mode: str, texts: list[str]) -> None:
    row = {"text": "hello new", "vector": [1, 0]}
    await run_import(backend, lines(row), "jsonLines", mode)
    assert await found(backend, "hello") == texts
    assert await near(backend) == len(texts)


async def test_a_live_search_hears_of_a_table_that_takes_the_place_of_its_own(backend: Backend) -> None:
    tx = backend.database.begin()
    filters = [{"type": "Search", "fieldPath": "text", "value": "hello"}]
    await tx.query(
        {"source": {"type": "Search", "indexName": "t.find", "filters": filters}, "operators": []}
    ).collect()
    told: list[int] = []
    backend.database.subscriptions.subscribe(tx.read_set, tx.begin_ts, told.append)
    await run_import(backend, lines({"text": "hello new"}), "jsonLines", "replace")
    assert len(told) == 1
