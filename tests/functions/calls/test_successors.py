"""Mutations of one client run at the same time, and seem to have run one after the other."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from functions.engine import CallFailed, Engine, ScriptedRun, ScriptedWorld, called, running
from parabola.database.model.errors import EarlierWriteLost
from parabola.functions.calls import mutations
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.calls.starting_line import FEW_PLACES
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_set import HostSet
from parabola.server.sync.effects import ClientRequest
from parabola.server.sync.mutation_line import MutationLine
from parabola.values.errors import Overloaded


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

    def __init__(self, engine: Engine, name: str, first_id: int = 0) -> None:
        self.engine, self.name = engine, name
        self.line = MutationLine(1000, has_room=lambda: engine.runner.has_room)
        self.answers: list[FunctionResult | BaseException] = []
        self.most_running = 0
        self._running: set[asyncio.Task[None]] = set()
        self._sent = first_id

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

    def gone(self) -> None:
        """Its socket is closed."""
        self.line.cut(Overloaded("gone"))

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
    """It begins where there is little to do, or not at all."""
    world, may_end = ScriptedWorld(), asyncio.Event()
    begun: list[str] = []

    @world.mutation("m:hold")
    async def hold(run: ScriptedRun, args: dict) -> None:
        begun.append(args["of"])
        await may_end.wait()

    async with running(tmp_path, world) as engine:
        held = [
            asyncio.create_task(engine.mutation("m:hold", {"of": "others"})) for _ in range(FEW_PLACES - 2)
        ]
        client = Client(engine, "client")
        for _ in range(4):
            client.send("m:hold")
        await asyncio.sleep(0.05)
        assert begun.count("client") == 2
        late = asyncio.create_task(engine.mutation("m:hold", {"of": "late"}))
        await asyncio.sleep(0.05)
        assert begun[-1] == "late"
        may_end.set()
        await asyncio.gather(*held, late)
        assert len(await client.answered()) == 4


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


async def test_what_follows_a_mutation_that_another_socket_has_run_is_not_older(
    tmp_path: Path,
) -> None:
    world, go_on, tries = notes_world(random.Random(0)), asyncio.Event(), []

    @world.mutation("m:slow")
    async def slow(run: ScriptedRun, args: dict) -> None:
        tries.append(run)
        await run.all("contended")
        if len(tries) == 1:
            await go_on.wait()
        await run.insert("slow", of="client")

    async with running(tmp_path, world) as engine:
        for table in ("contended", "slow", "quick"):
            await engine.mutation("m:addBlindly", {"table": table, "of": "nobody"})
        before, again = Client(engine, "client"), Client(engine, "client")
        before.send("m:slow")
        await asyncio.sleep(0.02)
        again.send("m:slow")
        again.send("m:addBlindly", table="quick")
        await asyncio.sleep(0.05)
        await engine.mutation("m:addBlindly", {"table": "contended", "of": "nobody"})
        go_on.set()
        await before.answered()
        await again.answered()
        (_, slow_row), (_, quick_row) = [
            (await engine.query("m:all", {"table": table})).value for table in ("slow", "quick")
        ]
        assert len(tries) == 2
        assert slow_row["_creationTime"] < quick_row["_creationTime"]


async def test_what_runs_early_for_a_client_that_has_gone_takes_no_effect(tmp_path: Path) -> None:
    """The one before may fail, untold, and is asked for again."""
    world, go_on, tries = notes_world(random.Random(0)), asyncio.Event(), []

    @world.mutation("m:need")
    async def need(run: ScriptedRun, args: dict) -> None:
        tries.append(run)
        found = await run.all("room")
        if len(tries) == 1:
            await go_on.wait()
        if not found:
            raise CallFailed({"message": "no room"})

    async with running(tmp_path, world) as engine:
        before, again = Client(engine, "client"), Client(engine, "client")
        before.send("m:need")
        before.send("m:addBlindly", table="room")
        await asyncio.sleep(0.02)
        before.gone()
        go_on.set()
        while before._running:
            await asyncio.wait(before._running)
        again.send("m:need")
        again.send("m:addBlindly", table="room")
        failed, added = await again.answered()
        assert failed.error is not None
        assert added.error is None


async def test_the_log_knows_neither_waiting_for_a_turn_nor_runs_in_vain(tmp_path: Path) -> None:
    world = notes_world(random.Random(0))

    @world.mutation("m:slow")
    async def slow(run: ScriptedRun, args: dict) -> None:
        await asyncio.sleep(0.5)
        await run.insert("t", of="client")

    @world.mutation("m:count")
    async def count(run: ScriptedRun, args: dict) -> int:
        run.log("said once")
        return len(await run.all("t"))

    async with running(tmp_path, world) as engine:
        client = Client(engine, "client")
        client.send("m:slow")
        client.send("m:addBlindly", table="other")
        client.send("m:count")
        *_, counted = await client.answered()
        assert counted.value == 1
        assert len(counted.log_lines) == 1
        quick, counting = [entry for entry in engine.runner.log.after(0.0) if "slow" not in entry.identifier]
        assert quick.execution_time < 0.4
        assert counting.execution_time < 0.4
        assert counting.retries == 0
        assert engine.database.lost_races.lanes == 0


async def test_a_failure_before_its_turn_counts_for_nothing(tmp_path: Path) -> None:
    world, tries = notes_world(random.Random(0)), []

    @world.mutation("m:failFirst")
    async def fail_first(run: ScriptedRun, args: dict) -> None:
        tries.append(run)
        if len(tries) == 1:
            raise CallFailed({"message": "a moment ago there was no time"})

    @world.mutation("m:slow")
    async def slow(run: ScriptedRun, args: dict) -> None:
        await asyncio.sleep(0.1)

    async with running(tmp_path, world) as engine:
        client = Client(engine, "client")
        client.send("m:slow")
        client.send("m:failFirst")
        assert [answer.error for answer in await client.answered()] == [None, None]
        assert len(tries) == 2


async def test_what_waits_for_its_turn_for_too_long_is_run_again_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that it has stored are kept until it must have committed."""
    monkeypatch.setattr(mutations, "EARLY_SECONDS", 0.05)
    world, tries = ScriptedWorld(), []

    @world.mutation("m:slow")
    async def slow(run: ScriptedRun, args: dict) -> None:
        await asyncio.sleep(0.3)

    @world.mutation("m:quick")
    async def quick(run: ScriptedRun, args: dict) -> None:
        tries.append(run)

    async with running(tmp_path, world) as engine:
        client = Client(engine, "client")
        client.send("m:slow")
        client.send("m:quick")
        await client.answered()
        assert len(tries) == 2
