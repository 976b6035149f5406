"""How a store comes to be a copy of what a shared log says, and whether it is one."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from parabola.database.commits.write_set import Change, document_write
from parabola.database.model.documents import Revision
from parabola.database.model.errors import UnusableData
from parabola.database.model.system_tables import INDEX_TABLET, INDEXES, SYSTEM_TABLES, TABLES, TABLES_TABLET
from parabola.database.model.tables import Registry, Table
from parabola.database.shared_log.appending import RETRY_SECONDS, append_until_known, until_reached
from parabola.database.shared_log.checkpoint import CheckpointReader, StoredDocument
from parabola.database.shared_log.errors import ReplicaLost
from parabola.database.shared_log.log import START, Position, SharedLog
from parabola.database.shared_log.payload import SourcedCommit, decode, encode, number
from parabola.database.shared_log.replica import Replica
from parabola.database.store.persistence import Commit, DocumentWrite
from parabola.values.encoding import loads

__all__ = ["check_place", "join"]

NAME_BYTES: Final = 16
SAVED_DOCUMENTS: Final = 10_000
"""So many are written to the disk at once."""


async def join(log: SharedLog, replica: Replica, first: Commit) -> None:
    """Makes an empty store a copy of the log, as of its checkpoint or of its first entry.

    Where the log is empty too, `first` becomes that entry, as every new database begins.
    """
    name = os.urandom(NAME_BYTES)
    group = number([SourcedCommit(first, "")], 1)
    while True:
        if await until_reached(log.checkpoint) is not None:
            await _build(log, replica)
            return
        entries = await until_reached(lambda: log.entries_after(START, 1))
        if entries and await until_reached(log.checkpoint) is None:
            break
        if await append_until_known(log, START, name, first.ts, encode(group)):
            await replica.store(group, Position(1, name), is_own=False)
            return
        await asyncio.sleep(RETRY_SECONDS)
    await replica.store(decode(entries[0].payload), entries[0].position, is_own=False)


async def check_place(log: SharedLog, replica: Replica) -> None:
    """Raises `ReplicaLost` where the log does not go on from what a store has, `UnusableData` where the store
    never was a copy of any log.
    """
    if replica.position == START:
        raise UnusableData(
            "This data directory holds the database of a single server, not a copy of a shared log. "
            "Start with another --data directory."
        )
    if (await until_reached(log.head)).position == START:
        raise UnusableData(
            "The database of the shared log is empty, and this data directory is a copy of what once was in "
            "it, perhaps the last one. Give the right --database, or restore that one from a backup. To "
            "begin with an empty deployment, name another directory with --data."
        )
    await until_reached(lambda: log.entries_after(replica.position, 1))


async def _build(log: SharedLog, replica: Replica) -> None:
    """Stores the documents of the checkpoint, with their keys in every index."""
    async with log.open_checkpoint() as reader:
        registry = await _registry(reader)
        held: list[DocumentWrite] = []  # the last ones come together with the checkpoint
        count = 0
        async for documents in reader.documents():
            writes = [write for each in documents if (write := _write(registry, each)) is not None]
            if held and writes:
                await replica.build(held, None)
                count += len(held)
                if count > SAVED_DOCUMENTS:
                    await replica.flush()
                    count = 0
            held = writes or held
            await asyncio.sleep(0)
        if not held:
            raise ReplicaLost(
                "The checkpoint of the shared log is empty. Restore its database from a backup."
            )
        await replica.build(held, reader.checkpoint)
    await replica.flush()


async def _registry(reader: CheckpointReader) -> Registry:
    """The tables and indexes of a checkpoint."""
    registry = Registry()
    for tablet_id, name in ((TABLES_TABLET, TABLES), (INDEX_TABLET, INDEXES)):
        table = Table(tablet_id, name, SYSTEM_TABLES[name].number)
        async for documents in reader.documents([tablet_id]):
            registry = registry.with_rows(table, [loads(each.raw) for each in documents])
    return registry


def _write(registry: Registry, document: StoredDocument) -> DocumentWrite | None:
    """A document as it is stored first; None for one of a table that is no more."""
    tablet_id, id, number, ts, size, raw = document
    table = registry.table_by_tablet(tablet_id)
    if table is None:
        return None
    value = loads(raw)
    assert isinstance(value, dict)
    return document_write(registry, Change(table, id, None, Revision(id, ts, raw, size, number)), value)
