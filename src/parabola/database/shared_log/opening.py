"""The shared log that an address names. What is needed to reach it is imported here, and not before."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.log import SharedLog

__all__ = ["check_address", "open_log"]

SCHEMES: Final = ("postgresql", "postgres")

_HOST: Final = r"(\[[0-9a-fA-F:.]+\]|[^:\[\],]*)(:[0-9]+)?"
_HOSTS: Final = re.compile(rf"{_HOST}(,{_HOST})*\Z")


def check_address(url: str) -> None:
    """Raises `UnusableData` for what is no address of PostgreSQL, with nothing in it that may be secret."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        # What stands before may be anything, a part of a password too.
        known = f', not "{scheme}://"' if separator and scheme.isalpha() else ""
        raise UnusableData(f'A shared log is in PostgreSQL: its address begins with "postgresql://"{known}.')
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, _, hosts = authority.rpartition("@")
    if "@" in rest.removeprefix(authority).partition("?")[0] or "@" in user or not _HOSTS.match(hosts):
        raise UnusableData(
            "The address of the shared log cannot be read: it is "
            "postgresql://user:password@host:port/database, and in user and password each of the characters "
            ": / ? # @ % is written as its code, such as %40 for @."
        )


async def open_log(url: str, node: str, *, clock: Callable[[], int]) -> SharedLog:
    """A node's way to the log in a database of PostgreSQL, which is made if there is none.

    `url` is `postgresql://user:password@host:port/database`, with several hosts where there is a standby.
    `clock` is this machine's, in ns since 1970. Raises `UnusableData` for an address or a server that will
    not do, and `LogUnreachable` where none answers.
    """
    check_address(url)
    try:
        from parabola.database.shared_log.postgres.postgres_log import PostgresLog
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise UnusableData(
            'A shared log in PostgreSQL needs the package asyncpg: install "parabola[cluster]".'
        ) from error
    return await PostgresLog.open(url, node, clock=clock)
