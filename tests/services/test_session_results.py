"""What was answered to old mutations is forgotten, and what a client may still ask about is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from database.stores import Clock, opened
from parabola.database.database import Database
from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.calls.session_requests import SessionRequest, store_result, stored_result
from parabola.functions.deployed.function_path import parse_path
from parabola.services.session_results import BATCH, SessionResults
from parabola.services.settings import ServiceSettings

SESSION = "1d6d6e3b-6d5a-4f3a-9e0a-0123456789ab"
CALL = Call(parse_path("m:f"), EncodedArguments({}))


async def store(database: Database, ids: range, *, writing: bool = True) -> None:
    for id in ids:
        tx = database.begin(writable=True)
        if writing:
            await tx.insert("t", {"n": float(id)})
        await store_result(tx, SessionRequest(SESSION, id), CALL, b"null", ())
        await database.commit(tx)


async def known(database: Database) -> set[int]:
    tx = database.begin()
    results = {id: await stored_result(tx, SessionRequest(SESSION, id), CALL) for id in range(BATCH + 20)}
    return {id for id, result in results.items() if result is not None}


DAY = 24 * 3600.0


async def pass_time(database: Database, clock: Clock, seconds: float) -> None:
    for _ in range(20):
        clock.advance(seconds / 20)
        await database.vacuum()


@pytest.mark.parametrize("days", [14.0, 2.0])
async def test_results_are_kept_for_as_long_as_is_set(tmp_path: Path, days: float) -> None:
    settings, kept = ServiceSettings(mutation_results_seconds=days * DAY), days * DAY
    assert days != 14 or settings == ServiceSettings()
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        await store(database, range(BATCH + 10))
        await pass_time(database, clock, kept * 0.5)
        await store(database, range(BATCH + 10, BATCH + 20))
        await pass_time(database, clock, kept * 0.7)
        results = SessionResults(database, settings)
        results.start()
        async with asyncio.timeout(30):
            changed = asyncio.Event()
            database.on_commit(lambda _write_set, _ts: changed.set())
            while len(left := await known(database)) > 10:
                await changed.wait()
                changed.clear()
        await results.close()
        assert left == set(range(BATCH + 10, BATCH + 20))


@pytest.mark.parametrize("hours", [1.0, 10.0])
async def test_results_of_mutations_that_wrote_nothing_are_kept_for_an_hour(
    tmp_path: Path, hours: float
) -> None:
    settings, kept = ServiceSettings(unchanged_results_seconds=hours * 3600), hours * 3600
    assert hours != 1 or settings == ServiceSettings()
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        results = SessionResults(database, settings)
        await store(database, range(BATCH + 10), writing=False)
        await store(database, range(BATCH + 10, BATCH + 15))
        await results.run_once()
        assert len(await known(database)) == BATCH + 15
        await pass_time(database, clock, kept * 0.9)
        await results.run_once()
        assert len(await known(database)) == BATCH + 15
        await pass_time(database, clock, kept * 0.4)
        await store(database, range(BATCH + 15, BATCH + 20), writing=False)
        await results.run_once()
        assert await known(database) == set(range(BATCH + 10, BATCH + 20))


@pytest.mark.parametrize("writing", [True, False])
async def test_a_clock_that_jumps_makes_no_result_old(tmp_path: Path, writing: bool) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        results = SessionResults(database, ServiceSettings())
        await store(database, range(5), writing=writing)
        clock.advance(20)
        clock.jump(100 * 24 * 3600)
        await database.vacuum()
        await results.run_once()
        assert await known(database) == set(range(5))
