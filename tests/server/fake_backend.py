"""A backend in memory with scripted functions: the whole contract the server sees, and a few ways to be
difficult.

Tables are lists of values in immutable snapshots, one for each commit, so a query can be run at any
timestamp. What a query reads is the set of tables it looked at. Commits pass through the three stages of
the real thing (timestamp assigned, durable and published, told to the caller), with other work allowed to
run in between.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from parabola.functions.calls.calling import Call
from parabola.functions.calls.running_calls import RunningCalls
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.outcomes.failures import MISSING, FunctionFailure
from parabola.functions.outcomes.logs import LogLine
from parabola.functions.outcomes.results import FunctionResult
from parabola.values.encoding import decode, dumps
from parabola.values.errors import ConvexError, OutOfRetention, ParabolaError, Unauthenticated

Snapshot = Mapping[str, tuple[Any, ...]]

ADMIN_KEY = "fake|0123"


@dataclass
class FakeConfig:
    instance_name: str = "fake"
    redact_logs_to_client: bool = False


@dataclass
class Context:
    """What a scripted function gets beside its arguments."""

    identity: Identity
    snapshot: Snapshot
    journal: str | None = None
    reads: set[str] = field(default_factory=set)
    writes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    log_lines: list[LogLine] = field(default_factory=list)

    def table(self, name: str) -> tuple[Any, ...]:
        self.reads.add(name)
        return self.writes.get(name, self.snapshot.get(name, ()))

    def insert(self, name: str, value: Any) -> None:
        self.writes[name] = (*self.table(name), value)

    def log(self, *messages: str) -> None:
        self.log_lines.append(LogLine("LOG", tuple(f"'{message}'" for message in messages), 0))


Scripted = Callable[..., Any]


class FakeLiveQuery:
    def __init__(
        self,
        backend: FakeBackend,
        run: Callable[[int], FunctionResult],
        on_invalid: Callable[[], None],
    ):
        self.backend = backend
        self.on_invalid = on_invalid
        self._run = run
        self._reads: set[str] = set()
        self._armed = False

    async def result_at(self, ts: int) -> FunctionResult:
        self.backend.evaluations += 1
        gate = self.backend.query_gate
        if gate is not None:
            await gate.wait()
        if self.backend.query_faults:
            raise self.backend.query_faults.pop()
        result, reads = self._run(ts)
        self._arm(ts, reads)
        return result

    def tell_at(self, ts: int, told: Callable[[FunctionResult | BaseException], None]) -> None:
        async def tell() -> None:
            try:
                found: FunctionResult | BaseException = await self.result_at(ts)
            except Exception as error:
                found = error
            if self in self.backend.live:
                told(found)

        self._telling = asyncio.get_running_loop().create_task(tell())

    def _arm(self, ts: int, reads: set[str]) -> None:
        self._reads = reads
        self._armed = True
        for commit_ts, tables in self.backend.commits:
            if commit_ts > ts and tables & reads:
                self.touched(tables)
                break

    def touched(self, tables: set[str]) -> None:
        if self._armed and tables & self._reads:
            self._armed = False
            self.on_invalid()

    def close(self) -> None:
        self._armed = False
        self.backend.live.discard(self)
        if not self.backend.live:
            self.backend.released.set()


class FakeFreshness:
    """As new as can be, unless a test says otherwise."""

    def __init__(self, is_shared: bool = False) -> None:
        self.is_shared = is_shared
        self.fault: ParabolaError | None = None
        self.asked: list[int] = []
        """The timestamps that were to be reached; 0 for who wanted to catch up."""
        self.gate: asyncio.Event | None = None
        self.waiting = asyncio.Event()
        """Somebody waits at the gate."""
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def fail(self, fault: ParabolaError | None) -> None:
        self.fault = fault
        for listener in self._listeners:
            listener()

    async def catch_up(self) -> None:
        await self.reach(0)

    async def reach(self, ts: int) -> None:
        self.asked.append(ts)
        if self.fault is not None:
            raise self.fault
        if self.gate is not None:
            self.waiting.set()
            await self.gate.wait()


class FakeBackend:
    """Functions are registered by kind: `backend.queries["messages:list"] = lambda ctx, args: ...`."""

    def __init__(self) -> None:
        self.config = FakeConfig()
        self.freshness = FakeFreshness()
        self.running = RunningCalls()
        self.admin_keys: Any = SimpleNamespace(on_revoked=lambda listener: None, seen=[])
        self.observations: Any = SimpleNamespace(gauges=[])
        self.deploys: Any = SimpleNamespace(serve_step=lambda kind, step: None)
        self.deployment = Deployment()
        self.durable_ts = 1_000
        self.oldest_ts = 0
        self.queries: dict[str, Scripted] = {}
        self.mutations: dict[str, Scripted] = {}
        self.actions: dict[str, Scripted] = {}
        self.internal: set[str] = set()
        self.tokens: dict[str, Identity | Exception] = {}
        self.history: list[tuple[int, Snapshot]] = [(self.durable_ts, {})]
        self.commits: list[tuple[int, set[str]]] = []
        self.live: set[FakeLiveQuery] = set()
        self.released = asyncio.Event()
        self.query_gate: asyncio.Event | None = None
        self.query_faults: list[Exception] = []
        self.evaluations = 0
        self.mutation_runs = 0
        self._answered: dict[SessionRequest, FunctionResult] = {}
        self._running: dict[SessionRequest, asyncio.Future[FunctionResult]] = {}
        self._commit_lock = asyncio.Lock()

    # The contract

    def hold_jobs(self) -> None:
        pass

    async def jobs_idle(self) -> None:
        pass

    @property
    def has_room(self) -> bool:
        return True

    async def query(self, call: Call, *, ts: int | None = None) -> FunctionResult:
        if ts is not None and ts < self.oldest_ts:
            raise OutOfRetention("The snapshot is gone")
        result, _ = self._query_at(call, None, ts or self.durable_ts)
        return result

    async def mutation(
        self,
        call: Call,
        *,
        session: SessionRequest | None = None,
        on_committing: Callable[[int], None] | None = None,
        successor: Successor | None = None,
    ) -> FunctionResult:
        if successor is not None:
            await successor.turn()
            async with self._commit_lock:
                assert successor.after <= self.durable_ts
        if session is None:
            return await self._mutate(call, on_committing)
        while session in self._running:
            await asyncio.wait([self._running[session]])
        if session in self._answered:
            return self._answered[session]
        running = self._running[session] = asyncio.get_running_loop().create_future()
        try:
            result = await self._mutate(call, on_committing)
            if result.error is None:
                self._answered[session] = result
            return result
        finally:
            del self._running[session]
            running.set_result(None)

    async def action(self, call: Call) -> FunctionResult:
        context = Context(call.identity, self.history[-1][1])
        return await self._call(self._find(self.actions, call), context, call)

    async def run_any(self, call: Call) -> FunctionResult:
        canonical = call.name.canonical
        if canonical in self.queries:
            return await self.query(call)
        if canonical in self.mutations:
            return await self.mutation(call)
        return await self.action(call)

    def live_query(
        self, call: Call, *, journal: str | None, on_invalid: Callable[[], None], asks_again: bool
    ) -> FakeLiveQuery:
        state = {"journal": journal}

        def run(ts: int) -> tuple[FunctionResult, set[str]]:
            result, reads = self._query_at(call, state["journal"], ts)
            state["journal"] = result.journal
            return result, reads

        live = FakeLiveQuery(self, run, on_invalid)
        self.live.add(live)
        return live

    async def authenticate(self, token: str) -> Identity:
        await asyncio.sleep(0)
        known = self.tokens.get(
            token, Unauthenticated("No auth provider found matching the given token", "NoAuthProvider")
        )
        if isinstance(known, Exception):
            raise known
        return known

    def check_admin_key(self, key: str) -> Identity:
        if key != ADMIN_KEY:
            raise Unauthenticated("The provided admin key was invalid for this instance", "BadAdminKey")
        return Identity.admin()

    # How it works

    def snapshot_at(self, ts: int) -> Snapshot:
        return next(snapshot for at, snapshot in reversed(self.history) if at <= ts)

    async def write(self, table: str, value: Any) -> int:
        """A commit from elsewhere."""
        return await self._commit({table: (*self.history[-1][1].get(table, ()), value)}, None)

    async def _mutate(self, call: Call, on_committing: Callable[[int], None] | None) -> FunctionResult:
        self.mutation_runs += 1
        context = Context(call.identity, self.history[-1][1])
        result = await self._call(self._find(self.mutations, call), context, call)
        if result.error is None:
            result.ts = await self._commit(context.writes, on_committing)
        return result

    async def _commit(
        self, writes: Mapping[str, tuple[Any, ...]], on_committing: Callable[[int], None] | None
    ) -> int:
        async with self._commit_lock:
            if not writes:
                return self.durable_ts
            ts = self.durable_ts + 10
            if on_committing is not None:
                on_committing(ts)
            await asyncio.sleep(0)  # becoming durable
            self.history.append((ts, {**self.history[-1][1], **writes}))
            self.commits.append((ts, set(writes)))
            self.durable_ts = ts
            for live in list(self.live):
                live.touched(set(writes))
        for _ in range(5):  # the caller hears of it later than everybody else
            await asyncio.sleep(0)
        return ts

    def _query_at(self, call: Call, journal: str | None, ts: int) -> tuple[FunctionResult, set[str]]:
        context = Context(call.identity, self.snapshot_at(ts), journal)
        function = self._find(self.queries, call)
        try:
            value = function(context, _arguments(call)) if not isinstance(function, FunctionFailure) else None
            if isinstance(function, FunctionFailure):
                return FunctionResult(error=function, ts=ts), context.reads
        except Exception as error:
            return _failed(error, context, ts), context.reads
        result = FunctionResult(
            value_json=dumps(value), log_lines=tuple(context.log_lines), journal=context.journal, ts=ts
        )
        return result, context.reads

    async def _call(
        self, function: Scripted | FunctionFailure, context: Context, call: Call
    ) -> FunctionResult:
        if isinstance(function, FunctionFailure):
            return FunctionResult(error=function)
        try:
            value = function(context, _arguments(call))
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:
            if isinstance(error, ParabolaError) and error.status >= 500:
                raise
            return _failed(error, context, 0)
        return FunctionResult(value_json=dumps(value), log_lines=tuple(context.log_lines))

    def _find(self, functions: dict[str, Scripted], call: Call) -> Scripted | FunctionFailure:
        canonical = call.name.canonical
        if canonical in functions and (canonical not in self.internal or call.identity.is_admin):
            return functions[canonical]
        return FunctionFailure(f"Could not find public function for '{call.name}'.")


def _arguments(call: Call) -> Any:
    args = call.args.parse()
    return decode(args[0] if isinstance(args, list) else args)


def _failed(error: Exception, context: Context, ts: int) -> FunctionResult:
    from parabola.values.encoding import encode

    data = encode(error.data) if isinstance(error, ConvexError) else MISSING
    failure = FunctionFailure(
        f"Uncaught {type(error).__name__}: {error}", ("handler (../convex/fake.ts:1:2)",), data
    )
    return FunctionResult(error=failure, log_lines=tuple(context.log_lines), ts=ts)


def messages_backend() -> FakeBackend:
    """The deployment most tests use: a table of messages."""
    backend = FakeBackend()

    def fail(ctx: Context, args: dict[str, Any]) -> None:
        ctx.log("about to fail")
        raise ConvexError(args["data"]) if "data" in args else ValueError("boom")

    def send(ctx: Context, args: dict[str, Any]) -> float:
        ctx.insert("messages", args.get("body", ""))
        return float(len(ctx.table("messages")))

    backend.queries.update(
        {
            "messages:list": lambda ctx, args: list(ctx.table("messages")),
            "messages:count": lambda ctx, args: float(len(ctx.table("messages"))),
            "messages:parity": lambda ctx, args: float(len(ctx.table("messages")) % 2),
            "messages:echo": lambda ctx, args: args,
            "messages:fail": fail,
            "messages:log": lambda ctx, args: ctx.log("seen"),
            "messages:page": page,
            "users:me": lambda ctx, args: (
                None if ctx.identity.attributes is None else dict(ctx.identity.attributes)
            ),
            "users:secret": lambda ctx, args: "internal",
        }
    )
    backend.mutations.update({"messages:send": send, "messages:failSend": fail})
    backend.actions.update({"messages:act": lambda ctx, args: args, "messages:failAct": fail})
    backend.internal.add("users:secret")
    backend.tokens["alice"] = Identity.user({"tokenIdentifier": "i|alice", "issuer": "i", "subject": "alice"})
    return backend


def page(ctx: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Messages from a cursor (how many came before); the journal is where the page ended the first time."""
    options = args["paginationOpts"]
    rows = ctx.table("messages")
    cursor = options.get("cursor")
    if cursor is not None and not cursor.isdigit():
        raise ConvexError({"isConvexSystemError": True, "paginationError": "InvalidCursor"})
    start = int(cursor or 0)
    if options.get("endCursor") is not None:
        end = int(options["endCursor"])
    elif ctx.journal is not None:
        end = int(ctx.journal)
    else:
        end = min(start + int(options["numItems"]), len(rows))
    ctx.journal = str(end)
    return {"page": list(rows[start:end]), "isDone": end >= len(rows), "continueCursor": str(end)}


__all__ = ["ADMIN_KEY", "NO_IDENTITY", "Context", "FakeBackend", "messages_backend"]
