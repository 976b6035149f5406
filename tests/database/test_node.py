"""A node of a shared log and its directory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from database.nodes import joined
from database.stores import QUIET, insert, values
from parabola.database.database import Database
from parabola.database.model.errors import DataDirectoryLocked, UnusableData
from parabola.database.node import open_node
from parabola.database.shared_log.errors import UnreadableEntry
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from parabola.database.store.sqlite import SqlitePersistence


async def node(server: MemoryLogServer, directory: Path) -> Database:
    return await open_node(directory, MemoryLog(server, "a"), retention=QUIET)


async def test_a_copy_that_the_log_contradicts_is_made_anew_and_other_files_stay(tmp_path: Path) -> None:
    server = MemoryLogServer(time.time_ns)
    a = await node(server, tmp_path)
    await insert(a, "t", {"n": 1.0})
    await insert(a, "t", {"n": 2.0})
    await a.close()
    (tmp_path / "storage").mkdir()
    server.lose(1)
    b, _ = await joined(server, "b")
    await insert(b, "t", {"n": 3.0})
    a = await node(server, tmp_path)
    assert await values(a, "t") == [{"n": 1.0}, {"n": 3.0}]
    assert (tmp_path / "storage").is_dir()
    await a.close()
    await b.close()


async def test_what_has_never_been_a_copy_is_left_alone(tmp_path: Path) -> None:
    single = await Database.open(SqlitePersistence.open(tmp_path))
    await insert(single, "t", {"n": 1.0})
    await single.close()
    with pytest.raises(UnusableData):
        await node(MemoryLogServer(time.time_ns), tmp_path)
    single = await Database.open(SqlitePersistence.open(tmp_path))
    assert await values(single, "t") == [{"n": 1.0}]
    await single.close()


async def test_before_an_entry_of_a_newer_version_a_copy_stays_what_it_is(tmp_path: Path) -> None:
    server = MemoryLogServer(time.time_ns)
    a = await node(server, tmp_path)
    await insert(a, "t", {"n": 1.0})
    position = a.persistence.position  # type: ignore[attr-defined]
    await a.close()
    log = MemoryLog(server, "newer")
    await log.append(position, b"n" * 16, server.clock(), b"\x09")
    with pytest.raises(UnreadableEntry, match="Upgrade this node"):
        await node(server, tmp_path)
    server.lose(1)
    a = await node(server, tmp_path)
    assert await values(a, "t") == [{"n": 1.0}]
    await a.close()


async def test_a_store_in_use_is_not_removed(tmp_path: Path) -> None:
    store = SqlitePersistence.open(tmp_path)
    with pytest.raises(DataDirectoryLocked):
        SqlitePersistence.remove(tmp_path)
    await store.close()
    SqlitePersistence.remove(tmp_path)
    assert os.listdir(tmp_path) == ["parabola.lock"]
