"""The checkpoint of a log in PostgreSQL: a row for each document, and one that says which entry it is of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.checkpoint import Checkpoint, CheckpointChange, StoredDocument
from parabola.database.shared_log.errors import HAS_ENTRIES
from parabola.database.shared_log.log import START, DocumentPlace, Entry, Position
from parabola.database.shared_log.postgres.session import Connection

__all__ = ["READ", "CheckpointRows", "RowsReader"]

READ_DOCUMENTS: Final = 500
DROPPED: Final = 2000
"""Documents of a dropped table that are removed at once."""
COPY_SECONDS: Final = 600.0
"""The server may sort all documents before the first one comes."""

SELECT: Final = "SELECT seq, batch, ts, next_number FROM {schema}.checkpoint"
INSERT: Final = "INSERT INTO {schema}.checkpoint (seq, batch, ts, next_number) VALUES ($1, $2, $3, $4)"
UPDATE: Final = """
UPDATE {schema}.checkpoint SET seq = $1, batch = $2, ts = $3, next_number = $4
WHERE seq = $5 AND batch = $6
RETURNING true
"""
WRITE: Final = """
INSERT INTO {schema}.document
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])
ON CONFLICT (tablet, id) DO UPDATE
SET number = excluded.number, ts = excluded.ts, size = excluded.size, json = excluded.json
"""
REMOVE: Final = """
DELETE FROM {schema}.document AS gone USING unnest($1::bigint[], $2::text[]) AS named (tablet, id)
WHERE gone.tablet = named.tablet AND gone.id = named.id
"""
DROP: Final = """
DELETE FROM {schema}.document WHERE (tablet, id) IN (
    SELECT tablet, id FROM {schema}.document WHERE tablet = ANY($1) LIMIT $2
)
"""
CLOSE_EMPTY: Final = "UPDATE {schema}.head SET closed = true WHERE seq = 0 AND batch IS NULL RETURNING true"
TRUNCATE: Final = "TRUNCATE {schema}.document"
OPEN_WITH: Final = """
UPDATE {schema}.head SET seq = 1, batch = $1, ts = $2, closed = false
WHERE seq = 0 AND batch IS NULL AND closed
RETURNING true
"""
ADD_FIRST: Final = "INSERT INTO {schema}.log (seq, batch, node, ts, payload) VALUES (1, $1, $2, $3, $4)"
IS_FIRST: Final = "SELECT EXISTS (SELECT FROM {schema}.log WHERE seq = 1 AND batch = $1)"
READ: Final = """
SELECT tablet, id, number, ts, size, json FROM {schema}.document
WHERE $1::bigint[] IS NULL OR tablet = ANY($1) ORDER BY number
"""


class CheckpointRows:
    """The tables `checkpoint` and `document` of one schema."""

    def __init__(self, schema: str) -> None:
        self._schema = schema

    def sql(self, statement: str) -> str:
        """A statement about the tables of this schema."""
        return statement.format(schema=self._schema)

    async def present(self, connection: Connection) -> Checkpoint | None:
        row = await connection.fetchrow(self.sql(SELECT))
        if row is None:
            return None
        return Checkpoint(Position(row["seq"], row["batch"].bytes), row["ts"], row["next_number"])

    async def advance(self, connection: Connection, before: Position, change: CheckpointChange) -> bool:
        """See `SharedLog.advance_checkpoint`."""
        position, ts, next_number = change.checkpoint
        place = (position.seq, UUID(bytes=position.name), ts, next_number)
        async with connection.transaction():
            # First, so that of two nodes the second one waits here and then finds that it is too late.
            if before == START:
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", self.sql(SELECT))
                if await self.present(connection) is not None:
                    return False
                await connection.execute(self.sql(INSERT), *place)
            elif not await connection.fetchval(self.sql(UPDATE), *place, before.seq, UUID(bytes=before.name)):
                return False
            await self.add(connection, change.written, change.removed)
        return True

    async def add(
        self, connection: Connection, written: Sequence[StoredDocument], removed: Sequence[DocumentPlace]
    ) -> None:
        """Documents as they are now, and such that are no more."""
        if written:
            await connection.execute(self.sql(WRITE), *map(list, zip(*written, strict=True)))
        if removed:
            await connection.execute(self.sql(REMOVE), *map(list, zip(*removed, strict=True)))

    async def begin_founding(self, connection: Connection) -> None:
        """See `SharedLog`."""
        async with connection.transaction():
            if not await connection.fetchval(self.sql(CLOSE_EMPTY)):
                raise UnusableData(HAS_ENTRIES)
            await connection.execute(self.sql(TRUNCATE))

    async def found(self, connection: Connection, first: Entry, next_number: int) -> bool:
        """See `SharedLog`."""
        name = UUID(bytes=first.position.name)
        async with connection.transaction():
            if await connection.fetchval(self.sql(OPEN_WITH), name, first.ts):
                await connection.execute(self.sql(ADD_FIRST), name, first.node, first.ts, first.payload)
                await connection.execute(self.sql(INSERT), 1, name, first.ts, next_number)
                return True
        there: bool = await connection.fetchval(self.sql(IS_FIRST), name)
        return there

    async def drop(self, connection: Connection, tablets: Sequence[int]) -> bool:
        """Removes some documents of tables that are no more; whether there may be others."""
        done = await connection.execute(self.sql(DROP), list(tablets), DROPPED)
        return int(done.split()[-1]) == DROPPED


class RowsReader:
    """See `CheckpointReader`; inside of one transaction that sees one state."""

    def __init__(self, checkpoint: Checkpoint, connection: Connection, sql: str) -> None:
        self.checkpoint = checkpoint
        self._connection = connection
        self._sql = sql

    async def documents(self, tablets: Sequence[int] | None = None) -> AsyncIterator[list[StoredDocument]]:
        wanted = None if tablets is None else list(tablets)
        cursor: Any = await self._connection.cursor(self._sql, wanted, timeout=COPY_SECONDS)
        while rows := await cursor.fetch(READ_DOCUMENTS, timeout=COPY_SECONDS):
            yield [StoredDocument(*row) for row in rows]
