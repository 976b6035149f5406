"""Opening, upgrading and closing a database; its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from database.stores import collect, delete, insert, opened, patch, values
from parabola.database.model import system_tables
from parabola.database.model.indexes import prefix_interval
from parabola.database.model.system_tables import (
    INDEX_BY_TABLET,
    TABLES_BY_NAME,
    TABLES_BY_NUMBER,
    SystemTable,
)
from parabola.database.upkeep import bootstrap
from parabola.values.errors import BadRequest


async def test_a_new_database_describes_its_own_tables(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        tx = database.begin()
        rows = await tx.query_system(
            {"source": {"type": "FullTableScan", "tableName": "_tables", "order": None}, "operators": []}
        ).collect()
        assert {row.value["name"] for row in rows} == set(system_tables.SYSTEM_TABLES)
        registry = database.registry
        tables = registry.table("_tables")
        assert tables is not None
        by_name, by_number = registry.index(tables, "by_name"), registry.index(tables, "by_number")
        assert by_name is not None
        assert by_number is not None
        assert (by_name.index_id, by_number.index_id) == (TABLES_BY_NAME, TABLES_BY_NUMBER)
        [(_, row)] = await tx.scan(by_name, prefix_interval(["", "_modules"]))
        assert row.value["number"] == 521.0
        index = registry.table("_index")
        assert index is not None
        by_tablet = registry.index(index, "by_tablet")
        assert by_tablet is not None
        assert by_tablet.index_id == INDEX_BY_TABLET


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        [id] = await insert(database, "t", {"n": 1.0})
        ts = database.latest_ts
    for _ in range(2):
        async with opened(tmp_path) as database:
            assert database.latest_ts == database.durable_ts == ts
            document = await database.begin().get(id)
            assert document is not None
            assert document.ts == ts


async def test_system_tables_and_indexes_of_a_newer_version_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as database:
        tx = database.begin(writable=True)
        for name in ("B", "A"):
            await tx.insert_system("_auth", {"name": name})
        await database.commit(tx)
    newer = {
        **system_tables.SYSTEM_TABLES,
        "_auth": SystemTable(519, {"by_name": ("name",)}),
        "_novelty": SystemTable(999, {"by_x": ("x",)}),
    }
    monkeypatch.setattr(bootstrap, "SYSTEM_TABLES", newer)
    for _ in range(2):
        async with opened(tmp_path) as database:
            tx = database.begin(writable=True)
            source = {"type": "IndexRange", "indexName": "_auth.by_name", "range": [], "order": None}
            found = await tx.query_system({"source": source, "operators": []}).collect()
            assert [d.value["name"] for d in found] == ["A", "B"]
            table = database.registry.table("_novelty")
            assert table is not None
            assert table.number == 999
            index = database.registry.index(table, "by_x")
            assert index is not None
            assert index.is_enabled
            ts = database.latest_ts
    async with opened(tmp_path) as database:
        assert database.latest_ts == ts


async def test_the_log_tells_every_change_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {})
        after = database.durable_ts
        [a, b] = await insert(database, "t", {"n": 1.0}, {"n": 2.0})
        await patch(database, a, {"n": 3.0})
        await delete(database, b)
        log = await database.log_after(after, 100)
        assert log.exhausted
        assert sorted(entry.id for entry in log[:2]) == sorted([a, b])
        assert [(entry.id, entry.raw is None) for entry in log[2:]] == [(a, False), (b, True)]
        first = await database.log_after(after, 1)
        assert len(first) == 2
        assert not first.exhausted
        assert await database.log_after(log[-1].ts, 100) == []


async def test_counts_survive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        ids = await insert(database, "t", *({"n": float(n)} for n in range(5)))
        await delete(database, ids[0])
        old = database.begin()
        await insert(database, "t", {})
        tx = database.begin(writable=True)
        await tx.delete(ids[1])
        assert [await old.count("t"), await database.begin().count("t"), await tx.count("t")] == [4, 5, 4]
    async with opened(tmp_path) as database:
        assert await database.begin().count("t") == 5
        assert await database.begin().count("missing") == 0


async def test_a_hot_document_does_not_slow_the_scan_over_it(tmp_path: Path) -> None:
    """A row written often stays one live entry: the scan reads as many rows as there are documents."""
    async with opened(tmp_path) as database:
        ids = await insert(database, "t", *({"n": float(n)} for n in range(3)))
        for n in range(200):
            await patch(database, ids[1], {"n": float(n)})
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 1

        connection = database.persistence._db  # type: ignore[attr-defined]
        connection.set_progress_handler(count, 10)
        assert len(await collect(database.begin(), "t")) == 3
        connection.set_progress_handler(None, 0)
        assert steps < 50


async def test_a_read_only_transaction_cannot_be_used_to_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        with pytest.raises(BadRequest):
            await database.begin().insert_system("_auth", {})
        assert await values(database, "t") == []
