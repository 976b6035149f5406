"""What an executor knows of the database: what it has been told, in any order, and what the file holds."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from database.executor_driver import ExecutorDriver
from database.stores import insert, opened, patch, scan_of
from parabola.database.database import Database
from parabola.database.store.tailed_reads import TailedReads
from parabola.executors import file_executor
from parabola.executors.file_executor import FileExecutor
from parabola.executors.own_transaction import OwnTransaction
from parabola.hosts.python.executions.executor import ExecutedRun, TransactionStart


def told(database: Database, known: tuple[int, int]) -> dict[str, Any]:
    """The message for an executor that knows this generation up to this commit."""
    tail = database.persistence.commit_tail
    assert tail is not None
    message = tail.since(*known, database.latest_ts)
    assert message is not None
    found: dict[str, Any] = orjson.loads(message[0])
    return found


def begun(executor: FileExecutor, database: Database, ts: int | None = None) -> OwnTransaction | None:
    start = database.begin().executor_start()
    assert start is not None
    run = ExecutedRun(id=1, kind="query", now=start.creation_time, snapshot_ts=start.ts if ts is None else ts)
    return executor.begin(run, TransactionStart(start.registry_ts, start.creation_time))


def numbers(own: OwnTransaction | None) -> list[float]:
    assert own is not None
    call = {"queryId": 1, "query": scan_of("t"), "batch": 100}
    served = own.serve([{"call": 1, "op": "1.0/queryStreamNext", "args": call}])
    assert served is not None
    own.close()
    answer = orjson.loads(orjson.dumps(served.replies))[0]["value"]
    return [row["n"] for row in answer["values"]]


async def test_what_is_told_of_commits_that_were_taken_back_may_come_late(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        own = driver.begin(database.begin())
        assert numbers(own) == [1.0]
        ts, generation = database.latest_ts + 5, driver._generation
        message = {"type": "commits", "after": database.latest_ts}
        driver.executor.take_commits({**message, "generation": generation + 1, "commits": []})
        # By the socket of another host:
        driver.executor.take_commits({**message, "generation": generation, "commits": [[ts, []]]})
        assert driver.executor.persistence is not None
        assert driver.executor.persistence.covered_ts < ts
        driver.close()


async def test_what_has_been_told_is_known_though_the_file_could_not_be_read_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as database:
        [id] = await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        assert numbers(driver.begin(database.begin())) == [1.0]
        await patch(database, id, {"n": 2.0})

        def fail(reads: TailedReads) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        executor = driver.executor
        message = told(database, (driver._generation, driver._covered))
        with monkeypatch.context() as broken:
            broken.setattr(TailedReads, "look_again", fail)
            executor.take_commits({**message, "after": database.latest_ts})
            executor.take_commits({**message, "after": database.latest_ts, "commits": []})
            assert begun(executor, database) is None
            executor._look()
        assert numbers(begun(executor, database)) == [2.0]
        driver.close()


async def test_nothing_is_read_at_a_time_that_is_not_known_yet(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        assert numbers(driver.begin(database.begin())) == [1.0]
        assert begun(driver.executor, database, database.latest_ts + 1) is None
        driver.close()


async def test_a_look_that_fails_leaves_no_view_of_unknown_age(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        file = database.persistence.file
        assert file is not None
        reads = TailedReads(file, 1 << 20)
        connection = reads._db

        class Failing:
            in_transaction = property(lambda self: connection.in_transaction)

            def execute(self, statement: str, *parameters: Any) -> Any:
                if statement.startswith("SELECT"):
                    raise sqlite3.OperationalError("disk I/O error")
                return connection.execute(statement, *parameters)

        reads._db = Failing()  # type: ignore[assignment]
        with pytest.raises(sqlite3.OperationalError):
            reads.look_again()
        reads._db = connection
        assert not reads.is_looking
        reads.close()


async def test_nothing_is_held_in_memory_that_the_file_holds_while_nobody_reads(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        [id] = await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        own = driver.begin(database.begin())
        await patch(database, id, {"n": 2.0})
        executor = driver.executor
        executor.take_commits(told(database, (driver._generation, driver._covered)))
        assert executor.persistence is not None
        assert executor.persistence.tail_length
        assert numbers(own) == [1.0]
        executor._look()
        assert not executor.persistence.tail_length
        assert not executor.persistence.tail_bytes
        driver.close()


async def test_large_documents_are_not_gathered_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_executor, "LARGEST_TAIL", 1000)
    async with opened(tmp_path) as database:
        [id] = await insert(database, "t", {"n": 1.0, "text": ""})
        driver = ExecutorDriver(database)
        own = driver.begin(database.begin())
        for n in range(20):
            await patch(database, id, {"n": float(n), "text": "x" * 300})
            driver.executor.take_commits(told(database, (driver._generation, driver._covered)))
            assert driver.executor.persistence is not None
            assert driver.executor.persistence.tail_bytes < 2000
        assert numbers(own) == [1.0]
        driver.close()
