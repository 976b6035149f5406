"""A server's way to become a node, and back: one move at a time, and what is in the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random

import pytest

from database.nodes import joined
from database.stores import QUIET, insert
from parabola.database.database import Database, NodeIdentity
from parabola.database.model.errors import DataMoved
from parabola.database.shared_log.errors import LogUnreachable
from parabola.database.shared_log.log import SharedLog
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer, Network
from parabola.database.store.memory import MemoryPersistence
from parabola.services.freshness import Freshness
from parabola.services.moves import Moves, NewRole, RoleChanged
from parabola.services.node_list import NodeList
from parabola.values.errors import Conflict

ROLE = NewRole("postgresql://nowhere", "a", "s3://bucket")


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    database = await Database.open(MemoryPersistence(), retention=QUIET)
    await insert(database, "t", *({"n": float(n)} for n in range(10)))
    yield database
    await database.close()


@pytest.fixture
def log() -> MemoryLogServer:
    return MemoryLogServer(time.time_ns)


def moves_of(database: Database, log: MemoryLogServer, network: Network | None = None) -> Moves:
    async def open_log(role: NewRole) -> SharedLog:
        await asyncio.sleep(0)
        return MemoryLog(log, role.node or "", network)

    return Moves(database, open_log, "s3://bucket")


async def ended(moves: Moves) -> None:
    """Returns when a move has failed."""
    assert moves._task is not None
    await asyncio.wait([moves._task])


async def test_the_data_move_and_the_server_is_to_go_on_in_another_role(
    database: Database, log: MemoryLogServer
) -> None:
    moves = moves_of(database, log)
    assert moves.status()["state"] == "none"
    await moves.promote(NewRole(ROLE.database, "a"))
    assert await moves.changed == ROLE  # the files stay where they are
    status = moves.status()
    assert status["state"] == "moved"
    assert status["copied"] >= 10
    with pytest.raises(DataMoved):
        database.begin()
    with pytest.raises(Conflict, match="already"):
        await moves.promote(ROLE)
    assert "another role" in str(RoleChanged(ROLE))
    await moves.close()
    assert not log.is_closed


async def test_a_move_that_fails_leaves_everything_and_says_why(
    database: Database, log: MemoryLogServer
) -> None:
    other, _ = await joined(log, "other")
    moves = moves_of(database, log)
    await moves.promote(ROLE)
    await ended(moves)
    assert moves.status()["state"] == "failed"
    assert "a deployment in this database already" in moves.status()["message"]
    await insert(database, "t", {"n": 11.0})
    await moves.close()
    await other.close()


async def test_a_log_that_does_not_answer_is_a_failure(database: Database, log: MemoryLogServer) -> None:
    moves = moves_of(database, log, Network(Random(0), is_cut=True))
    await moves.promote(ROLE)
    await ended(moves)
    assert moves.status()["code"] == LogUnreachable.default_code
    await moves.close()


async def test_files_in_a_data_directory_are_in_the_way(database: Database, log: MemoryLogServer) -> None:
    moves = moves_of(database, log)
    row = {"storageId": "f", "key": "f", "sha256": b"", "size": 1.0}
    await database.transact(lambda tx: tx.insert_system("_file_storage", row), source="upload")
    with pytest.raises(Conflict, match="--include-file-storage"):
        await moves.promote(NewRole("postgresql://nowhere", "a", "s3://another"))
    await moves.promote(ROLE)
    await moves.changed
    await moves.close()


async def test_a_file_that_is_stored_during_a_move_to_another_place_ends_it(
    database: Database, log: MemoryLogServer
) -> None:
    moves = moves_of(database, log)
    row = {"storageId": "f", "key": "f", "sha256": b"", "size": 1.0}
    await moves.promote(NewRole("postgresql://nowhere", "a", "s3://another"))
    await database.transact(lambda tx: tx.insert_system("_file_storage", row), source="upload")
    await ended(moves)
    assert moves.status()["code"] == "LocalFiles"
    await insert(database, "t", {"n": 11.0})
    await moves.promote(ROLE)
    await moves.changed
    await moves.close()


async def test_of_two_moves_at_once_one_is_refused(database: Database, log: MemoryLogServer) -> None:
    moves = moves_of(database, log)
    outcomes = await asyncio.gather(*(moves.promote(ROLE) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [type(None), Conflict]
    await moves.changed
    await moves.close()


async def test_a_log_that_cannot_be_opened_leaves_another_move_free(
    database: Database, log: MemoryLogServer
) -> None:
    answers = [LogUnreachable("nobody answers"), MemoryLog(log, "a")]

    async def open_log(role: NewRole) -> SharedLog:
        await asyncio.sleep(0)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    moves = Moves(database, open_log, "s3://bucket")
    with pytest.raises(LogUnreachable):
        await moves.promote(ROLE)
    await moves.promote(ROLE)
    await moves.changed
    await moves.close()


async def test_who_is_alone_cannot_be_demoted_nor_a_node_be_promoted(
    database: Database, log: MemoryLogServer
) -> None:
    with pytest.raises(Conflict, match="alone already"):
        await moves_of(database, log).demote()
    node, _ = await joined(log, "a")
    with pytest.raises(Conflict, match="a node of a shared log already"):
        await moves_of(node, log).promote(ROLE)
    moves = moves_of(node, log)
    await moves.demote()
    assert await moves.changed == NewRole(file_storage="s3://bucket")
    assert log.is_closed
    await moves.close()
    await node.close()


async def test_every_node_lists_all_of_them(database: Database, log: MemoryLogServer) -> None:
    assert await NodeList(database, Freshness(database)).nodes() == []
    nodes = [
        await Database.open(
            MemoryPersistence(),
            log=MemoryLog(log, name),
            retention=QUIET,
            node=NodeIdentity(name, f"home of {name}"),
        )
        for name in "ba"
    ]
    lists = [NodeList(node, Freshness(node)) for node in nodes]
    for list in lists:
        found = await list.nodes()
        assert [node["name"] for node in found] == ["a", "b"]
        assert [node["state"] for node in found] == ["active", "active"]
        this = next(node for node in found if node["isThis"])
        assert this["ready"] is True
        assert this["behind"] == 0
        assert this["position"] == len(log.entries)
        other = next(node for node in found if not node["isThis"])
        assert other["incarnation"] != this["incarnation"]
    for node in nodes:
        await node.close()
