"""A node's way to a log in PostgreSQL. See `SharedLog` for the contract.

An append is one statement: it moves the head row on if that is where it was thought to be, and inserts the
entry only then. Nobody holds a lock between two messages, so a node that stops in the middle of anything is
in nobody's way. Positions are taken once, since of two statements that change a row the second one looks
again when the first is done; and the log has no gaps, since the row is let go after the entry can be seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

import asyncpg

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.checkpoint import (
    Checkpoint,
    CheckpointChange,
    CheckpointReader,
    StoredDocument,
)
from parabola.database.shared_log.errors import LogUnreachable, ReplicaForked, ReplicaTooOld
from parabola.database.shared_log.log import (
    LANE_SECONDS,
    START,
    Appended,
    Beat,
    Beats,
    DocumentPlace,
    Entry,
    Head,
    Position,
)
from parabola.database.shared_log.postgres.checkpoint_rows import READ as READ_DOCUMENTS
from parabola.database.shared_log.postgres.checkpoint_rows import CheckpointRows, RowsReader
from parabola.database.shared_log.postgres.courtesy import Courtesy
from parabola.database.shared_log.postgres.server_clock import ServerClock
from parabola.database.shared_log.postgres.session import Connection, Session, refuse_pooler
from parabola.database.shared_log.postgres.tables import PARTITION, Tables

__all__ = ["PostgresLog"]

_log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.1
"""The end of the log is looked at so often: a notice may be lost with its connection."""

LOST_POLL_SECONDS: Final = 0.025
"""The same while it does not answer: what comes back may be another server, which has lost something."""

SHARED_SECONDS: Final = 300
"""So long texts that nodes share can be read."""

READ_ENTRIES: Final = 2000
"""Entries looked at by one read."""

APPEND: Final = """
WITH moved AS (
    UPDATE {schema}.head SET seq = seq + 1, batch = $3, ts = $2
    WHERE seq = $1 AND batch IS NOT DISTINCT FROM $5 AND NOT closed
        AND (lane IS NULL OR lane = $6 OR lane_until < clock_timestamp())
    RETURNING seq
), added AS (
    INSERT INTO {schema}.log (seq, batch, node, ts, payload)
    SELECT seq, $3, $6, $2, $4 FROM moved
    RETURNING seq
)
SELECT pg_notify('{channel}', seq::text) FROM added
"""

READ: Final = """
SELECT seq, batch, node, ts, CASE WHEN seq > $1 THEN payload END AS payload
FROM (
    SELECT *, sum(CASE WHEN seq > $1 THEN octet_length(payload) ELSE 0 END) OVER (ORDER BY seq) AS total
    FROM (SELECT * FROM {schema}.log WHERE seq >= $1 ORDER BY seq LIMIT $3) AS next
) AS summed
WHERE total <= $2 OR seq <= $1 + 1
ORDER BY seq
"""
"""The entry that is known already comes first, without its payload: for its name."""

HEAD: Final = "SELECT seq, batch, ts, closed FROM {schema}.head"
NAME: Final = "SELECT batch FROM {schema}.log WHERE seq = $1"
TAKE_LANE: Final = """
UPDATE {schema}.head SET lane = $1, lane_until = clock_timestamp() + $2 * interval '1 second'
WHERE lane IS NULL OR lane = $1 OR lane_until < clock_timestamp()
RETURNING true
"""
LEAVE_LANE: Final = "UPDATE {schema}.head SET lane = NULL, lane_until = NULL WHERE lane = $1"
CLOSE: Final = "UPDATE {schema}.head SET closed = $1"
RESERVE: Final = """
UPDATE {schema}.settings SET value = (value::bigint + $1)::text WHERE name = 'next_id'
RETURNING value::bigint - $1
"""
SETTLE: Final = """
WITH given AS (INSERT INTO {schema}.settings VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING value)
SELECT value FROM given UNION ALL SELECT value FROM {schema}.settings WHERE name = $1
"""
BEAT: Final = """
WITH own AS (
    INSERT INTO {schema}.node (incarnation, status, seen) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (incarnation) DO UPDATE SET status = excluded.status, seen = excluded.seen
)
SELECT (extract(epoch FROM now) * 1000000)::bigint, incarnation, status,
    (extract(epoch FROM seen) * 1000000)::bigint
FROM (SELECT clock_timestamp() AS now) AS clock LEFT JOIN {schema}.node ON incarnation <> $1
"""
SHARE: Final = """
WITH last AS (
    SELECT greatest(max(at), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS at
    FROM {schema}.shared
), old AS (
    DELETE FROM {schema}.shared USING last WHERE shared.at < last.at - $2 * 1000000
)
INSERT INTO {schema}.shared SELECT last.at + number, text
FROM last, unnest($1::text[]) WITH ORDINALITY AS given (text, number)
"""
SHARED: Final = "SELECT at, text FROM {schema}.shared WHERE at > $1 ORDER BY at LIMIT $2"
STOP_BEATING: Final = "DELETE FROM {schema}.node WHERE incarnation = $1"
LOOK: Final = "SELECT seq, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM {schema}.head"


class PostgresLog:
    """Three connections: one appends, one says that the node is there, which must not wait for others, and
    one does all the rest. `open` makes one.
    """

    def __init__(self, url: str, node: str, tables: Tables, clock: Callable[[], int]) -> None:
        self.node = node
        self._url = url
        self._tables = tables
        self._rows = CheckpointRows(tables.schema)
        self._keeping: Connection | None = None
        self._channel = f"{tables.schema}_log"
        self._clock = ServerClock(clock)
        self._writing = Session(url)
        self._reading = Session(url, prepare=self._listen)
        self._beating = Session(url)
        self._courtesy = Courtesy(self._writing, tables.schema)
        self._unknown = b""
        self._on_news: Callable[[int | None], None] | None = None
        self._polling: asyncio.Task[None] | None = None
        self._sql = {
            name: sql.format(schema=tables.schema, channel=self._channel)
            for name, sql in (
                ("append", APPEND),
                ("read", READ),
                ("head", HEAD),
                ("name", NAME),
                ("take_lane", TAKE_LANE),
                ("leave_lane", LEAVE_LANE),
                ("close", CLOSE),
                ("reserve", RESERVE),
                ("settle", SETTLE),
                ("beat", BEAT),
                ("stop_beating", STOP_BEATING),
                ("share", SHARE),
                ("shared", SHARED),
                ("look", LOOK),
            )
        }

    @classmethod
    async def open(
        cls,
        url: str,
        node: str,
        *,
        clock: Callable[[], int],
        schema: str = "parabola",
        partition: int = PARTITION,
    ) -> PostgresLog:
        """The log in a database of PostgreSQL, which is made if there is none.

        `url` may name several hosts: the one that takes writes is used. `clock` is this machine's, in ns
        since 1970, from which that of the server is told. Raises `UnusableData` for a server that cannot hold
        a log, `LogUnreachable` where none answers.
        """
        await refuse_pooler(url)
        tables = Tables(schema, partition)
        log = cls(url, node, tables, clock)
        making = Session(url)
        try:
            await making.run(tables.make)
            await log._look()
        except BaseException:
            await log.close()
            raise
        finally:
            await making.close()
        return log

    # Appending

    async def append(self, after: Position, name: bytes, ts: int, payload: bytes) -> Appended:
        arguments = (after.seq, ts, UUID(bytes=name), payload, _uuid(after.name), self.node)

        async def send(connection: Connection) -> bool:
            row = await connection.fetchrow(self._sql["append"], *arguments)
            return row is not None

        await self._courtesy.begin()
        try:
            is_ours = await self._writing.run(send)
        except asyncpg.LockNotAvailableError:
            return Appended.MOVED  # it waited for another one's statement, and is not in the log for certain
        except (LogUnreachable, UnusableData) as error:
            if name != self._unknown:  # once for each entry, however often it is sent
                self._unknown = name
                _log.warning(
                    "it is not known whether entry %d is in the shared log: %s", after.seq + 1, error
                )
            return Appended.UNKNOWN
        await self._courtesy.end(is_ours=is_ours)
        return Appended.OURS if is_ours else Appended.MOVED

    # Reading

    async def entries_after(self, position: Position, limit: int) -> list[Entry]:
        async def read(connection: Connection) -> list[Any]:
            found: list[Any] = await connection.fetch(self._sql["read"], position.seq, limit, READ_ENTRIES)
            return found

        rows = await self._reading.run(read)
        known = None
        if rows and rows[0]["seq"] == position.seq:
            known = rows.pop(0)
        if known is not None and known["batch"].bytes != position.name:
            raise _forked(position)
        if known is None and position != START:
            if not rows:
                raise _forked(position)
            raise ReplicaTooOld(_TOO_OLD)
        if rows and rows[0]["seq"] != position.seq + 1:
            raise ReplicaTooOld(_TOO_OLD)
        return [
            Entry(Position(row["seq"], row["batch"].bytes), row["node"], row["ts"], row["payload"])
            for row in rows
        ]

    async def name_at(self, seq: int) -> bytes | None:
        found: UUID | None = await self._reading.run(
            lambda connection: connection.fetchval(self._sql["name"], seq)
        )
        return None if found is None else found.bytes

    async def head(self) -> Head:
        row: Any = await self._reading.run(lambda connection: connection.fetchrow(self._sql["head"]))
        name = b"" if row["batch"] is None else row["batch"].bytes
        return Head(Position(row["seq"], name), row["ts"], row["closed"])

    # News

    def follow(self, on_news: Callable[[int | None], None]) -> None:
        self._on_news = on_news
        self._polling = asyncio.get_running_loop().create_task(self._poll())

    async def _listen(self, connection: Connection) -> None:
        await connection.add_listener(self._channel, self._hear)
        if self._on_news is not None:
            self._on_news(None)  # what was told meanwhile nobody has heard

    def _hear(self, connection: object, pid: int, channel: str, payload: object) -> None:
        if self._on_news is not None:
            self._on_news(int(str(payload)))

    async def _poll(self) -> None:
        answers = True
        while True:
            await asyncio.sleep(POLL_SECONDS if answers else LOST_POLL_SECONDS)
            try:
                seq = await self._look()
            except LogUnreachable as error:
                if answers:
                    _log.warning("%s", error)
                answers = False
            except Exception:
                _log.exception("looking at the shared log failed")
            else:
                if not answers:
                    _log.warning("PostgreSQL answers again")
                answers = True
                if self._on_news is not None:
                    self._on_news(seq)

    async def _look(self) -> int:
        """The newest position. Also looks at the server's clock, and sees to room for what comes."""

        async def look(connection: Connection) -> int:
            began = self._clock.here()
            row = await connection.fetchrow(self._sql["look"])
            self._clock.observe(began, row[1] * 1000)
            seq: int = row[0]
            await self._tables.see_to_partitions(connection, seq)
            return seq

        return await self._reading.run(look)

    def now_ns(self) -> int:
        return self._clock.now()

    # The rest

    async def take_lane(self) -> bool:
        taken: bool | None = await self._reading.run(
            lambda connection: connection.fetchval(self._sql["take_lane"], self.node, LANE_SECONDS)
        )
        return taken is True

    async def leave_lane(self) -> None:
        await self._reading.run(lambda connection: connection.execute(self._sql["leave_lane"], self.node))

    async def set_closed(self, is_closed: bool) -> None:
        await self._reading.run(lambda connection: connection.execute(self._sql["close"], is_closed))

    async def reserve_ids(self, count: int) -> int:
        first: int = await self._reading.run(
            lambda connection: connection.fetchval(self._sql["reserve"], count)
        )
        return first

    async def begin_founding(self) -> None:
        await self._reading.run(self._rows.begin_founding)

    async def add_documents(
        self, written: Sequence[StoredDocument], removed: Sequence[DocumentPlace]
    ) -> None:
        await self._reading.run(lambda connection: self._rows.add(connection, written, removed))

    async def found(self, first: Entry, next_number: int) -> bool:
        return await self._reading.run(lambda connection: self._rows.found(connection, first, next_number))

    async def settle(self, name: str, value: str) -> str:
        async def settle(connection: Connection) -> str | None:
            found: str | None = await connection.fetchval(self._sql["settle"], name, value)
            return found

        # Nothing is found where another node gave it a value at the same moment: the next look sees that.
        while (found := await self._reading.run(settle)) is None:
            pass
        return found

    async def beat(self, incarnation: str, status: str) -> Beats:
        rows: Any = await self._beating.run(
            lambda connection: connection.fetch(self._sql["beat"], incarnation, status)
        )
        others = tuple(Beat(row[1], row[2], row[3] * 1000) for row in rows if row[1] is not None)
        return Beats(rows[0][0] * 1000, others)

    async def stop_beating(self, incarnation: str) -> None:
        await self._beating.run(lambda connection: connection.execute(self._sql["stop_beating"], incarnation))

    async def share(self, texts: Sequence[str]) -> None:
        async def share(connection: Connection) -> None:
            async with connection.transaction():
                # One after the other, and each sees what the one before has written: nobody who reads past a
                # moment will find anything before it later.
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", self._sql["shared"])
                await connection.execute(self._sql["share"], list(texts), SHARED_SECONDS)

        await self._beating.run(share)

    async def shared_after(self, at: int, limit: int) -> list[tuple[int, str]]:
        rows: Any = await self._beating.run(
            lambda connection: connection.fetch(self._sql["shared"], at, limit)
        )
        return [(row[0], row[1]) for row in rows]

    async def checkpoint(self) -> Checkpoint | None:
        return await self._reading.run(self._rows.present)

    async def advance_checkpoint(self, before: Position, change: CheckpointChange) -> bool:
        if change.dropped:
            # By and by, and before the checkpoint says so: nobody looks at them any more.
            while await self._reading.run(lambda connection: self._rows.drop(connection, change.dropped)):
                pass
        return await self._reading.run(lambda connection: self._rows.advance(connection, before, change))

    @asynccontextmanager
    async def open_checkpoint(self) -> AsyncIterator[CheckpointReader]:
        copying = Session(self._url)
        try:
            async with copying.kept() as connection:
                await connection.execute("SET statement_timeout = 0")
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    checkpoint = await self._rows.present(connection)
                    assert checkpoint is not None
                    yield RowsReader(checkpoint, connection, self._rows.sql(READ_DOCUMENTS))
        finally:
            await copying.close()

    async def is_keeper(self) -> bool:
        async def take(connection: Connection) -> bool:
            if self._keeping is connection:
                return True
            taken: bool = await connection.fetchval(
                "SELECT pg_try_advisory_lock(hashtext($1))", f"{self._tables.schema}.keeper"
            )
            self._keeping = connection if taken else None
            return taken

        return await self._reading.run(take)

    async def forget_before(self, seq: int) -> None:
        await self._reading.run(lambda connection: self._tables.drop_partitions(connection, seq))

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait([self._polling])
        with suppress(LogUnreachable):
            await self._courtesy.close()
        for session in (self._writing, self._reading, self._beating):
            await session.close()


_TOO_OLD: Final = (
    "The shared log has forgotten entries that this node has not read. Its copy of the data is made anew."
)


def _forked(position: Position) -> ReplicaForked:
    return ReplicaForked(
        f"The shared log does not have entry {position.seq} as this node knows it: PostgreSQL has lost what "
        "it had confirmed, as a failover to an asynchronous standby does. This node's copy of the data is "
        "made anew from the log."
    )


def _uuid(name: bytes) -> UUID | None:
    return UUID(bytes=name) if name else None
