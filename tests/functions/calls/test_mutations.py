"""Mutations: committed once, retried when they lose, never seen half done."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from functions.engine import CallFailed, ScriptedRun, ScriptedWorld, running
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.values.int64 import Int64
from parabola.values.validators.builder import v

ADA = Identity.user({"tokenIdentifier": "issuer|ada", "name": "Ada"})

PLACEHOLDER = {"$commitTs": None}


def counter_world() -> ScriptedWorld:
    """`count` reads the only row of a table and writes it back incremented; `read` reads it."""
    world = ScriptedWorld()

    @world.mutation("m:count")
    async def count(run: ScriptedRun, args: dict) -> float:
        rows = await run.all("counters")
        if not rows:
            await run.insert("counters", n=1)
            return 1
        await run.call("1.0/shallowMerge", {"id": rows[0]["_id"], "value": {"n": rows[0]["n"] + 1}})
        return rows[0]["n"] + 1

    @world.query("m:read")
    async def read(run: ScriptedRun, args: dict) -> list:
        return await run.all("counters")

    return world


async def test_a_committed_write_is_seen_by_the_next_query(tmp_path: Path) -> None:
    async with running(tmp_path, counter_world()) as engine:
        result = await engine.mutation("m:count")
        assert result.value == 1.0
        assert result.ts == engine.database.durable_ts
        (row,) = (await engine.query("m:read")).value
        assert row["n"] == 1.0


async def test_contention_never_makes_a_mutation_fail(tmp_path: Path) -> None:
    async with running(tmp_path, counter_world()) as engine:
        results = await asyncio.gather(*(engine.mutation("m:count") for _ in range(40)))
        assert sorted(result.value for result in results) == [float(n) for n in range(1, 41)]
        assert len({result.ts for result in results}) == 40


async def test_each_attempt_has_a_new_seed(tmp_path: Path) -> None:
    world = counter_world()
    async with running(tmp_path, world) as engine:
        await asyncio.gather(*(engine.mutation("m:count") for _ in range(10)))
        assert len(world.runs) > 10
        assert len({run["seed"] for run in world.runs}) == len(world.runs)


async def test_log_lines_of_attempts_that_lost_are_dropped(tmp_path: Path) -> None:
    world = ScriptedWorld()
    attempts = 0

    @world.mutation("m:noisy")
    async def noisy(run: ScriptedRun, args: dict) -> None:
        nonlocal attempts
        attempts += 1
        run.log(f"attempt {attempts}")
        await run.all("t")
        if attempts == 1:
            await engine.mutation("m:insert")
        await run.insert("t")

    @world.mutation("m:insert")
    async def insert(run: ScriptedRun, args: dict) -> None:
        await run.insert("t")

    async with running(tmp_path, world) as engine:
        result = await engine.mutation("m:noisy")
        assert attempts == 2
        assert [line.messages for line in result.log_lines] == [("attempt 2",)]


async def test_a_failed_mutation_writes_nothing(tmp_path: Path) -> None:
    world = counter_world()

    @world.mutation("m:fail")
    async def fail(run: ScriptedRun, args: dict) -> None:
        await run.insert("counters", n=7)
        raise ValueError("no")

    async with running(tmp_path, world) as engine:
        result = await engine.mutation("m:fail")
        assert result.error is not None
        assert result.error.message == "Uncaught ValueError('no')"
        assert (await engine.query("m:read")).value == []


async def test_a_mutation_hears_its_timestamp_before_anybody_sees_the_commit(tmp_path: Path) -> None:
    async with running(tmp_path, counter_world()) as engine:
        heard: list[int] = []

        def hear(ts: int) -> None:
            assert engine.database.durable_ts < ts
            heard.append(ts)

        result = await engine.mutation("m:count", on_committing=hear)
        assert heard == [result.ts]


async def test_the_same_session_request_takes_effect_once(tmp_path: Path) -> None:
    async with running(tmp_path, counter_world()) as engine:
        request = SessionRequest("session", 4)
        first = await engine.mutation("m:count", session=request)
        again = await engine.mutation("m:count", session=request)
        other = await engine.mutation("m:count", session=SessionRequest("session", 5))
        assert (first.value, again.value, other.value) == (1.0, 1.0, 2.0)
        assert again.ts == first.ts


async def test_the_commit_timestamp_of_a_result_is_known_to_the_caller(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.mutation("m:outer", returns=v.object({"at": v.int64(), "inner": v.any()}))
    async def outer(run: ScriptedRun, args: dict) -> dict:
        await run.insert("t", at=PLACEHOLDER)
        inner = await run.call(
            "1.0/runUdf", {"udfType": "mutation", "name": "m:inner", "args": {"at": PLACEHOLDER}}
        )
        return {"at": PLACEHOLDER, "inner": inner}

    @world.mutation("m:inner", args=v.object({"at": v.int64()}))
    async def inner(run: ScriptedRun, args: dict) -> list:
        rows = await run.all("t")
        return [args["at"], rows[-1]["at"], '{"$commitTs":null}']

    @world.query("m:query")
    async def query(run: ScriptedRun, args: dict) -> dict:
        return PLACEHOLDER

    async with running(tmp_path, world) as engine:
        for session in (None, SessionRequest("s", 1), SessionRequest("s", 1)):
            result = await engine.mutation("m:outer", session=session)
            ts = Int64(result.ts)
            assert result.value == {"at": ts, "inner": [ts, ts, '{"$commitTs":null}']}
        failed = await engine.query("m:query")
        assert failed.error.message == (
            "Function m.py:query return value invalid: queries cannot return an unresolved commit timestamp"
        )
        failed = await engine.mutation("m:inner", {"at": PLACEHOLDER})
        assert "Invalid arguments for m.py:inner" in failed.error.message


async def test_a_request_resent_while_it_runs_waits_for_it(tmp_path: Path) -> None:
    world = counter_world()
    started, go_on = asyncio.Event(), asyncio.Event()

    @world.mutation("m:slow")
    async def slow(run: ScriptedRun, args: dict) -> str:
        started.set()
        await go_on.wait()
        run.log("once")
        return await run.insert("counters", n=1)

    async with running(tmp_path, world) as engine:
        request = SessionRequest("s", 0)
        first = asyncio.create_task(engine.mutation("m:slow", session=request))
        await started.wait()
        second = asyncio.create_task(engine.mutation("m:slow", session=request))
        go_on.set()
        one, two = await first, await second
        assert one.value == two.value
        assert one.ts == two.ts
        assert [str(line) for line in two.log_lines] == ["[LOG] once"]
        assert len((await engine.query("m:read")).value) == 1


async def test_stored_results_survive_a_restart(tmp_path: Path) -> None:
    request = SessionRequest("s", 1)
    async with running(tmp_path, counter_world()) as engine:
        first = await engine.mutation("m:count", session=request)
    async with running(tmp_path, counter_world()) as engine:
        again = await engine.mutation("m:count", session=request)
        assert (again.value, again.ts) == (first.value, first.ts)


async def test_a_failed_request_runs_again_when_resent(tmp_path: Path) -> None:
    world = ScriptedWorld()
    fails = True

    @world.mutation("m:flaky")
    async def flaky(run: ScriptedRun, args: dict) -> str:
        if fails:
            raise ValueError
        return "done"

    async with running(tmp_path, world) as engine:
        request = SessionRequest("s", 1)
        assert (await engine.mutation("m:flaky", session=request)).error is not None
        fails = False
        assert (await engine.mutation("m:flaky", session=request)).value == "done"


async def test_a_host_that_dies_does_not_fail_a_mutation(tmp_path: Path) -> None:
    world = counter_world()
    deaths = 0

    @world.mutation("m:unlucky")
    async def unlucky(run: ScriptedRun, args: dict) -> float:
        nonlocal deaths
        await run.insert("counters", n=1)
        if deaths < 2:
            deaths += 1
            run.host.die()
            await asyncio.Future()
        return deaths

    async with running(tmp_path, world) as engine:
        assert (await engine.mutation("m:unlucky")).value == 2.0
        assert len((await engine.query("m:read")).value) == 1


async def test_arguments_are_validated_before_anything_runs(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.mutation("m:typed", args=v.object({"text": v.string()}))
    async def typed(run: ScriptedRun, args: dict) -> str:
        return args["text"]

    async with running(tmp_path, world) as engine:
        assert (await engine.mutation("m:typed", {"text": "a"})).value == "a"
        result = await engine.mutation("m:typed", {"text": 1})
        assert result.error is not None
        assert result.error.message == (
            "ArgumentValidationError: Value does not match validator.\n"
            "Path: .text\nValue: 1.0\nValidator: v.string()"
        )
        assert len(world.runs) == 1


async def test_a_query_cannot_write(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.query("m:sneaky")
    async def sneaky(run: ScriptedRun, args: dict) -> str:
        try:
            await run.insert("t")
        except CallFailed as failed:
            return str(failed)
        return "written"

    async with running(tmp_path, world) as engine:
        assert "query cannot write" in (await engine.query("m:sneaky")).value


async def test_a_mutation_sees_commits_that_are_not_durable_yet(tmp_path: Path) -> None:
    """A hot row is limited by work, not by flushes of the disk."""
    async with running(tmp_path, counter_world()) as engine:
        results = await asyncio.gather(*(engine.mutation("m:count") for _ in range(20)))
        assert max(result.value for result in results) == 20.0


@pytest.mark.parametrize(
    ("path", "args", "identity"),
    [
        ("m:other", {"by": 1.0}, ADA),
        ("m:add", {"by": 2.0}, ADA),
        ("m:add", {"by": 1.0}, Identity.user({"tokenIdentifier": "issuer|eve"})),
        ("m:add", {"by": 1.0}, NO_IDENTITY),
        ("m:add", {"by": 1.0}, Identity.admin()),
        ("m:add", {"by": "of the wrong type"}, ADA),
        ("m:nowhere", {"by": 1.0}, ADA),
    ],
)
async def test_a_stored_result_is_for_the_same_call_of_the_same_caller_alone(
    tmp_path: Path, path: str, args: dict, identity: Identity
) -> None:
    world = ScriptedWorld()

    for name in ("m:add", "m:other"):

        @world.mutation(name, args=v.object({"by": v.number()}))
        async def add(run: ScriptedRun, args: dict) -> str:
            await run.insert("counters", n=args["by"])
            return "Ada's secret"

    @world.query("m:read")
    async def read(run: ScriptedRun, args: dict) -> list:
        return await run.all("counters")

    async with running(tmp_path, world) as engine:
        request = SessionRequest("s", 1)
        first = await engine.mutation("m:add", {"by": 1.0}, ADA, session=request)
        stolen = await engine.mutation(path, args, identity, session=request)
        assert stolen.error is not None
        assert "session and request id has been run already" in stolen.error.message
        assert "secret" not in str(stolen)
        assert len((await engine.query("m:read")).value) == 1
        newer_token = Identity.user({**ADA.attributes, "iat": 1.0})
        again = await engine.mutation("m:add", {"by": 1.0}, newer_token, session=request)
        assert (again.value, again.ts) == (first.value, first.ts)
