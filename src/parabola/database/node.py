"""A node of a shared log: its directory holds a copy of the data, which is thrown away when it is none."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from parabola.database.database import Database
from parabola.database.settings import DatabaseSettings
from parabola.database.shared_log.errors import ReplicaLost, UnreadableEntry
from parabola.database.shared_log.log import SharedLog
from parabola.database.store.sqlite import SqlitePersistence

__all__ = ["open_node"]

_log: Final = logging.getLogger(__name__)


async def open_node(
    directory: Path | str,
    log: SharedLog,
    settings: DatabaseSettings = DatabaseSettings(),
    **options: Any,
) -> Database:
    """The database of a log, with what a directory has of it; the log is the database's to close.

    Where that is not what the log says any more, or was never finished, it is removed and made anew from the
    log. `options` are those of `Database.open`. Raises `UnusableData` for the database of a single server,
    and `ReplicaLost` where not even a new copy can be made.
    """
    try:
        return await _open(directory, log, settings, options)
    except UnreadableEntry:
        raise  # nor could it be read for a new one
    except ReplicaLost as error:
        _log.warning("the copy of the data in %s is thrown away and made anew: %s", directory, error)
        SqlitePersistence.remove(directory)
    return await _open(directory, log, settings, options)


async def _open(
    directory: Path | str, log: SharedLog, settings: DatabaseSettings, options: dict[str, Any]
) -> Database:
    store = SqlitePersistence.open(directory, settings)
    try:
        return await Database.open(store, log=log, settings=settings, **options)
    except BaseException:
        await store.close()
        raise
