"""From a server that is alone to the first node of a shared log, and back.

The data stays where it is: its store becomes the first copy. What the log begins with is a checkpoint, copied
while writes go on, and brought to the end of them in rounds; writes wait for the last round only.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from parabola.database.commits.committer import NEXT_ID
from parabola.database.model.errors import DataMoved, StorageError, UnusableData
from parabola.database.model.intervals import Interval
from parabola.database.shared_log.appending import until_reached
from parabola.database.shared_log.checkpoint import StoredDocument
from parabola.database.shared_log.log import FIRST_ID, Entry, Position, SharedLog
from parabola.database.shared_log.payload import Group, encode
from parabola.database.shared_log.replica import place_of
from parabola.database.store.persistence import SHARED_LOG_PLACE, Commit

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.documents import Revision

__all__ = ["demoted", "promoted"]

CHUNK: Final = 256
"""Documents copied at once."""
LITTLE: Final = 64
"""Changes that are left before writes are held."""
NAME_BYTES: Final = 16
_MOVED: Final = "The data of this server have just moved, and are being opened anew. Ask again, in a moment."


@asynccontextmanager
async def promoted(
    database: Database,
    log: SharedLog,
    copied: Callable[[int], None],
    check: Callable[[], None] = lambda: None,
) -> AsyncIterator[None]:
    """Makes the log that of this data, and its store the first copy. Inside nothing is written here any more:
    the store is to be closed, and opened again as a node.

    `copied` hears of documents that were copied; `check` is called when nothing more is written, and what it
    raises ends the move. Raises `UnusableData` where the log has entries, and `LogUnreachable`; then nothing
    has changed here.
    """
    await log.begin_founding()
    ts = database.durable_ts
    with database.keep_history(ts):
        for table in database.durable_registry.tables():
            await _copy(database, log, table.tablet_id, ts, copied)
        while True:
            ts, count = await _ship(database, log, ts, copied)
            if count <= LITTLE:
                break
        async with database.commit_lane():
            await database.wait_durable(database.latest_ts)
            count = 1
            while count:
                ts, count = await _ship(database, log, ts, copied)
            check()
            await _found(database, log)
            database.give_up(DataMoved(_MOVED))
            yield


async def _copy(
    database: Database, log: SharedLog, tablet_id: int, ts: int, copied: Callable[[int], None]
) -> None:
    rest: Interval | None = Interval.everything()
    while rest is not None:
        rows = await database.documents_at(tablet_id, rest, ts, CHUNK)
        rest = None if rows.exhausted else rest.after(rows[-1][0])
        await log.add_documents([_stored(tablet_id, revision) for _, revision in rows], ())
        copied(len(rows))


async def _ship(
    database: Database, log: SharedLog, after_ts: int, copied: Callable[[int], None]
) -> tuple[int, int]:
    """Brings what was copied some commits forward; the newest one, and how many changes that were."""
    changes = await database.log_after(after_ts, CHUNK)
    if not changes:
        return after_ts, 0
    ts = changes[-1].ts
    newest = {(change.tablet_id, change.id) for change in changes}
    written: list[StoredDocument] = []
    removed: list[tuple[int, str]] = []
    for tablet_id, id in sorted(newest):
        revision = await database.persistence.get(tablet_id, id, ts)
        if revision is None:
            removed.append((tablet_id, id))
        else:
            written.append(_stored(tablet_id, revision))
    await log.add_documents(written, removed)
    copied(len(newest))
    return ts, len(changes)


def _stored(tablet_id: int, revision: Revision) -> StoredDocument:
    assert revision.number is not None
    return StoredDocument(tablet_id, revision.id, revision.number, revision.ts, revision.size, revision.raw)


async def _found(database: Database, log: SharedLog) -> None:
    store, ts = database.persistence, database.latest_ts
    given = database.new_id()
    first_id = await log.reserve_ids(0)
    if given > first_id:
        await log.reserve_ids(given - first_id)
    next_number = store.next_number
    position = Position(1, os.urandom(NAME_BYTES))
    # Nobody reads this entry: every copy begins behind it.
    entry = Entry(position, log.node, ts, encode(Group(next_number, ())))
    if not await until_reached(lambda: log.found(entry, next_number)):
        raise UnusableData("Somebody else has made a deployment in this database meanwhile.")
    await _note(database, {SHARED_LOG_PLACE: place_of(position, next_number, ts)})


async def _note(database: Database, properties: dict[str, bytes]) -> None:
    store = database.confirmed
    await store.ready()
    store.append(Commit(max(store.newest_ts, database.durable_ts), (), properties))
    await store.flush()


@asynccontextmanager
async def demoted(database: Database) -> AsyncIterator[None]:
    """Closes the log, and makes this node's store that of a server which is alone. Inside nothing is written
    here any more: the store is to be closed, and opened again without the log.

    Other nodes serve nobody from here on. Raises `StorageError` where this node does not come to the end of
    the log; then it is open again.
    """
    log = database.shared_log
    assert log is not None
    async with database.commit_lane():
        await log.set_closed(True)
        try:
            await database.catch_up()
            next_id = max(await log.reserve_ids(1), FIRST_ID)
            await _note(database, {SHARED_LOG_PLACE: b"", NEXT_ID: str(next_id).encode()})
        except BaseException:
            with suppress(StorageError):
                await log.set_closed(False)
            raise
        database.give_up(DataMoved(_MOVED))
        yield
