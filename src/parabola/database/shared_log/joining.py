"""How a store comes to be a copy of what a shared log says, and whether it is one."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.appending import RETRY_SECONDS, append_until_known, until_reached
from parabola.database.shared_log.log import START, Position, SharedLog
from parabola.database.shared_log.payload import SourcedCommit, decode, encode, number
from parabola.database.shared_log.replica import Replica
from parabola.database.store.persistence import Commit

__all__ = ["check_place", "join"]

NAME_BYTES: Final = 16


async def join(log: SharedLog, replica: Replica, first: Commit) -> None:
    """Stores the log's first entry in an empty store, which makes it one where the log is empty as well:
    `first`, as every new database begins.
    """
    name = os.urandom(NAME_BYTES)
    group = number([SourcedCommit(first, "")], 1)
    while not (entries := await until_reached(lambda: log.entries_after(START, 1))):
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
    await until_reached(lambda: log.entries_after(replica.position, 1))
