"""Running deployed functions: what every call needs, whatever its kind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from parabola.database.query.cursors import CursorCodec
from parabola.functions.calls.actions import run_action
from parabola.functions.calls.attempt import Attempt
from parabola.functions.calls.audit_log import AuditLog
from parabola.functions.calls.calling import Call
from parabola.functions.calls.deadlines import SLOW_SYSTEM_FAILURE, DeadlinePassed, Deadlines
from parabola.functions.calls.execution import Execution, Outcome, UncatchableFailure
from parabola.functions.calls.implicit_reads import ImplicitReads
from parabola.functions.calls.log_entries import completion
from parabola.functions.calls.mutations import Companion, MutationRequest, Mutations, OnCommitting
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.calls.running_calls import RunningCalls
from parabola.functions.calls.seeds import SeedSource
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.calls.starting_line import (
    CHAIN_PLACES,
    CHAIN_WAIT_SECONDS,
    PLACES_OF_A_HOST,
    SLOW_CHAIN_PLACES,
    StartingLine,
)
from parabola.functions.calls.successor import Successor
from parabola.functions.calls.surroundings import Surroundings, TableNumbers
from parabola.functions.deployed.deployment import Deployment, FunctionSpec
from parabola.functions.deployed.function_handles import FunctionHandles
from parabola.functions.deployed.function_path import FunctionPath
from parabola.functions.deployed.runtimes import RUNTIMES
from parabola.functions.outcomes.execution_log import ExecutionLog
from parabola.functions.outcomes.failures import SYSTEM_ERROR_TEXT, FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_failures import HostLost
from parabola.functions.processes.host_losses import HostLosses
from parabola.functions.queries.foresight import LiveForesight
from parabola.functions.queries.query_cache import QueryCache
from parabola.functions.settings import FunctionSettings
from parabola.functions.syscalls import audit as syscall_audit
from parabola.functions.syscalls import calls as syscall_calls
from parabola.functions.syscalls import data as syscall_data
from parabola.functions.syscalls import meta as syscall_meta
from parabola.functions.syscalls import streams as syscall_streams
from parabola.functions.syscalls.search import VectorSearches
from parabola.functions.syscalls.table import SyscallTable
from parabola.functions.system.registry import PREFIX
from parabola.values.errors import InternalServerError
from parabola.values.limits import LIMIT_WARNING_RATIO

__all__ = ["Active", "FunctionRunner", "Unconfirmed"]

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.surroundings import Tracer
    from parabola.functions.outcomes.logs import LogLine
    from parabola.functions.processes.host_set import HostSet

_log: Final = logging.getLogger(__name__)


class Active(Struct, frozen=True):
    """What is deployed now: the code, the hosts that have loaded it, the handles of its functions."""

    deployment: Deployment
    hosts: HostSet
    handles: FunctionHandles


class Unconfirmed(Exception):
    """What a query has read ahead will never have been, or nobody wants to know."""


class FunctionRunner:
    """Runs functions of the active deployment."""

    def __init__(
        self,
        database: Database,
        active: Active,
        *,
        instance_name: str = "parabola",
        instance_secret: bytes = b"",
        instance: Mapping[str, str] | None = None,
        settings: FunctionSettings = FunctionSettings(),
    ) -> None:
        self.database = database
        self.settings = settings
        self.active = active
        self.instance_name = instance_name
        self.instance: Mapping[str, str] = instance or {"cloudUrl": "", "siteUrl": ""}
        """Public addresses: `cloudUrl` of the API, `siteUrl` of HTTP actions."""
        self.log = ExecutionLog(database.now_ts, settings.log_entries)
        self.audit = AuditLog(database)
        self.cursors = CursorCodec(instance_name, instance_secret)
        self.deadlines = Deadlines()
        self.running = RunningCalls()
        self.syscalls = SyscallTable(
            [
                *syscall_data.SYSCALLS,
                *syscall_streams.SYSCALLS,
                *syscall_calls.SYSCALLS,
                *syscall_meta.SYSCALLS,
                *syscall_audit.SYSCALLS,
            ]
        )
        VectorSearches(database).register(self.syscalls)
        hosts = settings.hosts or os.cpu_count() or 1
        self.query_cache = QueryCache(self, database, capacity=settings.query_cache_bytes, hosts=hosts)
        LiveForesight(self.query_cache, database)
        self._mutations = Mutations(self)
        self._seeds = SeedSource()
        self._implicit = ImplicitReads(database.registry)
        self._switching: asyncio.Event | None = None
        self.tracer: Tracer | None = None
        """Knows the traces that calls belong to; None where no traces are made."""
        self._pause_listeners: list[Callable[[bool], None]] = []
        places = PLACES_OF_A_HOST * hosts
        self._starting_line = StartingLine(places, settings.call_wait_seconds)
        self._chain_line = StartingLine(CHAIN_PLACES, CHAIN_WAIT_SECONDS)
        self._slow_chain_line = StartingLine(SLOW_CHAIN_PLACES, CHAIN_WAIT_SECONDS)
        self.around = Surroundings(
            instance_name=instance_name,
            instance=self.instance,
            cursors=self.cursors,
            deadlines=self.deadlines,
            syscalls=self.syscalls,
            implicit=self._implicit,
            tables=TableNumbers(),
            calls=self,
            audit=self.audit,
            running=self.running,
        )
        """What attempts get to know of all this."""

    # The three kinds

    async def query(
        self,
        call: Call,
        *,
        ts: int,
        journal: str | None = None,
        active: Active | None = None,
        confirmed: Callable[[], Awaitable[bool]] | None = None,
    ) -> FunctionResult:
        """Run a query at exactly `ts`, past the cache. Failures of the function are results; faults are
        raised. With `active` it runs there and not on what is deployed.

        With `confirmed` `ts` may be a timestamp that is validated only. Then a run that has ended calls it to
        wait until it is durable; and where it is told that it will not be, raises `Unconfirmed` and has never
        been.
        """
        began, executed_at = time.perf_counter(), time.monotonic()
        given = active
        losses = HostLosses()
        while True:
            active = given or await self.current()
            transaction = self.database.begin(ts=ts, ahead=confirmed is not None)
            attempt = self.attempt(active, call, transaction, journal, losses=losses)
            try:
                execution, outcome = await self.run("query", attempt, transaction, losses)
            except HostLost:
                continue
            finally:
                losses.end_try()
            seconds = time.perf_counter() - began
            if confirmed is not None and not await confirmed():
                raise Unconfirmed
            result = FunctionResult(
                value_json=outcome.value_json,
                error=outcome.failure,
                log_lines=self.closing_lines(execution, outcome),
                audit_lines=attempt.written_audit_lines(),
                journal=attempt.journal if outcome.failure is None else journal,
                ts=ts,
                read_set=transaction.read_set,
                used_identity=attempt.used_identity,
                used_clock=attempt.used_clock,
                executed_at=executed_at,
                request_id=call.request.request_id,
            )
            spec = None if execution is None else execution.spec
            self.record("query", spec, attempt, result, seconds)
            return result

    async def query_now(self, call: Call) -> FunctionResult:
        """A query at the newest timestamp, from the cache if that holds."""
        return await self.query_cache.query(call)

    def mutation(
        self,
        call: Call,
        *,
        session: SessionRequest | None = None,
        on_committing: OnCommitting | None = None,
        companion: Companion | None = None,
        successor: Successor | None = None,
    ) -> Coroutine[Any, Any, FunctionResult]:
        """Run a mutation until it has been committed, or has failed by itself.

        With `session` it takes effect once however often this is called with the same pair. `on_committing`
        hears the commit timestamp before anyone can see the commit. `companion` writes along with it; raises
        `CompanionGone` when that has given the mutation up. A `successor` is run as if it began after those
        that it succeeds; it raises `EarlierWriteLost` where one of them is lost.
        """
        return self._mutations.run(MutationRequest(call, session, on_committing, companion, successor))

    async def action(self, call: Call, depth: int = 0) -> FunctionResult:
        """Run an action, once. `depth`: how many actions have called each other before it."""
        return await run_action(self, call, depth)

    # Deploying

    @contextlib.asynccontextmanager
    async def switch(self) -> AsyncIterator[None]:
        """While a new deployment is committed nothing begins to run: code and data are of one timestamp.

        The caller commits inside, then calls `activate`.
        """
        while self._switching is not None:
            await self._switching.wait()
        self._switching = asyncio.Event()
        try:
            yield
        finally:
            event, self._switching = self._switching, None
            event.set()

    def activate(self, active: Active) -> Active:
        """Make a deployment the current one; answers the one it replaces."""
        before, self.active = self.active, active
        if before.deployment.is_paused is not active.deployment.is_paused:
            for listener in self._pause_listeners:
                listener(active.deployment.is_paused)
        return before

    def on_pause(self, listener: Callable[[bool], None]) -> None:
        """Tell `listener` whether the deployment is paused: now, and whenever that changes."""
        self._pause_listeners.append(listener)
        listener(self.active.deployment.is_paused)

    async def current(self) -> Active:
        """What is deployed, once no switch is under way."""
        while self._switching is not None:
            await self._switching.wait()
        return self.active

    @property
    def is_switching(self) -> bool:
        """Whether a new deployment is being committed."""
        return self._switching is not None

    @property
    def handles(self) -> FunctionHandles:
        """Handles of the current deployment's functions."""
        return self.active.handles

    def close(self) -> None:
        """Stop the timers, and the queries that nobody awaits."""
        self.query_cache.close()
        self.deadlines.close()

    # What attempts and executions need

    def attempt(
        self,
        active: Active,
        call: Call,
        transaction: Transaction | None,
        journal: str | None = None,
        losses: HostLosses | None = None,
    ) -> Attempt:
        """Begin a try at a call; it depends on what is deployed."""
        if transaction is not None:
            self._implicit.deployment(transaction.read_set)
        return Attempt(
            around=self.around,
            deployment=active.deployment,
            hosts=active.hosts,
            call=call,
            now_ms=self.database.now_ms(),
            seed=self._seeds.next(),
            execution_id=self.log.next_id(),
            deadline=asyncio.get_running_loop().time() + self.settings.system_seconds,
            transaction=transaction,
            journal=journal,
            losses=losses,
            nested=None if self.tracer is None else [],
        )

    async def run(
        self, kind: str, attempt: Attempt, transaction: Transaction, losses: HostLosses
    ) -> tuple[Execution | None, Outcome]:
        """One try at a query or mutation: its execution, `None` where the call was refused, and how it ended.

        Raises `HostLost` when the call is to be run again, after which nothing of it remains, and faults.

        A fault of the engine itself is this call's failure: who calls it again and again, as clients and jobs
        do with what was not answered, would only see it again.
        """
        execution: Execution | None = None
        try:
            component, spec, arguments = attempt.call.resolve(attempt.deployment, kind)
            own = transaction if component.is_app else transaction.view(component.id)
            execution = Execution(attempt, component, spec, arguments, own)
            return execution, await execution.run(own)
        except CallRefused as refusal:
            return execution, Outcome(failure=refusal.failure)
        except HostLost as loss:
            failure = losses.count(loss)
            if failure is None:
                raise
            return execution, Outcome(failure=failure)
        except InternalServerError as fault:
            if execution is None:
                raise
            _log.error("%s failed by a fault of the server: %s", execution.spec.path, fault)
            return execution, Outcome(failure=FunctionFailure(SYSTEM_ERROR_TEXT, kind="exit"))
        except UncatchableFailure as uncatchable:
            return execution, Outcome(failure=uncatchable.failure)
        except DeadlinePassed:
            return execution, Outcome(failure=SLOW_SYSTEM_FAILURE)

    def starting_line(self, active: Active, call: Call, *, chained: bool = False) -> StartingLine | None:
        """Where a mutation waits before it begins; None for one whose transaction the engine runs."""
        spec = active.deployment.functions.get(call.name.canonical)
        if spec is None or call.component or not active.hosts.executes(spec.runtime):
            return None
        if spec.path in active.hosts.needs_engine:
            return None
        if not chained:
            return self._starting_line
        return self._slow_chain_line if RUNTIMES[spec.runtime].keeps_realms else self._chain_line

    @property
    def has_room(self) -> bool:
        """Whether the hosts have so little to do that what runs before its turn holds nobody up for long."""
        return self._starting_line.has_room and self._chain_line.is_empty and self._slow_chain_line.is_empty

    @property
    def waiting_mutations(self) -> int:
        """How many mutations wait before they begin."""
        return sum(map(len, (self._starting_line, self._chain_line, self._slow_chain_line)))

    def path_of(self, name: FunctionPath, component: str) -> str:
        """The name of a function of a component with its module's extension, for texts."""
        found = self.active.deployment.component_at(component)
        spec = None if found is None else found.definition.functions.get(name.canonical)
        return f"{name.module}.js:{name.name}" if spec is None else spec.path

    # The end of a call

    def closing_lines(self, execution: Execution | None, outcome: Outcome) -> tuple[LogLine, ...]:
        """Log lines, with the warnings about limits that were nearly reached."""
        if execution is None:
            return ()
        if outcome.failure is None:
            for text, code in execution.db.warnings():
                execution.logs.warn(text, code)
            user_ms, limit = execution.attempt.user_ms, self.settings.user_seconds
            if user_ms > LIMIT_WARNING_RATIO * limit * 1000:
                execution.logs.warn(
                    "Function execution took a long time. "
                    f"(maximum duration: {limit:g}s, "
                    f"actual duration: {user_ms / 1000:.3f}s).",
                    "UserTimeout",
                )
        return execution.logs.lines()

    def record(
        self,
        kind: str,
        spec: FunctionSpec | None,
        attempt: Attempt,
        result: FunctionResult,
        seconds: float,
        retries: int = 0,
    ) -> None:
        """Put a completion into the execution log, but for system functions: the log is that of the app."""
        if attempt.call.name.module.startswith(PREFIX):
            return
        self.log.append(
            completion(
                self.log,
                attempt,
                spec,
                kind,
                str(attempt.call.name),
                () if kind == "action" else result.log_lines,
                execution_time=seconds,
                error=result.error,
                return_bytes=len(result.value_json) if result.error is None else None,
                retries=retries,
            )
        )
