"""Databases on a temporary directory, a clock that tests turn, and short forms of what they often do."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from parabola.database.commits.chain import Link
from parabola.database.database import Database
from parabola.database.model.documents import Document
from parabola.database.model.indexes import Index
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.transaction import Transaction
from parabola.database.upkeep.vacuum import Retention
from parabola.database.usage import Limits

DAY_NS = 86_400_000_000_000
SECOND_NS = 1_000_000_000

QUIET = Retention(interval=3600.0)
"""No vacuum but the one a test asks for."""


class Clock:
    """A clock that stands still until it is turned, and beside it one that only counts what passes."""

    def __init__(self, now: int = 1_700_000_000 * SECOND_NS) -> None:
        self.now = now
        self.passed = 0.0

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        """Time passes; back is a clock that is set."""
        self.now += int(seconds * SECOND_NS)
        self.passed += max(0.0, seconds)

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.now += int(seconds * SECOND_NS)

    def count(self) -> float:
        return self.passed


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    retention: Retention = QUIET,
) -> AsyncIterator[Database]:
    store = SqlitePersistence.open(directory)
    options: dict[str, Any] = {} if clock is None else {"clock": clock, "counter": clock.count}
    try:
        database = await Database.open(store, limits=limits, retention=retention, **options)
    except BaseException:
        await store.close()
        raise
    try:
        yield database
    finally:
        await database.close()


def crash_copy(directory: Path, to: Path) -> Path:
    """What the disk would hold if the process died now: the files as they are, without the lock."""
    to.mkdir(parents=True)
    for name in ("parabola.sqlite3", "parabola.sqlite3-wal", "parabola.high-mark"):
        if (directory / name).exists():
            shutil.copyfile(directory / name, to / name)
    if (directory / "derived").exists():
        # While it is copied files come and go, as they do when a process dies.
        with suppress(shutil.Error):
            shutil.copytree(directory / "derived", to / "derived")
    return to


async def insert(database: Database, table: str, *values: dict[str, Any]) -> list[str]:
    """Commits new documents."""
    tx = database.begin(writable=True)
    ids = [await tx.insert(table, value) for value in values]
    await database.commit(tx)
    return ids


async def patch(database: Database, id: str, fields: dict[str, Any], *, source: str = "") -> int:
    tx = database.begin(writable=True)
    await tx.patch(id, fields)
    return await database.commit(tx, source=source)


async def validated(database: Database, tx: Transaction, link: Link | None = None) -> asyncio.Task[int]:
    """Begins a commit and returns once it is validated, before it is durable, or has failed. `link` is that
    of the transaction in a chain.
    """
    reached = asyncio.Event()

    def note(ts: int) -> None:
        if link is not None:
            link.validated(ts)
        reached.set()

    task = asyncio.create_task(database.commit(tx, on_validated=note))
    task.add_done_callback(lambda _: reached.set())
    await reached.wait()
    return task


async def delete(database: Database, id: str) -> int:
    tx = database.begin(writable=True)
    await tx.delete(id)
    return await database.commit(tx)


def scan_of(table: str, order: str | None = None) -> dict[str, Any]:
    return {"source": {"type": "FullTableScan", "tableName": table, "order": order}, "operators": []}


def range_of(index: str, *range: dict[str, Any], order: str | None = None) -> dict[str, Any]:
    source = {"type": "IndexRange", "indexName": index, "range": list(range), "order": order}
    return {"source": source, "operators": []}


def take(query: dict[str, Any], limit: int) -> dict[str, Any]:
    return {**query, "operators": [*query["operators"], {"limit": limit}]}


async def collect(tx: Transaction, query: str | dict[str, Any]) -> list[Document]:
    """All documents of a table or query."""
    return await tx.query(scan_of(query) if isinstance(query, str) else query).collect()


async def values(database: Database, query: str | dict[str, Any]) -> list[dict[str, Any]]:
    """The documents as users see them, without system fields."""
    found = await collect(database.begin(), query)
    return [{name: item for name, item in document.value.items() if name[0] != "_"} for document in found]


async def create_index(database: Database, table: str, name: str, *fields: str, enable: bool = True) -> Index:
    """Adds an index, waits until it is filled and enables it."""
    tx = database.begin(writable=True)
    found = tx.find_table(table)
    if found is None:
        found = tx.create_table(table)
    index = tx.create_index(
        Index(database.new_id(), found.tablet_id, name, (*fields, "_creationTime"), "backfilling")
    )
    await database.commit(tx)
    await database.wait_backfilled()
    if enable:
        tx = database.begin(writable=True)
        await tx.patch_system(index.document_id, {"state": "enabled"})
        await database.commit(tx)
    enabled = database.registry.index(found, name)
    assert enabled is not None
    return enabled


@contextmanager
def held_flushes(database: Database) -> Iterator[asyncio.Event]:
    """Nothing becomes durable inside until it may; afterwards it does, also for a test that has failed."""
    flush, may_flush = database.persistence.flush, asyncio.Event()

    async def later() -> None:
        await may_flush.wait()
        await flush()

    database.persistence.flush = later  # type: ignore[method-assign]
    try:
        yield may_flush
    finally:
        may_flush.set()


def fill(database: Database) -> None:
    """The disk is full."""
    store = database.persistence
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]
    store._db.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]


def make_room(database: Database) -> None:
    """And now it is not."""
    database.persistence._db.execute("PRAGMA max_page_count = 1000000")  # type: ignore[attr-defined]
