"""The shared log that an address names. What is needed to reach it is imported here, and not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.log import SharedLog

__all__ = ["open_log"]

SCHEMES: Final = ("postgresql", "postgres")


async def open_log(url: str, node: str, *, clock: Callable[[], int]) -> SharedLog:
    """A node's way to the log in a database of PostgreSQL, which is made if there is none.

    `url` is `postgresql://user:password@host:port/database`, with several hosts where there is a standby.
    `clock` is this machine's, in ns since 1970. Raises `UnusableData` for an address or a server that will
    not do, and `LogUnreachable` where none answers.
    """
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise UnusableData(
            f'A shared log is in PostgreSQL: its address begins with "postgresql://", not "{scheme}://".'
            if scheme
            else 'A shared log is in PostgreSQL: its address begins with "postgresql://".'
        )
    try:
        from parabola.database.shared_log.postgres.postgres_log import PostgresLog
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise UnusableData(
            'A shared log in PostgreSQL needs the package asyncpg: install "parabola[cluster]".'
        ) from error
    return await PostgresLog.open(url, node, clock=clock)
