"""Executors in the process of a test, driven as a host is: told of commits, asked to begin, handed over."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import msgspec
import orjson

from parabola.database.commits.chain import Link
from parabola.database.database import Database
from parabola.database.transaction import Transaction
from parabola.database.transaction_state import NO_LINKS, TransactionState, absorb
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
        self._ids = 0
        self.chain: dict[int, Link] = {}
        """Of those whose writes may be read before they are known."""
        self.links: dict[int, Link] = {}
        self.places: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Each is held while one of a chain runs there, as a host runs one after the other."""

    def begin(
        self, tx: Transaction, component: str = "", *, link: Link | None = None
    ) -> OwnTransaction | None:
        """The same transaction there; None where only the database itself can run it now. With a `link` it is
        built upon those that were begun so before.
        """
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
        self._ids += 1
        if link is not None:
            settled = [id for id, each in self.chain.items() if each.is_known_at(start.ts)]
            self.chain = {id: each for id, each in self.chain.items() if id not in settled}
            self.executor.settled(settled, set())
            after = [id for id, each in self.chain.items() if not link.places.isdisjoint(each.places)]
            self.links = {**self.links, self._ids: link}
            self.chain[self._ids] = link
        run = ExecutedRun(
            id=self._ids,
            kind="mutation" if tx.writable else "query",
            now=start.creation_time,
            snapshot_ts=start.ts,
            component=component,
        )
        own = self.executor.begin(run, TransactionStart(start.registry_ts, start.creation_time, after))
        assert own is not None or self._may_refuse
        return own

    def close(self) -> None:
        self.executor.close()

    @asynccontextmanager
    async def after_others(self, link: Link) -> AsyncIterator[None]:
        """When nobody is under way who wants one of the same places."""
        async with AsyncExitStack() as held:
            for place in sorted(link.places, key=str):
                await held.enter_async_context(self.places[place])
            yield


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
