"""Running mutations: optimistic attempts until one commits, each with a fresh snapshot, clock and seed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct, field

from parabola.database.commits.turns import Turn
from parabola.database.model.errors import TryAgain
from parabola.functions.calls.calling import Call
from parabola.functions.calls.execution import Outcome
from parabola.functions.calls.session_requests import SessionRequest, store_result, stored_result
from parabola.functions.calls.successor import Successor
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_failures import HostLost
from parabola.functions.processes.host_losses import HostLosses
from parabola.values.encoding import resolve_commit_ts
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.starting_line import StartingLine
    from parabola.functions.engine import Active, FunctionRunner

__all__ = ["Companion", "CompanionGone", "MutationRequest", "Mutations", "OnCommitting"]

EARLY_SECONDS: Final = 30.0
"""What has run before its turn is run again if that has not come by then: its writes need memory, and files
that it has stored are not kept for ever."""

OnCommitting = Callable[[int], None]
"""Hears the commit timestamp before anyone can see the commit."""


class Companion(Protocol):
    """What must be written together with a mutation, or not at all: the state of the job that it is."""

    async def begin(self, transaction: Transaction) -> None:
        """Before the function runs. Raises `CompanionGone` to give the mutation up."""

    async def finish(self, transaction: Transaction) -> None:
        """After the function has succeeded, before the commit."""


class CompanionGone(Exception):
    """The mutation need not run any more; nothing was written."""


class MutationRequest(Struct, frozen=True):
    """A mutation to be run until it has committed, and what goes along with the commit."""

    call: Call
    session: SessionRequest | None = None
    on_committing: OnCommitting | None = None
    companion: Companion | None = None
    successor: Successor | None = None
    """Its place among what its client asks for in an order, if it has one."""
    began: float = field(default_factory=time.perf_counter)


class Mutations:
    """Runs mutations for a `FunctionRunner`."""

    def __init__(self, runner: FunctionRunner) -> None:
        self._runner = runner
        self._session_runs: dict[SessionRequest, asyncio.Future[None]] = {}

    def run(self, request: MutationRequest) -> Coroutine[Any, Any, FunctionResult]:
        """Run until committed, or until the function fails by itself. Losing a conflict is no failure."""
        return self._run(request) if request.session is None else self._run_once(request, request.session)

    async def _run_once(self, request: MutationRequest, session: SessionRequest) -> FunctionResult:
        """A client may send again what is still running here: the second one then finds the stored result."""
        while (running := self._session_runs.get(session)) is not None:
            await asyncio.shield(running)
        running = self._session_runs[session] = asyncio.get_running_loop().create_future()
        try:
            return await self._run(request)
        finally:
            del self._session_runs[session]
            running.set_result(None)

    def _run(self, request: MutationRequest) -> Coroutine[Any, Any, FunctionResult]:
        call, tries = request.call, _Tries(self._runner, request)
        return self._runner.database.contend(
            tries.attempt,
            call.name.canonical,
            call.named_arguments,
            may_be_chained=tries.may_be_chained,
            # Once it has a turn that others wait for, it must not wait for them.
            before_competing=None if request.successor is None else tries.turn,
        )


class _Tries:
    """One mutation, tried until it commits."""

    __slots__ = ("_losses", "_made", "_request", "_runner", "_waited")

    def __init__(self, runner: FunctionRunner, request: MutationRequest) -> None:
        self._runner = runner
        self._request = request
        self._losses = HostLosses()
        self._made = 0
        """How many have begun when its turn had come."""
        self._waited = 0.0
        """Seconds until that."""

    def may_be_chained(self) -> bool:
        """Whether a host may run it on what others there have written."""
        runner, losses = self._runner, self._losses
        return losses.alone is None and runner.starting_line(runner.active, self._request.call) is not None

    async def turn(self) -> None:
        """Returns when its turn has come among what its client asks for."""
        successor = self._request.successor
        if successor is not None:
            began = time.perf_counter()
            try:
                await successor.turn()
            finally:
                self._waited += time.perf_counter() - began

    async def _start(self, turn: Turn) -> tuple[Active, StartingLine | None]:
        """What is deployed, and where a place has been taken to run it, which `leave` gives back. Until there
        is another wait, that is what is deployed.
        """
        runner, call, successor = self._runner, self._request.call, self._request.successor
        first = turn.waited or turn.in_lane or self._made > 0
        while True:
            # Who holds the lane must not wait for a switch, whose commit waits for the lane.
            active = runner.active if turn.in_lane or not runner.is_switching else await runner.current()
            line = runner.starting_line(active, call, chained=turn.link is not None)
            if successor is not None and not successor.is_next:
                # Before its turn it takes what nobody else wants.
                if line is not None and runner.has_room and line.enter(first=False):
                    return active, line
                await self.turn()
                continue
            if line is None or line.enter(first=first):
                return active, line
            await line.wait(first=first)
            if active is runner.active and (turn.in_lane or not runner.is_switching):
                return active, line
            line.leave()
            first = True

    async def _settle(self, successor: Successor, transaction: Transaction, began_ms: float) -> int:
        """Returns when the turn of what has run before it has come, if it need not have waited for that: the
        newest timestamp at which everything was as it has read it. Raises `TryAgain` where it should have.
        """
        try:
            async with asyncio.timeout(EARLY_SECONDS):
                await self.turn()
        except TimeoutError:
            raise TryAgain from None
        database = self._runner.database
        transaction.after = successor.after
        if began_ms < successor.not_before or not database.is_current(transaction):
            raise TryAgain
        return database.latest_ts

    async def attempt(self, turn: Turn) -> FunctionResult:
        """One attempt. Raises `ConflictError` and `TryAgain`, after which nothing of it remains."""
        successor = self._request.successor
        if successor is None or successor.is_next:
            return await self._attempt(turn)
        try:
            return await self._attempt(turn)
        except TryAgain:
            successor.in_vain |= successor.was_early
            raise
        except Exception:
            if successor.is_next or not successor.was_early:
                raise
            successor.in_vain = True
            raise TryAgain from None  # in its turn it may go well

    async def _attempt(self, turn: Turn) -> FunctionResult:
        runner, losses, request, retries = self._runner, self._losses, self._request, self._made
        database = runner.database
        call, session, companion = request.call, request.session, request.companion
        successor = request.successor
        place: StartingLine | None = None
        try:
            active, place = await self._start(turn)
            is_early = successor is not None and not successor.is_next
            self._made += not is_early
            transaction = database.begin(writable=True, after=0 if successor is None else successor.after)
            began_ms = transaction.next_creation_time
            attempt = runner.attempt(active, call, transaction, losses=losses)
            attempt.link = turn.link
            if successor is not None:
                successor.was_early |= is_early
            if session is not None:
                stored = await stored_result(transaction, session, call)
                if stored is not None:
                    if successor is not None:
                        successor.has_run(0.0, began_ms)  # what was created then is older
                    await database.confirm_reads(transaction)
                    return stored
            if companion is not None:
                if active.deployment.is_paused:
                    raise CompanionGone  # it stays due
                await companion.begin(transaction)
            execution, outcome = await runner.run("mutation", attempt, transaction, losses)
            if place is not None:
                place.leave()
                place = None
            turn.has_taken(attempt.user_ms)
            read_ts = 0
            if successor is not None:
                successor.has_run(attempt.user_ms, transaction.next_creation_time)
                if is_early:
                    if outcome.failure is not None:
                        raise TryAgain  # it may fail because it is early
                    read_ts = await self._settle(successor, transaction, began_ms)
            lines = runner.closing_lines(execution, outcome)
            ts = transaction.begin_ts

            def validated(ts: int) -> None:
                turn.validated(transaction, ts)
                if request.on_committing is not None:
                    request.on_committing(ts)

            audit, audited = runner.audit, attempt.written_audit_lines()
            if outcome.failure is None:
                try:
                    if audited:
                        await audit.write_with(transaction, audit.rows(audited, call, "success"))
                    if session is not None:
                        await store_result(transaction, session, call, outcome.value_json, lines)
                    if companion is not None:
                        await companion.finish(transaction)
                    ts = await database.commit(transaction, source=str(call.name), on_validated=validated)
                    if ts < read_ts:
                        # It has written nothing. What it is shown with must not be older than what its client
                        # has seen of those before it.
                        await database.wait_durable(read_ts)
                        ts = read_ts
                except BadRequest as error:
                    if is_early:
                        raise TryAgain from None
                    outcome = Outcome(failure=FunctionFailure(error.message))
                else:
                    if audited:
                        audit.written()
            if outcome.failure is not None:
                if audited:
                    await audit.write(audit.rows(audited, call, "failure"))
                # The failure may tell of what was read, so that must be durable first.
                await database.confirm_reads(transaction)
        except HostLost:  # it has been counted
            raise TryAgain from None
        finally:
            if place is not None:
                place.leave()
            losses.end_try()
        result = FunctionResult(
            value_json=resolve_commit_ts(outcome.value_json, ts),
            error=outcome.failure,
            log_lines=lines,
            ts=ts,
            request_id=call.request.request_id,
        )
        spec = None if execution is None else execution.spec
        seconds = time.perf_counter() - request.began - self._waited
        runner.record("mutation", spec, attempt, result, seconds, retries)
        return result
