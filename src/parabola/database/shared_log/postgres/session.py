"""A connection to PostgreSQL that is made when it is needed, and made anew when it has broken.

Whatever goes wrong in it means that the server did not answer: the driver has more kinds of errors than can
be told apart, and a connection that has failed once is never used again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

import asyncpg

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.errors import LogUnreachable
from parabola.database.shared_log.postgres.refusals import POOLER, is_final, refusal

Connection: TypeAlias = Any
"""`asyncpg.Connection`, which says nothing about types."""

__all__ = ["Connection", "Session", "refuse_pooler"]

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")

CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 3.0
"""A server that has not answered by then is not there."""

SETTINGS: Final = """
SET search_path = pg_catalog;
SET default_transaction_isolation = 'read committed';
SET statement_timeout = '5s';
SET lock_timeout = '2s';
SET idle_in_transaction_session_timeout = '10s';
SET jit = off;
"""
"""What a role or a database may have set otherwise."""

DURABLE: Final = ("on", "remote_apply")
"""Values of `synchronous_commit` with which an entry is on the server's disk when it answers."""


class Session:
    """One connection at a time, used by one task at a time. `prepare` is called with each new one."""

    def __init__(self, url: str, *, prepare: Callable[[Connection], Awaitable[None]] | None = None) -> None:
        self._url = url
        self._prepare = prepare
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` returns. Raises `LogUnreachable`, and `UnusableData` for what will not get better.

        A lock that could not be had is told as it is (`asyncpg.LockNotAvailableError`).
        """
        async with self._turn:
            connection = await self._connected()
            try:
                return await work(connection)
            except asyncpg.LockNotAvailableError:
                raise
            except UnusableData:
                raise
            except Exception as error:
                self._drop()
                if is_final(error):
                    raise refusal(error) from error
                raise self._unreachable(error) from error
            except BaseException:
                self._drop()  # cancelled in the middle: nobody knows what the server is about
                raise

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Connection]:
        """The connection for longer than one answer. Raises what `run` does."""
        async with self._turn:
            connection = await self._connected()
            try:
                yield connection
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self._drop()
                raise self._unreachable(error) from error
            except BaseException:
                self._drop()
                raise

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is not None and not connection.is_closed():
            return connection
        self._drop()
        made: Connection | None = None
        try:
            made = await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS,
                command_timeout=ANSWER_SECONDS,
                target_session_attrs="read-write",
            )
            await made.execute(SETTINGS)
            if await made.fetchval("SHOW synchronous_commit") not in DURABLE:
                await made.execute("SET synchronous_commit = on")
            if made.get_server_version().major >= 14:
                await made.execute("SET idle_session_timeout = 0")
            if self._prepare is not None:
                await self._prepare(made)
        except Exception as error:
            if made is not None:
                made.terminate()
            if is_final(error):
                raise refusal(error) from error
            raise self._unreachable(error) from error
        except BaseException:
            if made is not None:
                made.terminate()
            raise
        self._connection = made
        return made

    def _unreachable(self, error: Exception) -> LogUnreachable:
        said = str(error) or type(error).__name__
        return LogUnreachable(
            f"PostgreSQL at {place_of(self._url)} does not answer ({said}). "
            "Check that it runs, and that this machine reaches it there."
        )

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Ends the connection, politely if the server answers."""
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                try:
                    await connection.close(timeout=1.0)
                except Exception:
                    connection.terminate()


def place_of(url: str) -> str:
    """The servers and the database of an address, without what is secret in it."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + parts.path


async def refuse_pooler(url: str) -> None:
    """Raises `UnusableData` where something in between gives each transaction another connection."""
    first, second = Session(url), Session(url)

    async def is_direct(connection: Connection) -> bool:
        backend: int = await connection.fetchval("SELECT pg_backend_pid()")
        server: int = connection.get_server_pid()
        return backend == server

    async def mark(connection: Connection) -> None:
        await connection.execute("SET parabola.session = 'mine'")

    async def is_marked(connection: Connection) -> bool:
        found: str | None = await connection.fetchval("SELECT current_setting('parabola.session', true)")
        return found == "mine"

    async def occupy(connection: Connection) -> bool:
        async with connection.transaction():
            await connection.execute("SELECT 1")
            return await first.run(is_marked)

    try:
        if await first.run(is_direct):
            return
        await first.run(mark)
        # Whoever shares connections gives the one that was marked to the transaction of the other.
        if not await second.run(occupy):
            raise UnusableData(POOLER)
    finally:
        await first.close()
        await second.close()
