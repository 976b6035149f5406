"""Executors in the process of a test, driven as a host is: told of commits, asked to begin, handed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

import msgspec
import orjson

from parabola.database.commits.chain import Link
from parabola.database.database import Database
from parabola.database.transaction import Transaction
from parabola.database.transaction_state import NO_LINKS, TransactionState, absorb
from parabola.database.usage import Limits
from parabola.executors.file_executor import FileExecutor
from parabola.executors.own_transaction import OwnTransaction
from parabola.hosts.python.chain_line import ChainLine
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
        self._ids = 0
        self._chain: dict[int, Link] = {}
        """Of those whose writes may be read before they are known."""
        self._line: ChainLine[asyncio.Future[None]] = ChainLine()

    def begin(self, tx: Transaction, component: str = "") -> OwnTransaction | None:
        """The same transaction there; None where only the database itself can run it now."""
        told = self._told(tx, component)
        return None if told is None else self._begin(*told)

    @asynccontextmanager
    async def chained(
        self, tx: Transaction, link: Link
    ) -> AsyncIterator[tuple[OwnTransaction | None, Mapping[int, Link]]]:
        """The same of one that is built upon those that came before it, when it may begin; also these."""
        told = self._told(tx, "", link)
        if told is None:
            yield None, NO_LINKS
            return
        run, start = told
        links = {id: each for id, each in self._chain.items() if id != run.id}
        assert start.after is not None
        begins: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        may_begin = self._line.enter(run.id, start.after, begins)
        self.executor.chained(run, start, self._line.oldest(run.id))
        try:
            if not may_begin:
                await begins
            yield self._begin(run, start), links
        finally:
            for each in self._line.left(run.id):
                each.set_result(None)

    def _told(
        self, tx: Transaction, component: str, link: Link | None = None
    ) -> tuple[ExecutedRun, TransactionStart] | None:
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
        after: list[int] | None = None
        settled: list[int] = []
        lost: list[int] = []
        self._ids += 1
        if link is not None:
            for id in [id for id, each in self._chain.items() if each.is_known_at(start.ts)]:
                (settled if self._chain.pop(id).ts is not None else lost).append(id)
            after = [id for id, each in self._chain.items() if not link.places.isdisjoint(each.places)]
            self._chain[self._ids] = link
        run = ExecutedRun(
            id=self._ids,
            kind="mutation" if tx.writable else "query",
            now=start.creation_time,
            snapshot_ts=start.ts,
            component=component,
        )
        return run, TransactionStart(start.registry_ts, start.creation_time, after, settled, lost)

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
