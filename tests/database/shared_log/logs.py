"""Shared logs of every kind, each empty, with what a test may do to them from outside."""

from __future__ import annotations

import itertools
import time
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Protocol, Self

import pytest

from parabola.database.shared_log.log import LANE_SECONDS, SharedLog
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from postgres_server import PostgresServer, find_postgres

__all__ = ["LOGS", "Logs", "MemoryLogs", "PostgresLogs", "postgres_server"]


class Logs(Protocol):
    """One log and the nodes that share it."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def node(self, name: str) -> SharedLog: ...

    async def lose(self, count: int) -> None:
        """A failover loses the newest entries."""

    async def end_lane(self) -> None:
        """So much time passes that the lane ends."""


class MemoryLogs:
    def __init__(self) -> None:
        self._ahead = 0
        self.server: Final = MemoryLogServer(lambda: time.time_ns() + self._ahead)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def node(self, name: str) -> SharedLog:
        return MemoryLog(self.server, name)

    async def lose(self, count: int) -> None:
        self.server.lose(count)

    async def end_lane(self) -> None:
        self._ahead += int((LANE_SECONDS + 1) * 1e9)


_server: list[PostgresServer] = []
_schemas = itertools.count(1)


def postgres_server() -> PostgresServer:
    """The server of this process's tests, started with the first that needs it. Skips where there is none."""
    if not _server:
        programs = find_postgres()
        if programs is None:
            pytest.skip("there is no PostgreSQL: run `python tools/setup.py postgres`")
        import atexit

        _server.append(PostgresServer(programs))
        atexit.register(_server[0].stop)
    return _server[0]


class PostgresLogs:
    """A schema of its own in one server."""

    def __init__(self) -> None:
        self.server = postgres_server()
        self.schema = f"log_{next(_schemas)}"
        self._nodes = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._nodes.aclose()

    async def node(self, name: str, **options: Any) -> SharedLog:
        from parabola.database.shared_log.postgres.postgres_log import PostgresLog

        url = options.pop("url", self.server.url)
        log = await PostgresLog.open(url, name, clock=time.time_ns, schema=self.schema, **options)
        self._nodes.push_async_callback(log.close)
        return log

    async def sql(self, statement: str, *arguments: Any) -> Any:
        """Rows of a statement, in which {schema} stands for that of the log."""
        import asyncpg

        connection = await asyncpg.connect(self.server.url)
        try:
            return await connection.fetch(statement.format(schema=self.schema), *arguments)
        finally:
            await connection.close()

    async def lose(self, count: int) -> None:
        await self.sql(
            "WITH kept AS (SELECT seq - $1 AS seq FROM {schema}.head),"
            " gone AS (DELETE FROM {schema}.log WHERE seq > (SELECT seq FROM kept))"
            " UPDATE {schema}.head SET seq = kept.seq, ts = 0,"
            " batch = (SELECT batch FROM {schema}.log WHERE seq = kept.seq) FROM kept",
            count,
        )

    async def end_lane(self) -> None:
        await self.sql("UPDATE {schema}.head SET lane_until = lane_until - interval '1 minute'")


LOGS: Final[tuple[type[Logs], ...]] = (MemoryLogs, PostgresLogs)
