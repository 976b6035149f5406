"""What was answered to old mutations is forgotten, and what a client may still ask about is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from parabola.database.database import Database
from parabola.database.sqlite import SqlitePersistence
from parabola.functions.session_requests import SessionRequest, store_result, stored_result
from parabola.services.session_results import BATCH, KEPT_MS, SessionResults

SESSION = "1d6d6e3b-6d5a-4f3a-9e0a-0123456789ab"


async def store(database: Database, ids: range) -> None:
    tx = database.begin(writable=True)
    for id in ids:
        await store_result(tx, SessionRequest(SESSION, id), b"null", ())
    await database.commit(tx)


async def known(database: Database) -> set[int]:
    tx = database.begin()
    results = {id: await stored_result(tx, SessionRequest(SESSION, id)) for id in range(BATCH + 20)}
    return {id for id, result in results.items() if result is not None}


async def test_results_are_kept_for_two_weeks(tmp_path: Path) -> None:
    now = 1_700_000_000 * 10**9
    database = await Database.open(SqlitePersistence.open(tmp_path), clock=lambda: now)
    await store(database, range(BATCH + 10))
    now += 60 * 10**9
    await store(database, range(BATCH + 10, BATCH + 20))
    now += int(KEPT_MS * 1e6) - 30 * 10**9
    results = SessionResults(database)
    results.start()
    async with asyncio.timeout(30):
        changed = asyncio.Event()
        database.on_commit(lambda _write_set, _ts: changed.set())
        while len(left := await known(database)) > 10:
            await changed.wait()
            changed.clear()
    await results.close()
    assert left == set(range(BATCH + 10, BATCH + 20))
    await database.close()
