"""Databases that share a log in memory, and what may happen to one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from database.stores import QUIET
from parabola.database.database import Database
from parabola.database.shared_log.log import Appended, SharedLog
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer, Network
from parabola.database.store.memory import MemoryPersistence
from parabola.database.store.persistence import Persistence

__all__ = ["HeldLog", "joined", "joined_to", "shared"]


class HeldLog(MemoryLog):
    """A log whose appends a test can hold up: `hold` is waited for before each."""

    def __init__(self, server: MemoryLogServer, node: str, network: Network | None = None) -> None:
        super().__init__(server, node, network)
        self.may_append = asyncio.Event()
        self.may_append.set()
        self.appending = asyncio.Event()

    def hold(self) -> None:
        self.may_append.clear()
        self.appending.clear()

    def let_go(self) -> None:
        self.may_append.set()

    async def append(self, *arguments: Any) -> Appended:
        self.appending.set()
        await self.may_append.wait()
        return await super().append(*arguments)


async def joined(
    server: MemoryLogServer,
    name: str,
    *,
    store: Persistence | None = None,
    network: Network | None = None,
    clock: Callable[[], int] | None = None,
) -> tuple[Database, HeldLog]:
    """A node of the log, and its way to it."""
    log = HeldLog(server, name, network)
    options: dict[str, Any] = {} if clock is None else {"clock": clock}
    database = await Database.open(
        MemoryPersistence() if store is None else store, log=log, retention=QUIET, **options
    )
    return database, log


async def joined_to(log: SharedLog) -> Database:
    """A node of any log."""
    return await Database.open(MemoryPersistence(), log=log, retention=QUIET, clock=log.now_ns)


@asynccontextmanager
async def shared(*names: str) -> AsyncIterator[list[tuple[Database, HeldLog]]]:
    """Nodes of one new log."""
    server = MemoryLogServer(time.time_ns)
    nodes = [await joined(server, name) for name in names]
    try:
        yield nodes
    finally:
        for database, log in nodes:
            log.let_go()
            await database.close()


def poor_network(random: Random) -> Network:
    """Most of what is sent arrives, and most of that is answered."""
    return Network(random, delay=3, lost=0.05, unanswered=0.1, late=0.1, failing=0.1)
