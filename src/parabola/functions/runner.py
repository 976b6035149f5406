"""Running deployed functions: from a name and arguments to a result, with retries and limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from parabola.database.cursors import CursorCodec
from parabola.database.errors import ConflictError
from parabola.functions import syscall_calls, syscall_data, syscall_meta, syscall_streams
from parabola.functions.calling import Arguments, CallRefused, decode_arguments, resolve
from parabola.functions.contention import TURNS_BEFORE_LANE, Turns
from parabola.functions.deployment import KIND_TITLES, Deployment, FunctionSpec
from parabola.functions.execution import (
    CONCURRENT_OPERATIONS,
    USER_TIME_LIMIT_MS,
    Attempt,
    Execution,
    Outcome,
    RequestContext,
    UncatchableFailure,
    wall_clock_ms,
)
from parabola.functions.execution_log import ExecutionEntry, ExecutionLog
from parabola.functions.failures import FunctionFailure, new_request_id
from parabola.functions.function_handles import FunctionHandles
from parabola.functions.function_path import FunctionPath, parse_path
from parabola.functions.hosts import HostLost
from parabola.functions.identity import Identity
from parabola.functions.implicit_reads import ImplicitReads
from parabola.functions.query_cache import QueryCache
from parabola.functions.results import FunctionResult
from parabola.functions.session_requests import SessionRequest, store_result, stored_result
from parabola.functions.syscalls import SyscallTable
from parabola.values.errors import BadRequest, InternalServerError

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.host_set import HostSet
    from parabola.functions.logs import LogLine

logger = logging.getLogger("parabola.functions")

SYSTEM_TIME_LIMIT_SECONDS = 15.0
"""Waiting time of a query or mutation (js-runtime §5.5)."""
SLOW_SYSTEM_TEXT = "Your request timed out performing too many system operations."
MAXIMUM_HOST_LOSSES = 5
"""Hosts that may be lost under one call, through no fault of its own, before it is given up."""
ACTION_LIMIT_SECONDS: Mapping[str, float] = {"python": 1800.0, "isolate": 1800.0, "node": 600.0}
"""Time of an action (js-runtime §5.5)."""

OnCommitting = Callable[[int], None]
CallArgumentsJson = list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Active:
    """What is deployed now: the code, the hosts that have loaded it, the handles of its functions."""

    deployment: Deployment
    hosts: HostSet
    handles: FunctionHandles


class FunctionRunner:
    """Runs functions of the active deployment."""

    def __init__(
        self,
        database: Database,
        active: Active,
        *,
        instance_name: str = "parabola",
        instance_secret: bytes = b"",
    ) -> None:
        self.database = database
        self.active = active
        self.instance_name = instance_name
        self.cursors = CursorCodec(instance_name, instance_secret)
        self.query_cache = QueryCache(self, database)
        self.services: dict[str, Any] = {}
        """Services by name, for the system functions that speak for them."""
        self.log = ExecutionLog()
        self.syscalls = SyscallTable(
            [
                *syscall_data.SYSCALLS,
                *syscall_streams.SYSCALLS,
                *syscall_calls.SYSCALLS,
                *syscall_meta.SYSCALLS,
            ]
        )
        self._turns = Turns()
        self._switching: asyncio.Event | None = None
        self._implicit = ImplicitReads(database.registry)
        self._session_runs: dict[SessionRequest, asyncio.Future[None]] = {}
        self._tables_json: tuple[Any, bytes] | None = None

    # The three kinds

    async def query(
        self,
        name: FunctionPath,
        arguments: Arguments | CallArgumentsJson,
        identity: Identity,
        *,
        ts: int,
        journal: str | None = None,
        component: str = "",
        public_only: bool = True,
        request: RequestContext | None = None,
    ) -> FunctionResult:
        """Run a query at exactly `ts`. Failures of the function are results; the server's are raised."""
        request = request or RequestContext(new_request_id())
        began = time.perf_counter()
        executed_at = time.monotonic()
        for _ in range(MAXIMUM_HOST_LOSSES):
            active = await self._current()
            transaction = self.database.begin(ts=ts)
            attempt = self._attempt(active, identity, request, transaction, component, journal)
            spec: FunctionSpec | None = None
            execution: Execution | None = None
            try:
                spec = resolve(active.deployment, name, "query", public_only=public_only, identity=identity)
                if not isinstance(arguments, Arguments):
                    arguments = decode_arguments(arguments, spec.path)
                execution = Execution(attempt, spec, arguments, transaction)
                outcome = await self._run(execution)
            except CallRefused as refusal:
                outcome = Outcome(failure=refusal.failure)
            except HostLost:
                continue
            lines = self._closing_lines(execution, outcome)
            result = FunctionResult(
                value_json=outcome.value_json,
                error=outcome.failure,
                log_lines=lines,
                journal=attempt.journal if outcome.failure is None else journal,
                ts=ts,
                read_set=transaction.read_set,
                used_identity=attempt.used_identity,
                used_clock=attempt.used_clock,
                executed_at=executed_at,
                request_id=request.request_id,
            )
            self._record("query", name, spec, attempt, result, time.perf_counter() - began)
            return result
        raise _given_up()

    async def mutation(
        self,
        path: str | FunctionPath,
        args: CallArgumentsJson,
        identity: Identity,
        *,
        session: SessionRequest | None = None,
        component: str = "",
        public_only: bool = True,
        request: RequestContext | None = None,
        on_committing: OnCommitting | None = None,
    ) -> FunctionResult:
        """Run a mutation until it has been committed, or has failed by itself. Losing a conflict is no
        failure.

        With `session`, the mutation takes effect once however often this is called with the same pair.
        """
        name = path if isinstance(path, FunctionPath) else parse_path(path)
        request = request or RequestContext(new_request_id())
        if session is None:
            return await self._mutation(
                name, args, identity, None, component, public_only, request, on_committing
            )
        while (running := self._session_runs.get(session)) is not None:
            await asyncio.shield(running)
        running = self._session_runs[session] = asyncio.get_running_loop().create_future()
        try:
            return await self._mutation(
                name, args, identity, session, component, public_only, request, on_committing
            )
        finally:
            del self._session_runs[session]
            running.set_result(None)

    async def action(
        self,
        path: str | FunctionPath,
        args: CallArgumentsJson,
        identity: Identity,
        *,
        component: str = "",
        public_only: bool = True,
        request: RequestContext | None = None,
        depth: int = 0,
    ) -> FunctionResult:
        """Run an action, once. What it does through mutations stays done whatever becomes of it."""
        name = path if isinstance(path, FunctionPath) else parse_path(path)
        request = request or RequestContext(new_request_id())
        began = time.perf_counter()
        active = await self._current()
        attempt = self._attempt(active, identity, request, None, component, None)
        spec: FunctionSpec | None = None
        execution: Execution | None = None
        try:
            spec = resolve(active.deployment, name, "action", public_only=public_only, identity=identity)
            arguments = decode_arguments(args, spec.path)
            execution = Execution(attempt, spec, arguments, None, depth=depth)
            execution.on_logs = self._progress(name, spec, attempt)
            outcome = await self._run_action(execution)
        except CallRefused as refusal:
            outcome = Outcome(failure=refusal.failure)
        except UncatchableFailure as uncatchable:
            outcome = Outcome(failure=uncatchable.failure)
        result = FunctionResult(
            value_json=outcome.value_json,
            error=outcome.failure,
            log_lines=() if execution is None else execution.logs.lines(),
            ts=self.database.durable_ts,
            request_id=request.request_id,
        )
        self._record("action", name, spec, attempt, result, time.perf_counter() - began)
        return result

    # Deploying

    @contextlib.asynccontextmanager
    async def switch(self) -> AsyncIterator[None]:
        """While the new deployment is committed nothing begins to run, so that code and data are of one
        timestamp.

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
        return before

    @property
    def handles(self) -> FunctionHandles:
        """Handles of the current deployment's functions."""
        return self.active.handles

    # What executions need

    def path_of(self, name: FunctionPath) -> str:
        """The name of a function with its module's extension, for texts."""
        spec = self.active.deployment.functions.get(name.canonical)
        return f"{name.module}.js:{name.name}" if spec is None else spec.path

    def identity_json(self, identity: Identity) -> bytes:
        """The user's attributes as JSON."""
        return b"null" if identity.attributes is None else orjson.dumps(dict(identity.attributes))

    def tables_json(self, spec: FunctionSpec, transaction: Transaction) -> bytes | None:
        """Table numbers by name, for hosts that answer `normalizeId` without asking (js-runtime §1.6)."""
        if spec.environment != "isolate":
            return None
        registry = transaction.registry
        if self._tables_json is None or self._tables_json[0] is not registry:
            numbers: dict[str, int] = {}
            for table in registry.tables(""):
                named = registry.table_name(table.number)
                if named is not None:
                    numbers[named[0]] = table.number
            self._tables_json = (registry, orjson.dumps(numbers))
        return self._tables_json[1]

    def record_environment_read(self, transaction: Transaction, name: str) -> None:
        """The execution read an environment variable."""
        self._implicit.environment_variable(transaction.read_set, name)

    def operation_slots(self, execution: Execution) -> asyncio.Semaphore:
        """Limits how many operations of one action run at once."""
        if execution.operation_slots is None:
            execution.operation_slots = asyncio.Semaphore(CONCURRENT_OPERATIONS)
        return execution.operation_slots

    # How it is done

    async def _current(self) -> Active:
        while self._switching is not None:
            await self._switching.wait()
        return self.active

    def _attempt(
        self,
        active: Active,
        identity: Identity,
        request: RequestContext,
        transaction: Transaction | None,
        component: str,
        journal: str | None,
    ) -> Attempt:
        if transaction is not None:
            self._implicit.deployment(transaction.read_set)
        return Attempt(
            runner=self,
            deployment=active.deployment,
            hosts=active.hosts,
            identity=identity,
            request=request,
            now_ms=wall_clock_ms(),
            seed=secrets.token_hex(16),
            transaction=transaction,
            component=component,
            journal=journal,
        )

    async def _run(self, execution: Execution) -> Outcome:
        """Run a query or mutation within its waiting time."""
        transaction = execution.db
        try:
            async with asyncio.timeout(SYSTEM_TIME_LIMIT_SECONDS):
                return await execution.run(transaction)
        except UncatchableFailure as uncatchable:
            return Outcome(failure=uncatchable.failure)
        except TimeoutError:
            return Outcome(failure=FunctionFailure(SLOW_SYSTEM_TEXT, kind="timeout"))

    async def _run_action(self, execution: Execution) -> Outcome:
        limit = ACTION_LIMIT_SECONDS[execution.spec.environment]
        try:
            async with asyncio.timeout(limit):
                return await execution.run(self.database.registry)
        except TimeoutError:
            return Outcome(
                failure=FunctionFailure(
                    f"Function execution timed out (maximum duration: {limit:g}s)", kind="timeout"
                )
            )
        except HostLost:
            # Never run again: nobody knows what it has done.
            return Outcome(
                failure=FunctionFailure("The action's host ended while it was running.", kind="exit")
            )

    async def _mutation(
        self,
        name: FunctionPath,
        args: CallArgumentsJson,
        identity: Identity,
        session: SessionRequest | None,
        component: str,
        public_only: bool,
        request: RequestContext,
        on_committing: OnCommitting | None,
    ) -> FunctionResult:
        began = time.perf_counter()
        conflicts = losses = 0
        conflict: ConflictError | None = None
        while True:
            place: contextlib.AbstractAsyncContextManager[Any]
            in_lane = False
            if conflict is None:
                place = contextlib.nullcontext()
            elif conflicts <= TURNS_BEFORE_LANE:
                place = self._turns.turn(conflict.table)
            else:
                place = self.database.commit_lane()
                in_lane = True
            async with place:
                try:
                    # Who holds the lane must not wait for a switch, whose commit waits for the lane.
                    active = self.active if in_lane else await self._current()
                    return await self._try_mutation(
                        active,
                        name,
                        args,
                        identity,
                        session,
                        component,
                        public_only,
                        request,
                        on_committing,
                        began,
                    )
                except ConflictError as error:
                    conflicts += 1
                    conflict = error
                except HostLost:
                    losses += 1
                    if losses >= MAXIMUM_HOST_LOSSES:
                        raise _given_up() from None

    async def _try_mutation(
        self,
        active: Active,
        name: FunctionPath,
        args: CallArgumentsJson,
        identity: Identity,
        session: SessionRequest | None,
        component: str,
        public_only: bool,
        request: RequestContext,
        on_committing: OnCommitting | None,
        began: float,
    ) -> FunctionResult:
        """One attempt. Raises `ConflictError` and `HostLost`, after which nothing of it remains."""
        transaction = self.database.begin(writable=True)
        attempt = self._attempt(active, identity, request, transaction, component, None)
        if session is not None and (stored := await stored_result(transaction, session)) is not None:
            await self.database.wait_durable(transaction.begin_ts)
            return stored
        spec: FunctionSpec | None = None
        execution: Execution | None = None
        try:
            spec = resolve(active.deployment, name, "mutation", public_only=public_only, identity=identity)
            arguments = decode_arguments(args, spec.path)
            execution = Execution(attempt, spec, arguments, transaction)
            outcome = await self._run(execution)
        except CallRefused as refusal:
            outcome = Outcome(failure=refusal.failure)
        lines = self._closing_lines(execution, outcome)
        if outcome.failure is not None:
            # The failure may tell of what it read, so that must be durable first.
            await self.database.wait_durable(transaction.begin_ts)
            ts = transaction.begin_ts
        else:
            if session is not None:
                await store_result(transaction, session, outcome.value_json, lines)
            try:
                ts = await self.database.commit(transaction, source=str(name))
            except BadRequest as error:
                outcome = Outcome(failure=FunctionFailure(error.message))
                ts = transaction.begin_ts
        result = FunctionResult(
            value_json=outcome.value_json,
            error=outcome.failure,
            log_lines=lines,
            ts=ts,
            request_id=request.request_id,
        )
        self._record("mutation", name, spec, attempt, result, time.perf_counter() - began)
        return result

    def _closing_lines(self, execution: Execution | None, outcome: Outcome) -> tuple[LogLine, ...]:
        """Log lines with the warnings about limits that were nearly reached."""
        if execution is None:
            return ()
        if outcome.failure is None:
            for text in execution.db.warnings():
                execution.logs.warn(text)
            user_ms = execution.attempt.user_ms
            if user_ms > 0.8 * USER_TIME_LIMIT_MS:
                execution.logs.warn(
                    "Function execution took a long time. "
                    f"(maximum duration: {USER_TIME_LIMIT_MS / 1000:g}s, "
                    f"actual duration: {user_ms / 1000:.3f}s).",
                    "UserTimeout",
                )
        return execution.logs.lines()

    def _record(
        self,
        kind: str,
        name: FunctionPath,
        spec: FunctionSpec | None,
        attempt: Attempt,
        result: FunctionResult,
        seconds: float,
    ) -> None:
        log = self.log
        log.append(
            ExecutionEntry(
                kind="Completion",
                udf_type=KIND_TITLES[kind],
                identifier=str(name),
                timestamp=log.next_timestamp(),
                log_lines=() if kind == "action" else result.log_lines,
                request_id=attempt.request.request_id,
                execution_id=log.next_id(),
                execution_time=seconds,
                user_execution_time=attempt.user_ms / 1000,
                error=result.error,
                component_path=attempt.component or None,
                environment="isolate" if spec is None else spec.environment,
                identity_type=attempt.identity.kind,
                return_bytes=len(result.value_json) if result.error is None else None,
            )
        )

    def _progress(self, name: FunctionPath, spec: FunctionSpec, attempt: Attempt) -> Any:
        execution_id = self.log.next_id()

        def progress(lines: Any) -> None:
            self.log.append(
                ExecutionEntry(
                    kind="Progress",
                    udf_type=KIND_TITLES[spec.kind],
                    identifier=str(name),
                    timestamp=self.log.next_timestamp(),
                    log_lines=tuple(lines),
                    request_id=attempt.request.request_id,
                    execution_id=execution_id,
                )
            )

        return progress


def _given_up() -> InternalServerError:
    return InternalServerError("Your request couldn't be completed. Try again later.")
