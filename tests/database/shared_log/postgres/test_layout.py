"""Which layout a log in PostgreSQL has, by looking alone."""

from __future__ import annotations

import pytest

from database.shared_log.logs import PostgresLogs
from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.postgres.tables import LAYOUT, layout_in


async def test_the_layout_of_a_log_is_told_and_nothing_made() -> None:
    async with PostgresLogs() as logs:
        with pytest.raises(UnusableData, match="There is no shared log in this database"):
            await layout_in(logs.server.url, logs.schema)
        assert await logs.sql("SELECT to_regclass('{schema}.settings') AS found") == [(None,)]
        await logs.node("a")
        assert await layout_in(logs.server.url, logs.schema) == LAYOUT


async def test_a_log_of_another_version_is_said() -> None:
    async with PostgresLogs() as logs:
        await logs.node("a")
        await logs.sql("UPDATE {schema}.settings SET value = '99' WHERE name = 'layout'")
        with pytest.raises(UnusableData, match="made by another version of Parabola"):
            await layout_in(logs.server.url, logs.schema)


async def test_a_server_that_does_not_answer_is_said() -> None:
    for address in ("postgresql://nobody@127.0.0.1:1/nothing", "nonsense://here"):
        with pytest.raises(UnusableData, match="PostgreSQL does not answer"):
            await layout_in(address)
