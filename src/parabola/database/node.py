"""A node of a shared log: its directory holds a copy of the data, which is thrown away when it is none."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Final

from parabola.database.database import Database, NodeIdentity
from parabola.database.settings import DatabaseSettings
from parabola.database.shared_log.errors import ReplicaLost, UnreadableEntry
from parabola.database.shared_log.log import SharedLog
from parabola.database.store.sqlite import SqlitePersistence

__all__ = ["open_node"]

_log: Final = logging.getLogger(__name__)

_HOME: Final = "node_home"


async def open_node(
    directory: Path | str,
    log: SharedLog,
    settings: DatabaseSettings = DatabaseSettings(),
    *,
    is_member: bool = False,
    **options: Any,
) -> Database:
    """The database of a log, with what a directory has of it; the log is the database's to close.

    Where that is not what the log says any more, or was never finished, it is removed and made anew from the
    log. With `is_member` it joins those that serve the deployment. `options` are those of `Database.open`.
    Raises `UnusableData` for the database of a single server, and `ReplicaLost` where not even a new copy can
    be made.
    """
    if is_member:
        options["node"] = NodeIdentity(log.node, _home(Path(directory)))
    try:
        return await _open(directory, log, settings, options)
    except UnreadableEntry:
        raise  # nor could it be read for a new one
    except ReplicaLost as error:
        _log.warning("the copy of the data in %s is thrown away and made anew: %s", directory, error)
        SqlitePersistence.remove(directory)
    return await _open(directory, log, settings, options)


def _home(directory: Path) -> str:
    """The name of a data directory, made once."""
    file = directory / _HOME
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = file.with_name(f"{_HOME}.new")
        beside.write_text(os.urandom(16).hex())
        beside.replace(file)
    return file.read_text().strip()


async def _open(
    directory: Path | str, log: SharedLog, settings: DatabaseSettings, options: dict[str, Any]
) -> Database:
    store = SqlitePersistence.open(directory, settings)
    try:
        return await Database.open(store, log=log, settings=settings, **options)
    except BaseException:
        await store.close()
        raise
