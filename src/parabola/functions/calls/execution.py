"""One function running: the conversation with its host, from `run` to `done`.

The function that was called from outside and everything it calls in the same transaction are executions of
one `Attempt`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Struct

from parabola.database.model.errors import NotToBuildOn
from parabola.database.transaction_state import TransactionState, absorb, depend_on_everything
from parabola.functions.calls.arguments import Arguments, check_arguments
from parabola.functions.calls.deadlines import DeadlinePassed
from parabola.functions.calls.named_tables import check_named_table
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.calls.return_values import check_result
from parabola.functions.deployed.components import Component
from parabola.functions.deployed.deployment import FunctionSpec
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.deployed.runtimes import RUNTIMES, language_of
from parabola.functions.outcomes.failures import (
    SYSTEM_ERROR_TEXT,
    FunctionFailure,
    HostError,
    failure_from_host,
)
from parabola.functions.outcomes.logs import LogCollector
from parabola.functions.processes.host_failures import HostLost
from parabola.functions.processes.host_messages import (
    NO_USAGE,
    Again,
    Done,
    Failed,
    HostCall,
    Log,
    RunMessage,
    Syscall,
    Usage,
)
from parabola.functions.processes.host_replies import Refusal, Reply, refusal
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.functions.system.registry import SystemContext, SystemHandler
from parabola.values.encoding import dumps, encode
from parabola.values.errors import (
    ConvexError,
    InternalServerError,
    ParabolaError,
    SystemFault,
    UserError,
)
from parabola.values.limits import LIMIT_WARNING_RATIO, MAX_ARGUMENTS_SIZE, MAX_RESULT_SIZE
from parabola.values.validators.builder import TableNames

if TYPE_CHECKING:
    from parabola.database.commits.chain import Link
    from parabola.database.model.tables import Registry
    from parabola.database.query.wide_reads import WideRead
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.attempt import Attempt
    from parabola.functions.calls.surroundings import Surroundings
    from parabola.functions.syscalls.streams import OpenStreams

__all__ = ["CONCURRENT_OPERATIONS", "Execution", "NestedFailure", "Outcome", "UncatchableFailure"]

_log: Final = logging.getLogger(__name__)

CONCURRENT_OPERATIONS: Final = 64
"""Operations of one action running at once; more wait. The official server stops at 8 (js-runtime §7.1)."""


class UncatchableFailure(Exception):
    """A nested call failed in a way that ends its callers too (timeout, memory)."""

    def __init__(self, failure: FunctionFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class NestedFailure(UserError):
    """A called function failed; its caller may catch that, message and data (js-runtime §6.3)."""

    def __init__(self, failure: FunctionFailure) -> None:
        super().__init__(failure.text())
        self.failure = failure


class Outcome(Struct):
    """How an execution ended."""

    value_json: bytes = b"null"
    failure: FunctionFailure | None = None
    size: int = 1


@dataclass(slots=True)
class Execution:
    """One function of a component, or of the app, in one attempt. `transaction` is the attempt's own as that
    component sees it, or its beginning.
    """

    attempt: Attempt
    component: Component
    spec: FunctionSpec
    arguments: Arguments
    transaction: Transaction | None
    depth: int = 0
    place: int = -1
    """Its own among the calls of its transaction that are noted (`Attempt.nested`)."""
    logs: LogCollector = field(default_factory=LogCollector)
    streams: OpenStreams | None = None
    on_logs: Any = None
    """Called with lines as they appear (actions)."""
    auth_refusal: ParabolaError | None = None
    """Why the token of an HTTP action's request is refused; raised when the action asks who is calling."""
    _operations: set[asyncio.Task[None]] | None = None
    _slots: asyncio.Semaphore | None = None
    _told_tables: Registry | None = None
    _links: Mapping[int, Link] = field(default_factory=dict)
    """Of the runs that its own may be built upon."""
    _user_ms: float = 0.0
    """What this function has used itself, as its host said last. Each moment of the time that a transaction's
    functions share is some function's own, so that none is counted twice.
    """

    @property
    def kind(self) -> str:
        """`query`, `mutation`, `action` or `httpAction`."""
        return self.spec.kind

    @property
    def is_advised(self) -> bool:
        """Whether its author is told more than the official texts."""
        return language_of(self.spec.runtime).is_advised

    @property
    def identity(self) -> Identity:
        """Who calls, as far as the function may know: components do not learn it from those who call them
        (components 7.4).
        """
        return self.attempt.call.identity if self.depth == 0 or self.component.is_app else NO_IDENTITY

    @property
    def around(self) -> Surroundings:
        """What every execution needs, and the calls it may make."""
        return self.attempt.around

    @property
    def db(self) -> Transaction:
        """The transaction; only asked for by operations of queries and mutations."""
        assert self.transaction is not None
        return self.transaction

    @property
    def is_in_mutation(self) -> bool:
        """Whether its transaction is a mutation's."""
        return getattr(self.transaction, "writable", False)

    async def run(self, tables: TableNames) -> Outcome:
        """Check arguments, run the handler on a host, check its result.

        Raises `HostLost` when all of this is to be done again, `SystemFault`, and `UncatchableFailure` from
        nested calls.
        """
        try:
            check_arguments(self.spec, self.arguments, tables)
        except CallRefused as refusal:
            return Outcome(failure=refusal.failure)
        if not self.depth:
            self.attempt.argument_bytes = self.arguments.size
        if self.arguments.size > LIMIT_WARNING_RATIO * MAX_ARGUMENTS_SIZE:
            self._warn_near_limit(
                "Large size of the function arguments",
                self.arguments.size,
                MAX_ARGUMENTS_SIZE,
                "TooLargeFunctionArguments",
            )
        if self.spec.native is not None:
            return await self._run_natively(self.spec.native)
        if self._may_be_executed:
            answer = await self._run_on_host(executed=True)
            if type(answer) is Again:
                if answer.alone or (answer.needs_engine and self.attempt.link is not None):
                    if answer.needs_engine:
                        self.attempt.hosts.needs_engine.add(self.spec.path)
                    # Others may have been built upon this run already, and another one is not what they saw.
                    raise NotToBuildOn
                message = await self._run_by_engine(needed=answer.needs_engine)
            else:
                message = cast("Done | Failed", answer)
        else:
            message = await self._run_by_engine()
        if self.transaction is not None and message.state is not None:
            self._absorb(message.state)
        usage = message.usage or NO_USAGE
        self._take_usage(usage)
        if message.logs:
            self._log(message.logs)
        if type(message) is Failed:
            failure = failure_from_host(message.error, message.kind)
            if not failure.catchable and self.depth:
                raise UncatchableFailure(failure)
            return Outcome(failure=failure)
        if usage.unawaited:
            self._warn_unawaited(usage.unawaited)
        if self.kind == "httpAction":
            return Outcome()  # its response has gone its own way
        try:
            assert type(message) is Done
            value_json, size = check_result(
                self.spec, message.result, tables, in_mutation=self.is_in_mutation
            )
        except CallRefused as refusal:
            return Outcome(failure=refusal.failure)
        if size > LIMIT_WARNING_RATIO * MAX_RESULT_SIZE:
            self._warn_near_limit(
                "Large size of the function return value", size, MAX_RESULT_SIZE, "TooLargeFunctionResult"
            )
        return Outcome(value_json, None, size)

    async def _run_natively(self, handler: SystemHandler) -> Outcome:
        """Run a system function in the engine itself."""
        try:
            value_json = dumps(await handler(SystemContext(self), self.arguments.value))
        except ConvexError as error:
            said = HostError(message=f"Uncaught ConvexError: {error.message}", data=encode(error.data))
            return Outcome(failure=failure_from_host(said))
        except UserError as error:
            return Outcome(failure=FunctionFailure(error.message))
        return Outcome(value_json, None, len(value_json))

    async def _run_by_engine(self, *, needed: bool = False) -> Done | Failed:
        """Run the function on the engine's transaction: also where it has turned out that a host cannot run
        it on its own. With `needed` that is so of the function whenever it is called.

        When a host ends under a query and takes with it what that has read, the query fails once more on the
        engine's: who watches the failure must know what it depends on.
        """
        if needed:
            self.attempt.hosts.needs_engine.add(self.spec.path)
        message = await self._run_on_host(executed=False)
        if isinstance(message, Again):
            raise InternalServerError(f"{self.spec.path} was given up by its host without a reason")
        return message

    @property
    def _may_be_executed(self) -> bool:
        """Whether a host may run its transaction. Not one that has this call alone, since it may well end."""
        spec, attempt = self.spec, self.attempt
        if self.depth or self.transaction is None or spec.kind not in ("query", "mutation"):
            return False
        losses = attempt.losses
        is_alone = losses is not None and losses.alone is not None
        return not is_alone and spec.path not in attempt.hosts.needs_engine

    async def _run_on_host(self, *, executed: bool) -> Done | Failed | Again:
        """Start the run and serve its calls until its last message. With `executed` the host may do what it
        can by itself.
        """
        attempt, spec, transaction = self.attempt, self.spec, self.transaction
        nested, losses = self.depth > 0, attempt.losses
        request = RunRequest(
            kind=spec.kind,
            path=spec.path,
            args_json=self.arguments.json,
            now_ms=attempt.now_ms,
            seed=attempt.next_seed() if nested else attempt.seed,
            snapshot_ts=0 if transaction is None else transaction.begin_ts,
            identity_json=self.identity.attributes_json,
            request_id=attempt.request.request_id,
            tables_json=self._new_tables(),
            trace=None if attempt.nested is None else self._place_in_trace(),
            user_ms_used=attempt.user_ms,
            nested=nested,
            component=None if self.component.is_app else attempt.hosts.component(self.component),
            start=self.db.executor_start() if executed else None,
            link=attempt.link if executed else None,
        )
        run = attempt.hosts.begin(spec.runtime, request, nested=nested, losses=losses)
        if run is None:
            run = await attempt.hosts.run(spec.runtime, request, nested=nested, losses=losses)
        self.started(run)
        self._links = run.links
        in_action = transaction is None
        deadlines, running = attempt.around.deadlines, attempt.around.running
        running.begin(run, self)
        if not in_action:
            deadlines.watch(run, attempt.deadline)
        try:
            while True:
                message = run.take()
                if message is None:
                    await run.coming()
                    continue
                if type(message) is Syscall:
                    if in_action:
                        self._start_operations(run, message.calls)
                    else:
                        if message.state is not None:
                            self._absorb(message.state)
                            run.is_executed = False
                        elif run.is_executed:  # the engine's transaction has nothing of what was done so far
                            run.cancel()
                            return Again(id=run.id)
                        if message.logs:
                            self._log(message.logs)  # these stand before the lines of functions called now
                        user_ms = message.user_ms
                        if user_ms is not None:
                            self._take_user_ms(user_ms)
                        replies = [await self._serve(call) for call in message.calls]
                        others = None if user_ms is None else attempt.user_ms - self._user_ms
                        run.reply(replies, self._new_tables(), others)
                elif type(message) is Done or type(message) is Failed or type(message) is Again:
                    if run.is_executed and not isinstance(message, Again) and message.state is None:
                        return self._without_state(run, message)
                    return message
                elif type(message) is Log:
                    self._log(message.lines)
                else:
                    await self.received(message)
        except BaseException:
            run.cancel()
            if run.is_executed:
                depend_on_everything(self.db, run.links)  # what it has read is not known
            raise
        finally:
            running.end(run)
            deadlines.forget(run)
            for task in self._operations or ():
                task.cancel()

    def _place_in_trace(self) -> Mapping[str, str] | None:
        """The headers by which an action tells whom it asks that this is one trace."""
        tracer = self.around.calls.tracer
        return None if tracer is None or self.transaction is not None else tracer.place(self).headers()

    def _without_state(self, run: Run, message: Done | Failed) -> Failed | Again:
        """What becomes of a run whose host has ended, as its last message: what it has read is not known.

        A mutation that has failed is not committed, and nobody watches it.
        """
        if type(message) is Failed and self.kind == "mutation":
            depend_on_everything(self.db, run.links)
            return message
        return Again(id=run.id, needs_engine=True)

    def _absorb(self, state: TransactionState) -> None:
        try:
            absorb(self.db, state, self._links)
        except ValueError as error:
            raise InternalServerError(f"{self.spec.path} cannot be committed: {error}") from error
        for wide in state.wide_reads:
            self.note_wide_read(wide)

    def note_wide_read(self, wide: WideRead) -> None:
        """A query of the function has read far more than it returned. Few do."""
        from parabola.functions.calls.wide_reads import count_wide_read  # with the first of them

        count_wide_read(self, wide)

    def started(self, run: Run) -> None:
        """The run has been handed to its host."""

    async def received(self, message: RunMessage) -> None:
        """A message that only executions of some kinds expect."""

    def _new_tables(self) -> bytes | None:
        """Table numbers, if this execution's host needs them and has not been told these."""
        if self.transaction is None or not RUNTIMES[self.spec.runtime].answers_normalize_id:
            return None
        registry = self.transaction.registry
        if registry is self._told_tables:
            return None
        self._told_tables = registry
        return self.around.tables.of(registry, self.component.id)

    async def _serve(self, call: HostCall) -> Reply | Refusal:
        """Run one call; errors the author can handle become error replies, faults end the execution."""
        try:
            syscall = self.around.syscalls.find(call.op, self.kind)
            args = call.args or {}
            if self.is_advised:
                check_named_table(self.component.definition.schema, call.op, args)
            return {"call": call.call, "value": await syscall.handler(self, args)}
        except ConvexError as error:
            return refusal(call.call, error.message, encode(error.data))
        except NestedFailure as error:
            return refusal(call.call, error.message, error.failure.data)
        except UserError as error:
            return refusal(call.call, error.message + (error.advice if self.is_advised else ""))
        except (ParabolaError, CallRefused, UncatchableFailure, HostLost, DeadlinePassed):
            raise
        except Exception as error:
            _log.exception("The operation %s failed", call.op)
            raise InternalServerError(SYSTEM_ERROR_TEXT) from error

    def _start_operations(self, run: Run, calls: list[HostCall]) -> None:
        if self._operations is None:
            self._operations = set()
        for call in calls:
            task = asyncio.get_running_loop().create_task(self._operate(run, call))
            self._operations.add(task)
            task.add_done_callback(self._operations.discard)

    async def _operate(self, run: Run, call: HostCall) -> None:
        """Serve one call of an action: beside others, and every failure is the action's to handle."""
        async with self._operation_slots():
            try:
                reply = await self._serve(call)
            except UncatchableFailure as error:
                reply = refusal(call.call, error.failure.text())
            except SystemFault as fault:
                text = SYSTEM_ERROR_TEXT if isinstance(fault, InternalServerError) else fault.message
                reply = refusal(call.call, text)
            except Exception:
                _log.exception("The operation %s failed", call.op)
                reply = refusal(call.call, SYSTEM_ERROR_TEXT)
        run.reply([reply])

    def _operation_slots(self) -> asyncio.Semaphore:
        if self._slots is None:
            self._slots = asyncio.Semaphore(CONCURRENT_OPERATIONS)
        return self._slots

    def _log(self, lines: list[Any]) -> None:
        kept = self.logs.write(lines)
        if self.on_logs is not None and kept:
            self.on_logs(kept)

    def _take_usage(self, usage: Usage) -> None:
        attempt = self.attempt
        attempt.used_clock |= usage.used_clock
        if usage.used_identity and self.identity is attempt.identity:
            attempt.used_identity = True
        self._take_user_ms(usage.user_ms or 0.0)
        if usage.env_read and self.transaction is not None:
            for read in usage.env_read:
                for name in self.component.app_variables(read):
                    attempt.around.implicit.environment_variable(self.transaction.read_set, name)

    def _take_user_ms(self, user_ms: float) -> None:
        self.attempt.user_ms += max(0.0, user_ms - self._user_ms)
        self._user_ms = max(user_ms, self._user_ms)

    def _warn_near_limit(self, what: str, actual: int, limit: int, code: str) -> None:
        self.logs.warn(f"{what} (actual: {actual} bytes, limit: {limit} bytes).", code)

    def _warn_unawaited(self, operations: Sequence[str]) -> None:
        names = [_operation_name(operation) for operation in operations]
        if names:
            plural = "" if len(names) == 1 else "s"
            self.logs.warn(
                f"{len(names)} unawaited operation{plural}: [{', '.join(names)}]. Async operations should be "
                "awaited or they might not run. See "
                "https://docs.convex.dev/functions/actions#dangling-promises for more information.",
                "UnawaitedOperations",
            )


def _operation_name(op: str) -> str:
    name = op.removeprefix("1.0/").removeprefix("actions/")
    return {"shallowMerge": "patch", "queryPage": "paginate"}.get(name, name)
