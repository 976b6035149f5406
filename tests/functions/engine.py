"""An engine for tests: a real database on a temporary directory, and hosts that run functions written in the
test.

A scripted function is a coroutine `(host, args) -> value` that speaks the host protocol through
`ScriptedRun`: no processes, no user code machinery, every interleaving under the test's control.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import replace

from parabola.database.database import Database
from parabola.database.store.sqlite import SqlitePersistence
from parabola.functions.activation import Activation
from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.calls.mutations import Companion, OnCommitting
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.deployed.deployment import Deployment, FunctionSpec, Module
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.engine import FunctionRunner
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_set import HostConfig
from parabola.functions.queries.live_query import LiveQuery
from parabola.functions.settings import FunctionSettings
from parabola.values.validators.builder import Validator

Json = dict[str, Any]
Handler = Callable[["ScriptedRun", Json], Awaitable[Any]]
SECRET = bytes(range(32))


def called(path: str, args: Any, identity: Identity, **options: Any) -> Call:
    """A call as the engine gets it; `options` are fields of it, and JSON text as arguments stays text."""
    given = EncodedArguments.of_text(args) if isinstance(args, bytes) else EncodedArguments(args or {})
    return Call(parse_path(path), given, identity, **options)


class CallFailed(Exception):
    """An operation was answered with an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.error = error


@dataclass
class ScriptedFunction:
    """A function of the test's deployment."""

    handler: Handler
    kind: str
    args: Validator[Any] | None = None
    returns: Validator[Any] | None = None
    visibility: str = "public"


class ScriptedRun:
    """What a scripted function works with: operations, logs, the `run` message."""

    def __init__(self, host: ScriptedHost, message: Json) -> None:
        self.host = host
        self.message = message
        self.logs: list[Json] = []
        self.usage: Json = {
            "userMs": 0.0,
            "usedClock": False,
            "usedRandom": False,
            "envRead": [],
            "unawaited": [],
        }
        self.others_ms = message.get("userMsUsed", 0.0)
        """What the other functions of the transaction have used, as the engine said last."""
        self._calls = itertools.count()
        self._streams = itertools.count()
        self._replies: dict[int, asyncio.Future[Any]] = {}

    async def call(self, op: str, args: Json | None = None) -> Any:
        """One operation."""
        (result,) = await self.batch((op, args or {}))
        return result

    async def batch(self, *calls: tuple[str, Json]) -> list[Any]:
        """Operations that travel together."""
        futures = []
        sent = []
        for op, args in calls:
            number = next(self._calls)
            future = self._replies[number] = asyncio.get_running_loop().create_future()
            futures.append(future)
            sent.append({"call": number, "op": op, "args": args})
        more = {"userMs": self.usage["userMs"]} if any(op == "1.0/runUdf" for op, _ in calls) else {}
        self.host.tell({"type": "syscall", "id": self.message["id"], "calls": sent, **more})
        return [await future for future in futures]

    async def insert(self, table: str, **fields: Any) -> str:
        return (await self.call("1.0/insert", {"table": table, "value": fields}))["_id"]

    async def all(self, table: str) -> list[Json]:
        query = {"source": {"type": "FullTableScan", "tableName": table, "order": None}, "operators": []}
        stream = {"queryId": next(self._streams), "query": query, "batch": 100, "consumed": 0}
        answer = await self.call("1.0/queryStreamNext", stream)
        return answer["values"]

    def log(self, *messages: str, level: str = "LOG") -> None:
        self.logs.append(
            {"level": level, "messages": list(messages), "timestamp": len(self.logs), "isTruncated": False}
        )

    def receive(self, replies: list[Json]) -> None:
        for reply in replies:
            future = self._replies.pop(reply["call"])
            if "error" in reply:
                future.set_exception(CallFailed(reply["error"]))
            else:
                future.set_result(reply["value"])


class ScriptedHost(HostConnection):
    """A host that runs scripted functions."""

    def __init__(self, world: ScriptedWorld) -> None:
        super().__init__()
        self.world = world
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.scripted: dict[int, ScriptedRun] = {}
        self.was_closed = False
        world.hosts.append(self)
        self.receive({"type": "ready", "protocol": 1, "language": "python", "pid": 1})

    def send(self, message: bytes) -> None:
        self.loop.call_soon(self._act, orjson.loads(message))

    def tell(self, message: Json) -> None:
        """A message to the engine; it travels as JSON does."""
        self.loop.call_soon(self._tell, orjson.loads(orjson.dumps(message)))

    def _tell(self, message: Json) -> None:
        if not self.closed:
            self.receive(message)

    def _act(self, message: Json) -> None:
        kind = message["type"]
        if kind == "load":
            self.world.loads.append(message)
            self.tell({"type": "loaded", "deployment": message["deployment"]})
        elif kind == "run":
            run = self.scripted[message["id"]] = ScriptedRun(self, message)
            self.tasks[message["id"]] = self.loop.create_task(self._run(run))
        elif kind == "reply":
            if message["id"] in self.scripted:
                run = self.scripted[message["id"]]
                run.others_ms = message.get("userMsUsed", run.others_ms)
                run.receive(message["replies"])
        elif kind == "cancel":
            self.world.cancelled.append(message["id"])
            task = self.tasks.pop(message["id"], None)
            if task is not None:
                task.cancel()

    async def _run(self, run: ScriptedRun) -> None:
        message = run.message
        self.world.runs.append(message)
        function = self.world.functions[str(parse_path(message["path"]))]
        end: Json = {"id": message["id"], "usage": run.usage, "logs": run.logs}
        try:
            result = await function.handler(run, message["args"])
        except asyncio.CancelledError:
            return
        except CallFailed as failed:
            error = {
                "message": f"Uncaught Error: {failed}",
                "frames": ["handler (convex/f.py:1)"],
                **_data(failed.error),
            }
            end.update(type="failed", kind="user", error=error)
        except Exception as error:
            end.update(type="failed", kind="user", error={"message": f"Uncaught {error!r}", "frames": []})
        else:
            end.update(type="done", result=result)
        self.tell(end)
        self.tasks.pop(message["id"], None)

    async def close(self) -> None:
        self.was_closed = True
        for task in self.tasks.values():
            task.cancel()
        self.end(blamed=None, failure=None, startup="closed")

    def die(self) -> None:
        """Vanish as a killed process does, nobody to blame."""
        for task in self.tasks.values():
            task.cancel()
        self.end(blamed=None, failure=None, startup="died")


def _data(error: Json) -> Json:
    return {"data": error["data"]} if "data" in error else {}


@dataclass
class ScriptedWorld:
    """The functions of a deployment, and what its hosts have seen."""

    functions: dict[str, ScriptedFunction] = field(default_factory=dict)
    hosts: list[ScriptedHost] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    loads: list[Json] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    refuses: str = ""
    """An environment for which no host can be made."""

    def host(self, environment: str) -> ScriptedHost:
        """A new host."""
        if environment == self.refuses:
            raise LoadFailure(f"{environment} is not installed")
        return ScriptedHost(self)

    def _define(self, kind: str, path: str, options: Any) -> Callable[[Handler], Handler]:
        def define(handler: Handler) -> Handler:
            self.functions[str(parse_path(path))] = ScriptedFunction(handler, kind, **options)
            return handler

        return define

    def query(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._define("query", path, options)

    def mutation(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._define("mutation", path, options)

    def action(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self._define("action", path, options)

    def deployment(self) -> Deployment:
        """The deployment of all functions defined so far."""
        modules: dict[str, Module] = {}
        functions: dict[str, FunctionSpec] = {}
        for path, function in self.functions.items():
            name = parse_path(path)
            modules.setdefault(f"{name.module}.py", Module(f"{name.module}.py", "python", ""))
            functions[name.canonical] = FunctionSpec(
                path=f"{name.module}.py:{name.name}",
                name=name,
                kind=function.kind,  # type: ignore[arg-type]
                visibility=function.visibility,  # type: ignore[arg-type]
                runtime="python",
                args=function.args,
                returns=function.returns,
            )
        return Deployment(modules, functions)


class Engine:
    """The engine of a test, and short forms of what tests do all the time."""

    def __init__(
        self, database: Database, activation: Activation, runner: FunctionRunner, world: ScriptedWorld
    ) -> None:
        self.database = database
        self.activation = activation
        self.runner = runner
        self.world = world

    async def deploy(self) -> None:
        """Put all functions defined so far into service."""
        deployment = self.world.deployment()
        deployment = replace(deployment, env=self.runner.active.deployment.env)
        hosts = await self.activation.prepare(deployment)
        await self.activation.activate(deployment, hosts)

    async def query(
        self,
        path: str,
        args: Any = None,
        identity: Identity = NO_IDENTITY,
        *,
        ts: int | None = None,
        journal: str | None = None,
        **options: Any,
    ) -> FunctionResult:
        call = called(path, args, identity, **options)
        return await self.runner.query_cache.query(call, ts=ts, journal=journal)

    async def mutation(
        self,
        path: str,
        args: Any = None,
        identity: Identity = NO_IDENTITY,
        *,
        session: SessionRequest | None = None,
        on_committing: OnCommitting | None = None,
        companion: Companion | None = None,
        **options: Any,
    ) -> FunctionResult:
        call = called(path, args, identity, **options)
        return await self.runner.mutation(
            call, session=session, on_committing=on_committing, companion=companion
        )

    async def action(
        self, path: str, args: Any = None, identity: Identity = NO_IDENTITY, **options: Any
    ) -> FunctionResult:
        return await self.runner.action(called(path, args, identity, **options))

    def live(
        self,
        path: str,
        args: Any = None,
        identity: Identity = NO_IDENTITY,
        *,
        journal: str | None = None,
        on_invalid: Callable[[], None] | None = None,
        asks_again: bool = False,
        **options: Any,
    ) -> LiveQuery:
        call = called(path, args, identity, **options)
        return LiveQuery(
            self.runner.query_cache, call, journal=journal, on_invalid=on_invalid, asks_again=asks_again
        )

    async def now(self, live: LiveQuery) -> FunctionResult:
        """The live query's result at the newest durable timestamp."""
        return await live.result_at(self.database.durable_ts)


@asynccontextmanager
async def running(
    directory: Path,
    world: ScriptedWorld,
    *,
    deploy: bool = True,
    settings: FunctionSettings = FunctionSettings(),
) -> AsyncIterator[Engine]:
    """An engine with the functions of `world` deployed, or with what the directory says is deployed."""
    database = await Database.open(SqlitePersistence.open(directory))
    activation = Activation(database, HostConfig(in_process=world.host, settings=settings), {})
    try:
        runner = await activation.open("test", SECRET)
        engine = Engine(database, activation, runner, world)
        if deploy:
            await engine.deploy()
        yield engine
    finally:
        await activation.close()
        await database.close()
