"""A process that is killed at any moment loses nothing it has acknowledged and leaves nothing half done."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import Random

import pytest

from database.stores import collect, opened
from parabola.database.database import Database

WRITER = """
import asyncio, sys
from parabola.database.store import write_ahead_log
from parabola.database.database import Database
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.model.errors import ConflictError

write_ahead_log.CHECKPOINT_PAGES = 100
write_ahead_log.RESTART_PAGES = 100

async def main():
    database = await Database.open(SqlitePersistence.open(sys.argv[1]))

    async def client(name):
        n = 0
        while True:
            tx = database.begin(writable=True)
            # Two documents in one commit, to be found together or not at all.
            for half in ("a", "b"):
                await tx.insert("t", {"client": name, "n": float(n), "half": half, "text": "x" * 200})
            try:
                await database.commit(tx)
            except ConflictError:
                continue
            print(name, n, flush=True)
            n += 1

    await asyncio.gather(*(client(f"{sys.argv[2]}-{i}") for i in range(8)))

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
async def test_killed_again_and_again_it_keeps_every_acknowledged_commit_whole(tmp_path: Path) -> None:
    random = Random(20)
    acknowledged: set[tuple[str, float]] = set()
    for round in range(6):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path), str(round), stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        lines = random.randrange(1, 400)
        while lines and (line := await writer.stdout.readline()):
            lines -= 1
            acknowledged.add(parsed(line))
        writer.send_signal(signal.SIGKILL)
        async for line in writer.stdout:  # what was said before the kill counts too
            if line.endswith(b"\n"):
                acknowledged.add(parsed(line))
        await writer.wait()
        async with opened(tmp_path) as database:
            # What the killed one left in its log does not stay there, to grow from kill to kill.
            assert (tmp_path / "parabola.sqlite3-wal").stat().st_size < 1024 * 1024
            await check(database, acknowledged)
    assert len(acknowledged) > 100


def parsed(line: bytes) -> tuple[str, float]:
    name, n = line.decode().split()
    return name, float(n)


async def check(database: Database, acknowledged: set[tuple[str, float]]) -> None:
    found = [document.value for document in await collect(database.begin(), "t")]
    halves = {half: {(d["client"], d["n"]) for d in found if d["half"] == half} for half in "ab"}
    assert halves["a"] == halves["b"]
    assert acknowledged <= halves["a"]
    assert len(found) == 2 * len(halves["a"]) == await database.begin().count("t")
