"""A node in a process of its own, for tests that kill it: requests and answers are lines of JSON.

python node_process.py DIRECTORY URL SCHEMA NAME
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from database.cluster import nothing, perform
from database.stores import collect, range_of
from parabola.database.commits.turns import Turn
from parabola.database.database import Database
from parabola.database.model.errors import StorageError
from parabola.database.node import open_node
from parabola.database.shared_log.errors import LogUnreachable
from parabola.database.shared_log.postgres.postgres_log import PostgresLog


async def opened(directory: str, url: str, schema: str, name: str) -> Database:
    while True:
        try:
            log = await PostgresLog.open(url, name, clock=time.time_ns, schema=schema)
            return await open_node(directory, log)
        except LogUnreachable:
            await asyncio.sleep(0.05)


async def mutate(database: Database, key: str, program: list[Any]) -> int:
    """Runs a program once for a key, and notes in the same transaction what it saw."""

    async def attempt(turn: Turn) -> int:
        tx = database.begin(writable=True)
        equal = {"type": "Eq", "fieldPath": "key", "value": key}
        if await collect(tx, range_of("requests.by_key", equal)):
            return await database.confirm_reads(tx)
        seen = await perform(tx, program, nothing)
        await tx.insert("requests", {"key": key, "program": json.dumps(program), "seen": json.dumps(seen)})
        return await database.commit(tx, on_validated=lambda ts: turn.end())

    return await database.contend(attempt)


async def answer(database: Database, request: dict[str, Any]) -> None:
    try:
        if request["kind"] == "query":
            await database.catch_up()
            tx = database.begin()
            done: Any = {"ts": tx.begin_ts, "seen": await perform(tx, request["program"], nothing)}
        else:
            done = {"ts": await mutate(database, request["key"], request["program"])}
    except StorageError as error:
        done = {"error": str(error)}
    print(json.dumps({"id": request["id"], **done}), flush=True)


async def main() -> None:
    database = await opened(*sys.argv[1:])
    print(json.dumps({"id": 0}), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    tasks: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        if database.fault is not None:
            raise SystemExit(3)  # whoever looks after it starts it again
        task = asyncio.create_task(answer(database, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    asyncio.run(main())
