"""From a server that is alone to the first node of a shared log, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from database.searching import create_indexes, words
from database.shared_log.logs import LOGS, Logs
from database.stores import QUIET, collect, create_index, insert, patch, range_of, values
from parabola.database.database import Database
from parabola.database.model.errors import StorageError, UnusableData
from parabola.database.moving import demoted, promoted
from parabola.database.node import open_node
from parabola.database.shared_log.log import SharedLog
from parabola.database.store.memory import MemoryPersistence
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.upkeep.checkpointing import Checkpointing


@pytest.fixture(params=LOGS, ids=lambda kind: kind.__name__)
def logs(request: pytest.FixtureRequest) -> Logs:
    made: Logs = request.param()
    return made


async def alone(directory: Path) -> Database:
    return await Database.open(SqlitePersistence.open(directory), retention=QUIET)


async def node(directory: Path, log: SharedLog) -> Database:
    return await open_node(directory, log, retention=QUIET, clock=log.now_ns)


async def promote(database: Database, log: SharedLog) -> int:
    """What a server does; how many documents it copied."""
    copied: list[int] = []
    async with promoted(database, log, copied.append):
        pass
    await log.close()
    await database.close()
    return sum(copied)


async def filled(directory: Path) -> Database:
    """A database with a table, an index of each kind, and documents that were changed and removed."""
    database = await alone(directory)
    await create_index(database, "t", "by_n", "n")
    await create_indexes(database, "t")
    ids = await insert(database, "t", *({"n": float(n), "text": f"word{n % 3}"} for n in range(40)))
    for id in ids[:10]:
        await patch(database, id, {"n": -1.0})

    async def remove(tx) -> None:  # type: ignore[no-untyped-def]
        for id in ids[30:]:
            await tx.delete(id)

    await database.transact(remove, source="remove")
    return database


async def test_the_data_of_one_server_become_that_of_all_nodes(logs: Logs, tmp_path: Path) -> None:
    async with logs:
        database = await filled(tmp_path / "a")
        expected, next_id = await values(database, "t"), database.new_id()
        assert await promote(database, await logs.node("a")) >= 30
        a = await node(tmp_path / "a", await logs.node("a"))
        b = await node(tmp_path / "b", await logs.node("b"))
        for each in (a, b):
            assert await values(each, "t") == expected
            assert len(await collect(each.begin(), range_of("t.by_n"))) == 30
            assert len(await collect(each.begin(), words("word1"))) == 10
            assert each.new_id() >= next_id
        assert a.latest_ts == b.latest_ts
        await insert(b, "t", {"n": 100.0, "text": "word1"})
        await patch(a, (await collect(a.begin(), range_of("t.by_n")))[0].id, {"n": 50.0})
        for each in (a, b):
            await each.catch_up()
            assert len(await collect(each.begin(), words("word1"))) == 11
        assert await values(a, "t") == await values(b, "t")
        await Checkpointing(await logs.node("keeper")).run_once()
        c = await node(tmp_path / "c", await logs.node("c"))
        assert await values(c, "t") == await values(a, "t")
        for each in (a, b, c):
            await each.close()


async def test_writes_go_on_meanwhile_and_none_is_missing(logs: Logs, tmp_path: Path) -> None:
    async with logs:
        random = Random(4)
        database = await alone(tmp_path)
        ids = await insert(database, "t", *({"n": 0.0} for _ in range(600)))
        acknowledged: dict[str, float] = {}
        wrote = asyncio.Semaphore(0)

        async def write() -> None:
            for n in range(1, 10_000):
                id = random.choice(ids)
                await patch(database, id, {"n": float(n)})
                acknowledged[id] = float(n)
                wrote.release()

        writing = asyncio.create_task(write())
        log = await logs.node("a")
        add = log.add_documents

        async def after_some_writes(*arguments: Any) -> None:
            if len(acknowledged) < 20:
                await wrote.acquire()
            await add(*arguments)

        log.add_documents = after_some_writes  # type: ignore[method-assign]
        async with promoted(database, log, lambda count: None):
            held = dict(acknowledged)
            for _ in range(20):
                await asyncio.sleep(0)
            assert acknowledged == held  # nothing is taken any more
            writing.cancel()
            await asyncio.wait([writing])
        assert held
        await database.close()
        for name in ("a", "b"):
            directory = tmp_path if name == "a" else tmp_path / "b"
            opened = await node(directory, await logs.node(name))
            found = {id: (await opened.begin().get(id)) for id in ids}
            shown = {id: document.value["n"] for id, document in found.items() if document is not None}
            assert shown == {**dict.fromkeys(ids, 0.0), **held}
            await opened.close()


async def test_a_log_that_has_a_deployment_is_left_alone(logs: Logs, tmp_path: Path) -> None:
    async with logs:
        other = await Database.open(MemoryPersistence(), log=await logs.node("other"), retention=QUIET)
        database = await filled(tmp_path)
        expected = await values(database, "t")
        with pytest.raises(UnusableData, match="a deployment in this database already"):
            async with promoted(database, await logs.node("a"), lambda count: None):
                pass
        await insert(other, "t", {"n": 1.0})
        await insert(database, "t", {"n": 1.0})  # both go on as they were
        assert len(await values(database, "t")) == len(expected) + 1
        await database.close()
        await other.close()


async def test_an_attempt_that_was_given_up_leaves_nothing_that_matters(logs: Logs, tmp_path: Path) -> None:
    async with logs:
        database = await filled(tmp_path / "a")
        log = await logs.node("a")

        def give_up(count: int) -> None:
            raise RuntimeError("given up")

        with pytest.raises(RuntimeError, match="given up"):
            async with promoted(database, log, give_up):
                pass
        joining = asyncio.create_task(node(tmp_path / "b", await logs.node("b")))
        for document in await collect(database.begin(), range_of("t.by_n")):
            await patch(database, document.id, {"n": 7.0})
        expected = await values(database, "t")
        await asyncio.sleep(0.05)
        assert not joining.done()  # who joins waits for what the log begins with
        await promote(database, log)
        b = await joining
        assert await values(b, "t") == expected
        await b.close()


async def test_a_copy_is_not_opened_as_the_data_of_one_server(logs: Logs, tmp_path: Path) -> None:
    async with logs:
        database = await filled(tmp_path)
        await promote(database, await logs.node("a"))
        with pytest.raises(UnusableData, match="a copy of a log that several servers share"):
            await alone(tmp_path)


async def test_a_node_becomes_a_server_that_is_alone_and_the_others_stop(logs: Logs, tmp_path: Path) -> None:
    async with logs:
        a = await node(tmp_path / "a", await logs.node("a"))
        b = await node(tmp_path / "b", await logs.node("b"))
        await create_index(b, "t", "by_n", "n")
        await insert(b, "t", {"n": 1.0})
        expected = await values(b, "t")
        async with demoted(a):
            assert a.latest_ts == b.latest_ts
        await a.close()
        single = await alone(tmp_path / "a")
        assert await values(single, "t") == expected
        assert single.new_id() > b.new_id()
        await create_index(single, "u", "by_n", "n")
        await insert(single, "u", {"n": 2.0})
        writing = asyncio.create_task(insert(b, "t", {"n": 3.0}))
        closed = asyncio.Event()
        assert b.contact is not None
        b.contact.on_change(closed.set)
        while not b.contact.is_closed:
            await closed.wait()
        assert not writing.done()
        await b.close()
        with pytest.raises(StorageError):
            await writing
        await single.close()
        single = await alone(tmp_path / "a")
        assert await values(single, "u") == [{"n": 2.0}]
        log = await logs.node("again")
        with pytest.raises(UnusableData, match="a deployment in this database already"):
            async with promoted(single, log, lambda count: None):
                pass
        await single.close()
