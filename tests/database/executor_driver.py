"""Executors in the process of a test, driven as a host is: told of commits, asked to begin, handed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import orjson

from parabola.database.database import Database
from parabola.database.transaction import Transaction
from parabola.database.transaction_state import TransactionState, absorb
from parabola.database.usage import Limits
from parabola.executors.file_executor import FileExecutor
from parabola.executors.own_transaction import OwnTransaction
from parabola.hosts.python.executor import ExecutedRun, TransactionStart


class ExecutorDriver:
    """One executor, and what it has heard of."""

    def __init__(self, database: Database) -> None:
        self._may_refuse = database.is_shared  # what it was to read may have been taken back by then
        file = database.persistence.file
        assert file is not None
        self.executor = FileExecutor(is_advised=True)
        self.executor.adopt({"file": str(file), "limits": msgspec.to_builtins(Limits())})
        self._generation = self._covered = -1

    def begin(self, tx: Transaction, component: str = "") -> OwnTransaction | None:
        """The same transaction there; None where only the database itself can run it now."""
        start = tx.executor_start()
        if start is None:
            return None
        told = start.tail.since(self._generation, self._covered, start.ts)
        if told is None:
            return None
        text, self._covered = told
        self._generation = start.tail.generation
        if text:
            self.executor.take_commits(orjson.loads(text))
        run = ExecutedRun(
            id=1,
            kind="mutation" if tx.writable else "query",
            now=start.creation_time,
            snapshot_ts=start.ts,
            component=component,
        )
        own = self.executor.begin(run, TransactionStart(start.registry_ts, start.creation_time))
        assert own is not None or self._may_refuse
        return own

    def close(self) -> None:
        self.executor.close()


@contextmanager
def executors_of(database: Database, number: int) -> Iterator[Sequence[ExecutorDriver]]:
    drivers = [ExecutorDriver(database) for _ in range(number)]
    try:
        yield drivers
    finally:
        for driver in drivers:
            driver.close()


def hand_over(own: OwnTransaction, tx: Transaction) -> None:
    """What has happened there becomes a part of `tx`, by way of a message."""
    state = orjson.loads(orjson.dumps(own.state()))
    own.close()
    absorb(tx, msgspec.convert(state, TransactionState))
