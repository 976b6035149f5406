"""Executors in the process of a test, driven as a host is: told of commits, asked to begin, handed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

import msgspec
import orjson

from parabola.database.commits.chain import NO_LINKS, Link, Links
from parabola.database.database import Database, ExecutorStart
from parabola.database.transaction import Transaction
from parabola.database.transaction_state import TransactionState, absorb
from parabola.database.usage import Limits
from parabola.executors.file_executor import FileExecutor
from parabola.executors.own_transaction import OwnTransaction
from parabola.hosts.python.executions.chain_line import ChainLine
from parabola.hosts.python.executions.executor import ExecutedRun, TransactionStart


class ExecutorDriver:
    """One executor, and what it has heard of."""

    def __init__(self, database: Database) -> None:
        self._may_refuse = database.is_shared  # what it was to read may have been taken back by then
        file = database.persistence.file
        assert file is not None
        self.executor = FileExecutor(is_advised=True)
        self.executor.adopt({"file": str(file), "limits": msgspec.to_builtins(Limits())})
        self._generation = self._covered = -1
        self._ids = 0
        self._chain = Links()
        self._line: ChainLine[asyncio.Future[None]] = ChainLine()

    def begin(self, tx: Transaction, component: str = "") -> OwnTransaction | None:
        """The same transaction there; None where only the database itself can run it now."""
        start = self._told(tx)
        if start is None:
            return None
        return self._begin(
            self._next_run(tx, start, component), TransactionStart(start.registry_ts, start.creation_time)
        )

    @asynccontextmanager
    async def chained(
        self, tx: Transaction, link: Link
    ) -> AsyncIterator[tuple[OwnTransaction | None, Mapping[int, Link]]]:
        """The same of one that is built upon those that came before it, when it may begin; also these."""
        told = self._told(tx)
        if told is None:
            yield None, NO_LINKS
            return
        run = self._next_run(tx, told)
        after, settled, lost, links = self._chain.join(run.id, link, told.ts)
        start = TransactionStart(told.registry_ts, told.creation_time, after, settled, lost)
        begins: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        may_begin = self._line.enter(run.id, after, begins)
        self.executor.chained(run, start, self._line.oldest(run.id))
        try:
            if not may_begin:
                await begins
            yield self._begin(run, start), links
        finally:
            for each in self._line.left(run.id):
                if not each.done():  # it may have been given up
                    each.set_result(None)

    def _told(self, tx: Transaction) -> ExecutorStart | None:
        """The executor hears of the commits that a transaction may read; None where it cannot yet."""
        start = tx.executor_start()
        told = None if start is None else start.tail.since(self._generation, self._covered, start.ts)
        if start is None or told is None:
            return None
        text, self._covered = told
        self._generation = start.tail.generation
        if text:
            self.executor.take_commits(orjson.loads(text))
        return start

    def _next_run(self, tx: Transaction, start: ExecutorStart, component: str = "") -> ExecutedRun:
        self._ids += 1
        return ExecutedRun(
            id=self._ids,
            kind="mutation" if tx.writable else "query",
            now=start.creation_time,
            snapshot_ts=start.ts,
            component=component,
        )

    def _begin(self, run: ExecutedRun, start: TransactionStart) -> OwnTransaction | None:
        own = self.executor.begin(run, start)
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


def hand_over(own: OwnTransaction, tx: Transaction, links: Mapping[int, Link] = NO_LINKS) -> None:
    """What has happened there becomes a part of `tx`, by way of a message."""
    state = orjson.loads(orjson.dumps(own.state()))
    own.close()
    absorb(tx, msgspec.convert(state, TransactionState), links)
