"""Queries that are run while the disk confirms what they read: sooner, and seen by nobody before."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.engine import Engine, ScriptedRun, ScriptedWorld, running
from parabola.database.model.errors import StorageError, StorageFull
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.queries import query_line
from parabola.functions.queries.foresight import MOST_RUNS
from parabola.functions.queries.live_query import LiveQuery
from parabola.functions.queries.query_line import PLACES_OF_A_HOST, QueryLine
from parabola.functions.settings import FunctionSettings


def notes_world(pause: Callable[[], Awaitable[None]] | None = None) -> ScriptedWorld:
    world = ScriptedWorld()

    @world.query("n:all")
    async def everything(run: ScriptedRun, args: dict) -> list:
        texts = [row["text"] for row in await run.all(args.get("table", "notes"))]
        if pause is not None:
            await pause()
        run.log(*texts)
        return texts

    @world.query("n:strict")
    async def strict(run: ScriptedRun, args: dict) -> int:
        rows = await run.all("notes")
        if len(rows) % 2:
            raise ValueError(f"odd: {rows[-1]['text']}")
        return len(rows)

    @world.query("n:page")
    async def page(run: ScriptedRun, args: dict) -> list:
        query = {"source": {"type": "FullTableScan", "tableName": "notes", "order": "asc"}, "operators": []}
        asked = {"query": query, "cursor": None, "endCursor": None, "pageSize": 2, "maximumRowsRead": None}
        return [row["text"] for row in (await run.call("1.0/queryPage", asked))["page"]]

    @world.mutation("n:add")
    async def add(run: ScriptedRun, args: dict) -> str:
        return await run.insert(args.get("table", "notes"), text=args["text"])

    return world


class Follower:
    """A holder as a socket is: told of a change it asks again in the next turn of the event loop."""

    def __init__(self, engine: Engine, path: str, args: dict | None = None) -> None:
        self.engine = engine
        self.args = args or {}
        self.is_over = False
        self.seen: list[FunctionResult] = []
        self.is_quiet = asyncio.Event()
        self.live: LiveQuery = engine.live(path, self.args, on_invalid=self._wake, asks_again=True)
        self._wake()

    def close(self) -> None:
        self.is_over = True
        self.live.close()

    def _wake(self) -> None:
        self.is_quiet.clear()
        asyncio.get_running_loop().call_soon(self._ask)

    def _ask(self) -> None:
        self.live.tell_at(self.engine.database.durable_ts, self._told)

    def _told(self, found: FunctionResult | BaseException) -> None:
        if isinstance(found, BaseException):  # a fault: a socket asks again later
            asyncio.get_running_loop().call_later(0.001, self._ask)
            return
        assert found.ts <= self.engine.database.durable_ts
        self.seen.append(found)
        self.is_quiet.set()


class Disk:
    """Confirms nothing before it `may`; `loses` says that the next group is lost then."""

    def __init__(self, engine: Engine) -> None:
        self.may = asyncio.Event()
        self.loses = False
        self.began = asyncio.Event()
        store = engine.database.persistence
        self._store, self._flush = store, store.flush
        store.flush = self.flush  # type: ignore[method-assign]

    async def flush(self) -> None:
        self.began.set()
        await self.may.wait()
        if self.loses:
            self.loses = False
            store = self._store
            store._roll_back(sqlite3.OperationalError("full"))  # type: ignore[attr-defined]
            raise StorageFull("No room for the write.")
        await self._flush()


async def rounds(number: int = 30) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@asynccontextmanager
async def followed(directory: Path, path: str = "n:all") -> AsyncIterator[tuple[Engine, Follower, Disk]]:
    async with running(directory, notes_world()) as engine:
        await engine.mutation("n:add", {"text": "first"})
        follower = Follower(engine, path)
        await follower.is_quiet.wait()
        yield engine, follower, Disk(engine)


def runs_of(engine: Engine, name: str = "all") -> int:
    return sum(run["path"] == f"n.py:{name}" for run in engine.world.runs)


async def test_it_runs_while_the_disk_works_and_is_told_when_that_is_done(tmp_path: Path) -> None:
    async with followed(tmp_path) as (engine, follower, disk):
        cache, before = engine.runner.query_cache, len(engine.runner.log.after(0))
        executions = cache.executions
        adding = asyncio.create_task(engine.mutation("n:add", {"text": "second"}))
        await disk.began.wait()
        await rounds()
        assert runs_of(engine) == 2
        # Nobody is told, nothing is counted, and who asks gets what is durable.
        assert len(follower.seen) == 1
        assert cache.executions == executions
        assert (await engine.query("n:all")).value == ["first"]
        assert len(engine.runner.log.after(0)) == before
        disk.may.set()
        await adding
        await follower.is_quiet.wait()
        assert [result.value for result in follower.seen] == [["first"], ["first", "second"]]
        assert runs_of(engine) == 2
        assert cache.executions == executions + 1
        assert follower.seen[-1].ts == engine.database.durable_ts
        assert len(engine.runner.log.after(0)) == before + 2


async def test_a_slow_run_is_followed_when_the_disk_was_faster(tmp_path: Path) -> None:
    gate = asyncio.Event()
    gate.set()

    async def pause() -> None:
        await gate.wait()

    async with running(tmp_path, notes_world(pause)) as engine:
        follower = Follower(engine, "n:all")
        await follower.is_quiet.wait()
        gate.clear()
        await engine.mutation("n:add", {"text": "a"})
        await rounds()
        assert runs_of(engine) == 2
        assert len(follower.seen) == 1
        assert not follower.is_quiet.is_set()
        gate.set()
        await follower.is_quiet.wait()
        assert follower.seen[-1].value == ["a"]
        assert runs_of(engine) == 2


async def test_what_is_lost_was_never_run(tmp_path: Path) -> None:
    async with followed(tmp_path) as (engine, follower, disk):
        cache, before = engine.runner.query_cache, len(engine.runner.log.after(0))
        executions = cache.executions
        disk.loses = True
        adding = asyncio.create_task(engine.mutation("n:add", {"text": "lost"}))
        await disk.began.wait()
        await rounds()
        assert runs_of(engine) == 2
        disk.may.set()
        with pytest.raises(StorageError):
            await adding
        await rounds()
        assert cache.executions == executions
        assert len(follower.seen) == 1
        assert not any("n:all" in str(entry.to_json()) for entry in engine.runner.log.after(0)[before:])
        await engine.mutation("n:add", {"text": "kept"})
        await follower.is_quiet.wait()
        await rounds()
        assert follower.seen[-1].value == ["first", "kept"]


async def test_a_failure_is_shown_when_what_it_tells_of_is_durable(tmp_path: Path) -> None:
    async with followed(tmp_path, "n:strict") as (engine, follower, disk):
        disk.may.set()
        await engine.mutation("n:add", {"text": "second"})
        await rounds()
        disk.began.clear()
        disk.may.clear()
        adding = asyncio.create_task(engine.mutation("n:add", {"text": "third"}))
        await disk.began.wait()
        await rounds()
        assert runs_of(engine, "strict") == 3
        assert len(follower.seen) == 2
        disk.may.set()
        await adding
        await rounds()
        assert runs_of(engine, "strict") == 3
        failures = [result.error and result.error.message for result in follower.seen]
        assert [bool(failure) for failure in failures] == [True, False, True]
        assert "odd: third" in str(failures[-1])


async def test_who_lets_go_meanwhile_is_not_told_and_nothing_is_counted(tmp_path: Path) -> None:
    async with followed(tmp_path) as (engine, follower, disk):
        cache = engine.runner.query_cache
        executions = cache.executions
        adding = asyncio.create_task(engine.mutation("n:add", {"text": "second"}))
        await disk.began.wait()
        await rounds()
        follower.close()
        disk.may.set()
        await adding
        await rounds()
        assert len(follower.seen) == 1
        assert cache.executions == executions
        assert (await engine.query("n:all")).value == ["first", "second"]


async def test_a_page_that_keeps_its_end_runs_once(tmp_path: Path) -> None:
    async with followed(tmp_path, "n:page") as (engine, follower, disk):
        disk.may.set()
        for number in range(3):
            await engine.mutation("n:add", {"text": str(number)})
            await rounds()
        assert runs_of(engine, "page") == len(follower.seen) == 4


async def test_who_waits_for_the_disk_holds_no_place_of_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QueryLine, "is_for", lambda *_: True)
    monkeypatch.setattr(query_line, "WAIT_SECONDS", 60.0)
    async with running(tmp_path, notes_world(), settings=FunctionSettings(hosts=1)) as engine:
        followers = [Follower(engine, "n:all", {"n": float(n)}) for n in range(PLACES_OF_A_HOST)]
        for follower in followers:
            await follower.is_quiet.wait()
        disk, ran = Disk(engine), runs_of(engine)
        adding = asyncio.create_task(engine.mutation("n:add", {"text": "one"}))
        await disk.began.wait()
        await rounds(200)
        assert runs_of(engine) == ran + PLACES_OF_A_HOST
        assert (await asyncio.wait_for(engine.query("n:strict"), 5)).value == 0
        disk.may.set()
        await adding
        for follower in followers:
            await follower.is_quiet.wait()
            assert follower.seen[-1].value == ["one"]
        assert engine.runner.query_cache._line._line._free == PLACES_OF_A_HOST


async def test_no_more_run_ahead_than_a_few(tmp_path: Path) -> None:
    async with running(tmp_path, notes_world()) as engine:
        followers = [Follower(engine, "n:all", {"number": number}) for number in range(3 * MOST_RUNS)]
        for follower in followers:
            await follower.is_quiet.wait()
        disk = Disk(engine)
        adding = asyncio.create_task(engine.mutation("n:add", {"text": "a"}))
        await disk.began.wait()
        await rounds()
        assert runs_of(engine) == 4 * MOST_RUNS
        disk.may.set()
        await adding
        for follower in followers:
            await follower.is_quiet.wait()
        assert runs_of(engine) == 6 * MOST_RUNS
        assert all(follower.seen[-1].value == ["a"] for follower in followers)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_whatever_is_lost_or_dies_only_what_is_durable_is_shown(seed: int) -> None:
    random = Random(seed)

    async def history(directory: Path) -> None:
        async def pause() -> None:
            await rounds(random.choice([0, 0, 1, 3, 10]))

        async with running(directory, notes_world(pause)) as engine:
            store = engine.database.persistence
            flush = store.flush

            async def shaky() -> None:
                await rounds(random.choice([0, 1, 5, 20]))
                if random.random() < 0.25:
                    store._roll_back(sqlite3.OperationalError("full"))  # type: ignore[attr-defined]
                    raise StorageFull("No room for the write.")
                await flush()

            store.flush = shaky  # type: ignore[method-assign]
            tables = ["notes", "others"]
            truth: dict[str, list[tuple[int, str]]] = {table: [] for table in tables}
            lost: set[str] = set()
            followers = [Follower(engine, "n:all", {"table": random.choice(tables)}) for _ in range(4)]

            async def write(number: int) -> None:
                await rounds(random.randrange(40))
                table, text = random.choice(tables), f"note-{seed}-{number}."
                try:
                    result = await engine.mutation("n:add", {"table": table, "text": text})
                except StorageError:
                    lost.add(text)
                else:
                    truth[table].append((result.ts, text))
                if random.random() < 0.1:
                    for host in engine.world.hosts:
                        if not host.closed and host.runs:
                            host.die()
                            break
                if random.random() < 0.2:
                    random.choice(followers).close()
                    followers.append(Follower(engine, "n:all", {"table": random.choice(tables)}))

            await asyncio.gather(*(write(number) for number in range(25)), return_exceptions=True)
            store.flush = flush  # type: ignore[method-assign]
            for follower in followers:
                if not follower.is_over:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(follower.is_quiet.wait(), 5)
            await rounds(100)
            for follower in followers:
                table = follower.args["table"]
                times = [result.ts for result in follower.seen]
                assert times == sorted(times)
                for result in follower.seen:
                    durable = [text for ts, text in truth[table] if ts <= result.ts]
                    assert sorted(result.value) == sorted(durable)
                if not follower.is_over:
                    assert len(follower.seen[-1].value) == len(truth[table])
            entries = engine.runner.log.after(0)
            logged = str([entry.to_json() for entry in entries if entry.udf_type == "Query"])
            assert not any(text in logged for text in lost)

    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(history(Path(folder)))
    finally:
        logging.disable(logging.NOTSET)
