"""The tables of a shared log: made where they are missing, checked where they are there.

`head` has one row, which every append changes: room on its page is kept free, so that this costs no index and
no vacuum. `log` is cut into partitions by position; old ones are dropped as a whole. Payloads are compressed
already. `node` is what nodes say of themselves every second, `shared`
what they log while somebody follows that: a crash may lose both.
"""

from __future__ import annotations

import re
from typing import Final

import asyncpg

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.log import FIRST_ID
from parabola.database.shared_log.postgres.refusals import refusal
from parabola.database.shared_log.postgres.session import Connection

__all__ = ["LAYOUT", "PARTITION", "Tables", "layout_in"]

LAYOUT: Final = 2
OLDEST_SERVER: Final = 130000

PARTITION: Final = 262_144
"""Positions in one partition."""

CREATE: Final = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL,                  -- of the newest entry; 0 without any
    batch uuid,                           -- its name
    ts bigint NOT NULL,                   -- its timestamp, ns since 1970
    lane text,                            -- the node that alone may append
    lane_until timestamptz,
    closed boolean NOT NULL DEFAULT false
) WITH (fillfactor = 20);
CREATE TABLE IF NOT EXISTS {schema}.log (
    seq bigint NOT NULL,
    batch uuid NOT NULL,
    node text NOT NULL,
    ts bigint NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (seq)
) PARTITION BY RANGE (seq);
ALTER TABLE {schema}.log ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS {schema}.checkpoint (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL,
    batch uuid NOT NULL,
    ts bigint NOT NULL,
    next_number bigint NOT NULL           -- of the next revision
);
CREATE TABLE IF NOT EXISTS {schema}.document (
    tablet bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    number bigint NOT NULL,               -- of its revision
    ts bigint NOT NULL,
    size bigint NOT NULL,
    json bytea NOT NULL,
    PRIMARY KEY (tablet, id)
);
CREATE UNLOGGED TABLE IF NOT EXISTS {schema}.node (
    incarnation text PRIMARY KEY,
    status text NOT NULL,                 -- what it says of itself, in JSON
    seen timestamptz NOT NULL
) WITH (fillfactor = 20);
CREATE UNLOGGED TABLE IF NOT EXISTS {schema}.shared (
    at bigint PRIMARY KEY,                -- µs since 1970; each has one of its own
    text text NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.settings (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO {schema}.head (seq, ts) VALUES (0, 0) ON CONFLICT DO NOTHING;
INSERT INTO {schema}.settings VALUES ('layout', '{layout}'), ('next_id', '{first_id}') ON CONFLICT DO NOTHING;
"""

ADD_PARTITION: Final = """
CREATE TABLE {schema}.log_{number} (LIKE {schema}.log INCLUDING STORAGE);
ALTER TABLE {schema}.log ATTACH PARTITION {schema}.log_{number} FOR VALUES FROM ({first}) TO ({end});
"""
"""In two steps: to add a partition in one would lock the whole log for a moment."""

PARTITIONS: Final = """
SELECT substring(child.relname FROM '^log_(\\d+)$')::bigint AS number
FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class AS child ON child.oid = inhrelid
WHERE inhparent = to_regclass($1)
"""

SCHEMA: Final = "parabola"
"""Where the tables are unless somebody says otherwise."""
_LOOK_SECONDS: Final = 10.0

LOCK: Final = 7_236_103_381
"""Of the sessions that make tables, so that two of them do not get into each other's way."""


class Tables:
    """The tables in one schema of a PostgreSQL database."""

    def __init__(self, schema: str, partition: int) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
            raise UnusableData(f'"{schema}" cannot be the name of a schema: take small letters and digits.')
        self.schema = schema
        self._partition = partition
        self._known: set[int] = set()

    async def make(self, connection: Connection) -> None:
        """Makes what is missing. Raises `UnusableData` for a server or tables that cannot be used."""
        version = connection.get_server_version()
        if version.major * 10_000 < OLDEST_SERVER:
            raise UnusableData(
                f"PostgreSQL {version.major} is too old for a shared log. Use PostgreSQL "
                f"{OLDEST_SERVER // 10_000} or newer."
            )
        try:
            found = await self._layout(connection)
            if found is None:
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                    await connection.execute(
                        CREATE.format(schema=self.schema, layout=LAYOUT, first_id=FIRST_ID)
                    )
                found = await self._layout(connection)
        except asyncpg.PostgresError as error:
            raise refusal(error) from error
        if found != LAYOUT:
            raise UnusableData(_of_another_version(found))

    async def _layout(self, connection: Connection) -> int | None:
        settings = f"{self.schema}.settings"
        if await connection.fetchval("SELECT to_regclass($1)", settings) is None:
            return None
        found = await connection.fetchval(f"SELECT value FROM {settings} WHERE name = 'layout'")
        return None if found is None else int(found)

    async def see_to_partitions(self, connection: Connection, seq: int) -> None:
        """There is room behind a position, for the next entries and many more."""
        number = seq // self._partition
        missing = {number, number + 1} - self._known
        if not missing:
            return
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            self._known = await self._partitions(connection)
            for each in sorted(missing - self._known):
                first = each * self._partition
                await connection.execute(
                    ADD_PARTITION.format(
                        schema=self.schema, number=each, first=first, end=first + self._partition
                    )
                )
        self._known |= missing

    async def drop_partitions(self, connection: Connection, before: int) -> None:
        """Of the entries before a position those go of which the whole partition may."""
        for number in sorted(await self._partitions(connection)):
            if (number + 1) * self._partition <= before:
                await connection.execute(f"DROP TABLE {self.schema}.log_{number}")

    async def _partitions(self, connection: Connection) -> set[int]:
        rows = await connection.fetch(PARTITIONS, f"{self.schema}.log")
        return {row["number"] for row in rows}


async def layout_in(address: str, schema: str = SCHEMA) -> int:
    """The layout of the log at an address, which is only read. Raises `UnusableData` where there is none, or
    one that this version cannot use.
    """
    tables = Tables(schema, PARTITION)
    try:
        connection = await asyncpg.connect(address, timeout=_LOOK_SECONDS, command_timeout=_LOOK_SECONDS)
    except asyncpg.PostgresError as error:
        raise refusal(error) from error
    except (asyncpg.InterfaceError, OSError, ValueError, TimeoutError) as error:
        raise UnusableData(
            f"PostgreSQL does not answer: {error or 'in time'}. Look at the address, and whether it runs."
        ) from error
    try:
        found = await tables._layout(connection)
    except asyncpg.PostgresError as error:
        raise refusal(error) from error
    finally:
        await connection.close()
    if found is None:
        raise UnusableData("There is no shared log in this database. The first node makes one.")
    if found != LAYOUT:
        raise UnusableData(_of_another_version(found))
    return found


def _of_another_version(layout: int | None) -> str:
    return (
        f"The shared log was made by another version of Parabola (its layout is {layout}, this one's "
        f"{LAYOUT}). Use the version that made it."
    )
