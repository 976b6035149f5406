"""A log in PostgreSQL when things go wrong: connections that break or say nothing, crashes, settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from database.nodes import joined_to
from database.shared_log.logs import PostgresLogs, postgres_server
from database.shared_log.postgres.proxy import Proxy
from database.stores import insert, values
from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.appending import append_until_known
from parabola.database.shared_log.errors import LogUnreachable, ReplicaTooOld
from parabola.database.shared_log.log import START, Appended, Position
from parabola.database.shared_log.postgres import courtesy, postgres_log, session
from parabola.database.shared_log.postgres.postgres_log import PostgresLog
from parabola.database.transaction import Transaction

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16


@pytest.fixture
async def logs() -> AsyncIterator[PostgresLogs]:
    async with PostgresLogs() as logs:
        yield logs


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    proxy = await Proxy.start("127.0.0.1", postgres_server().port)
    yield proxy
    await proxy.close()


def adding(id: str) -> Callable[[Transaction], Awaitable[None]]:
    async def add(tx: Transaction) -> None:
        document = await tx.get(id)
        assert document is not None
        await tx.patch(id, {"n": document.value["n"] + 1.0})

    return add


# Nodes


async def test_databases_share_a_log_in_postgresql(logs: PostgresLogs) -> None:
    nodes = [await joined_to(await logs.node(name)) for name in "abc"]
    [id] = await insert(nodes[0], "t", {"n": 0.0})
    for database in nodes:
        await database.catch_up()
    await asyncio.gather(
        *(database.transact(adding(id), source="add") for database in nodes for _ in range(15))
    )
    for database in nodes:
        await database.catch_up()
        assert await values(database, "t") == [{"n": 45.0}]
    for database in nodes:
        await database.close()


async def test_after_a_crash_of_postgresql_writes_go_on_and_none_is_lost_or_doubled(
    logs: PostgresLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [await joined_to(await logs.node(name)) for name in "ab"]
    [id] = await insert(nodes[0], "t", {"n": 0.0})
    await nodes[1].catch_up()
    some = asyncio.Event()

    async def add(database: Any) -> None:
        await database.transact(adding(id), source="add")
        some.set()

    writing = [asyncio.create_task(add(database)) for database in nodes for _ in range(20)]
    await some.wait()
    await asyncio.to_thread(logs.server.kill)
    assert await values(nodes[0], "t") != []  # reads go on
    await asyncio.to_thread(logs.server.start)
    async with asyncio.timeout(60):
        await asyncio.gather(*writing)
        for database in nodes:
            await database.catch_up()
            assert await values(database, "t") == [{"n": 40.0}]
            assert database.fault is None
            await database.close()


# Connections


async def test_of_an_append_whose_answer_is_lost_nobody_knows_and_the_position_tells(
    logs: PostgresLogs, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.3)
    log = await logs.node("a", url=proxy.url)
    assert await log.append(START, A, 1, b"") is Appended.OURS
    proxy.swallow_answers()
    assert await log.append(Position(1, A), B, 2, b"") is Appended.UNKNOWN
    with pytest.raises(LogUnreachable, match="does not answer"):
        await log.head()
    proxy.let_pass()
    assert await log.name_at(2) == B
    assert (await log.head()).position == Position(2, B)


async def test_of_an_append_that_is_lost_nobody_knows_and_it_is_sent_again(
    logs: PostgresLogs, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.3)
    log = await logs.node("a", url=proxy.url)
    assert await log.append(START, A, 1, b"") is Appended.OURS
    proxy.swallow_questions()
    appending = asyncio.create_task(append_until_known(log, Position(1, A), B, 2, b""))
    await asyncio.sleep(0.4)
    assert not appending.done()
    proxy.let_pass()
    assert await appending
    assert (await log.head()).position == Position(2, B)


async def test_a_connection_that_is_cut_is_made_anew(logs: PostgresLogs, proxy: Proxy) -> None:
    log = await logs.node("a", url=proxy.url)
    position = START
    for name in (A, B, C):
        assert await append_until_known(log, position, name, 1, b"")
        position = Position(position.seq + 1, name)
        proxy.cut()
    with pytest.raises(LogUnreachable):
        await log.head()
    assert (await log.head()).position == position


async def test_a_session_that_the_server_ended_is_made_anew(logs: PostgresLogs) -> None:
    log = await logs.node("a")
    assert await log.append(START, A, 1, b"") is Appended.OURS
    await logs.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    assert await append_until_known(log, Position(1, A), B, 2, b"")


async def test_where_nobody_answers_the_address_is_told_without_its_password() -> None:
    with pytest.raises(LogUnreachable) as refused:
        await PostgresLog.open("postgresql://u:geheim@127.0.0.1:1/db", "a", clock=time.time_ns)
    assert "127.0.0.1:1/db" in str(refused.value)
    assert "geheim" not in str(refused.value)


async def test_of_several_hosts_the_one_that_takes_writes_is_used(logs: PostgresLogs) -> None:
    url = logs.server.url.replace("127.0.0.1:", f"127.0.0.1:1,127.0.0.1:{logs.server.port}", 1)
    url = url.replace(f"{logs.server.port}{logs.server.port}", f"{logs.server.port}")
    log = await logs.node("a", url=url)
    assert await log.append(START, A, 1, b"") is Appended.OURS


async def test_an_append_that_waited_too_long_for_another_ones_is_not_there(
    logs: PostgresLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncpg

    monkeypatch.setattr(session, "SETTINGS", session.SETTINGS.replace("'2s'", "'50ms'"))
    log = await logs.node("a")
    other = await asyncpg.connect(logs.server.url)
    holding = other.transaction()
    await holding.start()
    await other.execute(f"SELECT * FROM {logs.schema}.head FOR UPDATE")
    assert await log.append(START, A, 1, b"") is Appended.MOVED
    await holding.rollback()
    await other.close()
    assert await log.append(START, A, 1, b"") is Appended.OURS


async def test_what_a_role_has_set_otherwise_does_not_count(logs: PostgresLogs) -> None:
    role = f"sloppy_{logs.schema}"
    await logs.sql(f"CREATE ROLE {role} LOGIN SUPERUSER")
    for setting in (
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
        "search_path = nowhere",
        "statement_timeout = '1ms'",
    ):
        await logs.sql(f"ALTER ROLE {role} SET {setting}")
    log = await logs.node("a", url=logs.server.url.replace("parabola@", f"{role}@"))
    assert isinstance(log, PostgresLog)

    async def settings(connection: Any) -> list[str]:
        names = ("synchronous_commit", "transaction_isolation", "search_path", "statement_timeout")
        return [await connection.fetchval(f"SHOW {name}") for name in names]

    assert await log._writing.run(settings) == ["on", "read committed", "pg_catalog", "5s"]
    assert await log.append(START, A, 1, b"") is Appended.OURS


async def test_news_come_without_notices_as_well(logs: PostgresLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresLog, "_hear", lambda *arguments: None)
    monkeypatch.setattr(postgres_log, "POLL_SECONDS", 0.01)
    a, b = await logs.node("a"), await logs.node("b")
    heard = asyncio.Event()
    b.follow(lambda seq: heard.set() if seq == 1 else None)
    assert await a.append(START, A, 1, b"") is Appended.OURS
    async with asyncio.timeout(20):
        await heard.wait()


async def test_who_lost_a_race_queues_and_is_not_in_the_way(
    logs: PostgresLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courtesy, "HELD_SECONDS", 60.0)
    monkeypatch.setattr(courtesy, "COURTEOUS_SECONDS", 60.0)
    a, b = await logs.node("a"), await logs.node("b")

    async def queued() -> int:
        locks = await logs.sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
        return len(locks)

    assert await a.append(START, A, 1, b"") is Appended.OURS
    assert await b.append(START, B, 1, b"") is Appended.MOVED
    assert await queued() == 0
    assert await b.append(START, B, 1, b"") is Appended.MOVED
    assert await queued() == 1  # kept for the next attempt
    assert await a.append(Position(1, A), A, 2, b"") is Appended.OURS
    assert await b.append(Position(2, A), B, 3, b"") is Appended.OURS
    assert await queued() == 0


# The tables


async def test_the_log_goes_on_over_the_ends_of_partitions_and_old_ones_go(
    logs: PostgresLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_log, "POLL_SECONDS", 3600.0)
    log = await logs.node("a", partition=3)
    assert isinstance(log, PostgresLog)
    position = START
    for at in range(1, 12):
        name = bytes([at]) * 16
        assert await log.append(position, name, at, b"") is Appended.OURS
        position = Position(at, name)
        await log._look()
    assert len(await log.entries_after(START, 10_000)) == 11
    await log.forget_before(8)
    first = (await logs.sql("SELECT min(seq) FROM {schema}.log"))[0][0]
    assert first == 6
    for known in (START, Position(2, b"\x02" * 16), Position(5, b"\x05" * 16)):
        with pytest.raises(ReplicaTooOld):
            await log.entries_after(known, 10_000)
    assert len(await log.entries_after(Position(6, b"\x06" * 16), 10_000)) == 5


async def test_nodes_that_come_first_together_make_the_tables_once(logs: PostgresLogs) -> None:
    nodes = await asyncio.gather(*(logs.node(name) for name in "abcdef"))
    assert {(await node.head()).position for node in nodes} == {START}


async def test_tables_of_another_version_are_left_alone(logs: PostgresLogs) -> None:
    await logs.node("a")
    await logs.sql("UPDATE {schema}.settings SET value = '7' WHERE name = 'layout'")
    with pytest.raises(UnusableData, match="another version of Parabola"):
        await logs.node("b")


async def test_a_user_who_may_make_no_tables_is_told_what_it_needs(logs: PostgresLogs) -> None:
    role = f"reader_{logs.schema}"
    await logs.sql(f"CREATE ROLE {role} LOGIN")
    url = logs.server.url.replace("parabola@", f"{role}@")
    with pytest.raises(UnusableData, match="grant it CREATE"):
        await logs.node("a", url=url)
    await logs.node("b")
    with pytest.raises(UnusableData, match="grant it CREATE"):
        await logs.node("a", url=url)


@pytest.mark.parametrize(
    ("change", "advice"),
    [(("/postgres", "/nowhere"), "createdb"), (("parabola@", "nobody_at_all@"), "user and password")],
)
async def test_an_address_that_leads_nowhere_says_what_is_wrong(
    logs: PostgresLogs, change: tuple[str, str], advice: str
) -> None:
    with pytest.raises(UnusableData, match=advice):
        await logs.node("a", url=logs.server.url.replace(*change))


async def test_a_schema_has_a_plain_name(logs: PostgresLogs) -> None:
    logs.schema = 'x"; DROP TABLE'
    with pytest.raises(UnusableData, match="small letters"):
        await logs.node("a")
