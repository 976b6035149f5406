"""Mutations of one client run at the same time, and seem to have run one after the other."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from functions.engine import CallFailed, Engine, ScriptedRun, ScriptedWorld, called, running
from parabola.database.model.errors import EarlierWriteLost
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_set import HostSet
from parabola.server.sync.effects import ClientRequest
from parabola.server.sync.mutation_line import MutationLine


@pytest.fixture(autouse=True)
def hosts_execute(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the hosts of Python and Node.js do: then mutations begin at a starting line."""
    monkeypatch.setattr(HostSet, "executes", lambda _self, _runtime: True)


def notes_world(chance: random.Random) -> ScriptedWorld:
    """Functions that take their time. Each answers how many notes a table had, unless it does not look."""
    world = ScriptedWorld()

    async def idle() -> None:
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)

    @world.mutation("m:add")
    async def add(run: ScriptedRun, args: dict) -> int:
        await idle()
        count = len(await run.all(args["table"]))
        await idle()
        for _ in range(int(args["times"])):
            await run.insert(args["table"], of=args["of"])
        await idle()
        return count

    @world.mutation("m:addBlindly")
    async def add_blindly(run: ScriptedRun, args: dict) -> None:
        await idle()
        await run.insert(args["table"], of=args["of"])
        await idle()

    @world.mutation("m:look")
    async def look(run: ScriptedRun, args: dict) -> int:
        await idle()
        count = len(await run.all(args["table"]))
        await idle()
        return count

    @world.mutation("m:refuse")
    async def refuse(run: ScriptedRun, args: dict) -> None:
        await run.insert(args["table"], of=args["of"])
        await idle()
        raise CallFailed({"message": f"there were {len(await run.all(args['table']))}"})

    @world.query("m:all")
    async def everything(run: ScriptedRun, args: dict) -> list:
        query = {
            "source": {"type": "FullTableScan", "tableName": args["table"], "order": None},
            "operators": [],
        }
        stream = {"queryId": 0, "query": query, "batch": 1000, "consumed": 0}
        return (await run.call("1.0/queryStreamNext", stream))["values"]

    return world


def places_of(engine: Engine) -> int:
    """How many mutations can be in hosts at a time."""
    return engine.runner._starting_line._free


class Client:
    """Sends mutations without waiting for answers, as a socket does."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name
        self.line = MutationLine(1000, is_shared=False)
        self.answers: list[FunctionResult | BaseException] = []
        self.most_running = 0
        self._running: set[asyncio.Task[None]] = set()
        self._sent = 0

    def send(self, path: str, **args: Any) -> None:
        call = called(path, {"of": self.name, **args}, NO_IDENTITY)
        # The last one has not said who it is: then nothing is written down beside what it writes.
        session = None if self.name == "c" else SessionRequest(self.name, self._sent)
        self.line.add(ClientRequest(self._sent, call, session))
        self._sent += 1
        self.turn()

    def turn(self) -> None:
        while self.line.may_begin:
            effect = self.line.begin()
            task = asyncio.get_running_loop().create_task(self._run(effect.request, effect.successor))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            self.most_running = max(self.most_running, len(self._running))

    async def _run(self, request: ClientRequest, successor: Successor) -> None:
        def committing(ts: int) -> None:
            self.line.committing(request, ts)
            self.turn()

        result: FunctionResult | BaseException
        try:
            result = await self.engine.runner.mutation(
                request.call, session=request.session, on_committing=committing, successor=successor
            )
        except Exception as error:
            result = error
        self.answers.extend(answer for _, answer in self.line.ended(request, result))
        self.turn()

    async def answered(self) -> list[FunctionResult]:
        while self._running:
            await asyncio.wait(self._running)
        assert not self.line.waiting, self.answers
        for answer in self.answers:
            assert isinstance(answer, FunctionResult), answer
        return self.answers  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(12))
async def test_what_a_client_sends_is_as_if_run_one_after_the_other(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with running(tmp_path, notes_world(chance)) as engine:
        for table in ("a", "b", "c", "shared"):
            await engine.mutation("m:addBlindly", {"table": table, "of": "nobody"})
        clients = [Client(engine, name) for name in "abc"]
        sent: dict[str, list[tuple[str, str, int]]] = {client.name: [] for client in clients}
        for _ in range(60):
            client = chance.choice(clients)
            path = chance.choice(["m:add", "m:addBlindly", "m:addBlindly", "m:look", "m:refuse"])
            table = client.name if chance.random() < 0.8 else "shared"
            times = chance.choice([1, 1, 4]) if path == "m:add" else 1
            sent[client.name].append((path, table, times))
            client.send(path, table=table, **({"times": times} if path == "m:add" else {}))
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
        for client in clients:
            results, own, last_ts = await client.answered(), 1, 0
            assert len(results) == len(sent[client.name])
            for (path, table, times), result in zip(sent[client.name], results, strict=True):
                if path == "m:refuse":
                    assert result.error is not None
                    if table == client.name:
                        assert f"there were {own + 1}" in result.error.message
                    continue
                assert result.error is None
                if table == client.name and path != "m:addBlindly":
                    assert result.value == own
                if path != "m:look":
                    assert result.ts > last_ts
                    if table == client.name:
                        own += times
                assert result.ts >= last_ts, "what is shown with it is older than what it has seen"
                last_ts = max(last_ts, result.ts)
        assert max(client.most_running for client in clients) > 1
        for client in clients:
            rows = (await engine.query("m:all", {"table": client.name})).value
            assert len(rows) == 1 + sum(
                times
                for path, table, times in sent[client.name]
                if table == client.name and path in ("m:add", "m:addBlindly")
            )


async def test_what_is_created_later_by_a_client_is_not_older(tmp_path: Path) -> None:
    """However it is run: here the first ones lose against others, and are run again later."""
    chance = random.Random(3)
    async with running(tmp_path, notes_world(chance)) as engine:
        client, other = Client(engine, "client"), Client(engine, "other")
        for number in range(80):
            other.send("m:addBlindly", table="contended")
            client.send("m:add", table="contended", times=5)
            client.send("m:addBlindly", table=f"t{number}")
            if number % 7 == 0:
                await asyncio.sleep(0)
        results = await client.answered()
        await other.answered()
        contended = [
            row
            for row in (await engine.query("m:all", {"table": "contended"})).value
            if row["of"] == "client"
        ]
        assert len(contended) == 400
        last = 0.0
        for number in range(80):
            (blind,) = (await engine.query("m:all", {"table": f"t{number}"})).value
            group = contended[5 * number : 5 * number + 5]
            assert last < group[0]["_creationTime"]
            assert group[-1]["_creationTime"] < blind["_creationTime"]
            last = blind["_creationTime"]
        assert [result.ts for result in results] == sorted({result.ts for result in results})


async def test_nobody_waits_for_one_whose_turn_has_not_come(tmp_path: Path) -> None:
    """It takes a place that is free, or none."""
    world, may_end = ScriptedWorld(), asyncio.Event()
    begun: list[str] = []

    @world.mutation("m:hold")
    async def hold(run: ScriptedRun, args: dict) -> None:
        begun.append(args["of"])
        await may_end.wait()

    async with running(tmp_path, world) as engine:
        held = [
            asyncio.create_task(engine.mutation("m:hold", {"of": "others"}))
            for _ in range(places_of(engine) - 2)
        ]
        client = Client(engine, "client")
        for _ in range(4):
            client.send("m:hold")
        await asyncio.sleep(0.05)
        assert begun.count("client") == 2
        late = asyncio.create_task(engine.mutation("m:hold", {"of": "late"}))
        may_end.set()
        await asyncio.gather(*held, late)
        await client.answered()
        assert begun.index("late") < begun.index("client", begun.index("client") + 2)


async def test_one_that_could_not_be_run_takes_those_after_it_along(tmp_path: Path) -> None:
    chance = random.Random(0)
    async with running(tmp_path, notes_world(chance)) as engine:
        client = Client(engine, "client")
        blocked = engine.runner.database.commit_lane()
        await blocked.__aenter__()
        for _ in range(3):
            client.send("m:addBlindly", table="t")
        first = next(iter(client.line.begun.values()))
        await asyncio.sleep(0)
        fault = EarlierWriteLost("lost")
        list(client.line.ended(first.request, fault))
        await blocked.__aexit__(None, None, None)
        while client._running:
            await asyncio.wait(client._running)
        assert [type(answer) for answer in client.answers] == [EarlierWriteLost, EarlierWriteLost]
        client.send("m:addBlindly", table="t")
        assert not client.line.may_begin


async def test_what_waited_for_a_place_does_not_begin_while_another_deployment_is_committed(
    tmp_path: Path,
) -> None:
    """It would read what that has committed, with the code from before."""
    world, may_end = ScriptedWorld(), asyncio.Event()
    begun = []

    @world.mutation("m:hold")
    async def hold(run: ScriptedRun, args: dict) -> None:
        await may_end.wait()

    @world.mutation("m:late")
    async def late(run: ScriptedRun, args: dict) -> None:
        begun.append(run)

    async with running(tmp_path, world) as engine:
        held = [asyncio.create_task(engine.mutation("m:hold")) for _ in range(places_of(engine))]
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(engine.mutation("m:late"))
        await asyncio.sleep(0.05)
        async with engine.runner.switch():
            may_end.set()
            await asyncio.gather(*held)
            await asyncio.sleep(0.05)
            assert begun == []
        await waiting
        assert len(begun) == 1
