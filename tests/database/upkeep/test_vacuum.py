"""Old history goes, and reads that would need it are refused rather than wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from database.stores import Clock, collect, create_index, delete, insert, opened, patch, range_of, values
from parabola.database.database import Database
from parabola.database.model.intervals import Interval
from parabola.database.upkeep.vacuum import Retention
from parabola.values.errors import OutOfRetention

RETENTION = Retention(indexes=100.0, documents=1000.0, interval=3600.0)


def rows(database: Database, table: str) -> int:
    count = database.persistence._db.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[attr-defined]
    return int(count[0])


async def test_a_snapshot_within_retention_stays_what_it_was(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        [id] = await insert(database, "t", {"n": 0.0})
        ts = database.durable_ts
        for n in range(5):
            clock.advance(10)
            await patch(database, id, {"n": float(n + 1)})
        await database.vacuum()
        [document] = await collect(database.begin(ts=ts), "t")
        assert document.value["n"] == 0.0


async def test_a_snapshot_out_of_retention_is_refused_and_its_history_gone(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        [id] = await insert(database, "t", {"n": 0.0})
        await create_index(database, "t", "by_n", "n")
        ts = database.durable_ts
        begun = database.begin(ts=ts)
        for n in range(5):
            clock.advance(100)
            await patch(database, id, {"n": float(n + 1)})
        assert rows(database, "removed_entry") == 5
        await database.vacuum()
        assert rows(database, "removed_entry") == 1
        with pytest.raises(OutOfRetention):
            database.begin(ts=ts)
        for read in (begun.get(id), collect(begun, "t")):
            with pytest.raises(OutOfRetention):
                await read
        assert await values(database, "t") == [{"n": 5.0}]


async def test_a_row_that_is_written_for_ever_takes_bounded_room(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=Retention(interval=3600.0)) as database:
        [id] = await insert(database, "t", {"n": 0.0})
        for hour in range(3):
            for n in range(12):
                clock.advance(300)
                await patch(database, id, {"n": hour * 100.0 + n})
            await database.vacuum()
        assert rows(database, "superseded") == 12
        assert rows(database, "newest") == 1
        assert rows(database, "removed_entry") == 0


async def test_documents_and_the_log_are_kept_longer(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        [id, gone] = await insert(database, "t", {"n": 0.0}, {"n": -1.0})
        ts = database.durable_ts
        table = database.registry.table("t")
        assert table is not None
        clock.advance(300)
        await patch(database, id, {"n": 1.0})
        await delete(database, gone)
        clock.advance(300)
        await insert(database, "t", {"n": 2.0})
        await database.vacuum()
        found = await database.documents_at(table.tablet_id, Interval.everything(), ts, 10)
        assert sorted(revision.value["n"] for _, revision in found) == [-1.0, 0.0]
        log = await database.log_after(ts, 100)
        assert [(entry.id, entry.raw is None) for entry in log][:2] == [(id, False), (gone, True)]
        assert len(log) == 3
        clock.advance(2000)
        await insert(database, "t", {"n": 3.0})
        await database.vacuum()
        for read in (
            database.log_after(ts, 1),
            database.documents_at(table.tablet_id, Interval.everything(), ts, 1),
        ):
            with pytest.raises(OutOfRetention):
                await read
        assert rows(database, "superseded") == 0
        assert len(await values(database, "t")) == 3
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        with pytest.raises(OutOfRetention):
            await database.log_after(ts, 1)
        assert sorted(d["n"] for d in await values(database, "t")) == [1.0, 2.0, 3.0]


async def test_history_that_somebody_reads_is_kept(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        [id, gone] = await insert(database, "t", {"n": 0.0}, {"n": -1.0})
        table = database.registry.table("t")
        assert table is not None
        ts = database.durable_ts

        async def read() -> list[float]:
            found = await database.documents_at(table.tablet_id, Interval.everything(), ts, 10)
            return sorted(revision.value["n"] for _, revision in found)

        with database.keep_history(ts):
            await patch(database, id, {"n": 1.0})
            await delete(database, gone)
            tx = database.begin(writable=True)
            await tx.delete_table(table)
            await database.commit(tx)
            for _ in range(3):
                clock.advance(5000)
                await insert(database, "another", {"n": 2.0})
                await database.vacuum()
            assert await read() == [-1.0, 0.0]
        await database.vacuum()
        with pytest.raises(OutOfRetention):
            await read()


async def test_a_dropped_index_is_removed_once_no_snapshot_can_use_it(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        await insert(database, "t", *({"n": float(n)} for n in range(10)))
        index = await create_index(database, "t", "by_n", "n")
        entries = rows(database, "entry")
        ts = database.durable_ts
        tx = database.begin(writable=True)
        await tx.delete_system(index.document_id)
        await database.commit(tx)
        clock.advance(50)
        await database.vacuum()
        assert len(await collect(database.begin(ts=ts), range_of("t.by_n"))) == 10
        clock.advance(100)
        await insert(database, "t", {"n": 10.0})
        await database.vacuum()
        # Gone: 10 entries of the index and 4 of the row of `_index`; new: the document's 2 entries.
        assert rows(database, "entry") == entries - 10 - 3 + 2


async def test_the_history_before_a_start_is_not_read_as_if_it_were_known(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        await insert(database, "t", {"n": 1.0})
        ts = database.durable_ts
        await insert(database, "t", {"n": 2.0})
    async with opened(tmp_path, clock=clock, retention=RETENTION) as database:
        with pytest.raises(OutOfRetention):
            database.begin(ts=ts)
        assert len(await values(database, "t")) == 2


async def test_a_timestamp_to_come_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        with pytest.raises(OutOfRetention, match="in the future"):
            database.begin(ts=database.latest_ts + 1)
