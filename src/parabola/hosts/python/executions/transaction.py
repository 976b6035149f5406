"""Queries and mutations: driven in steps on one thread, everything they see decided by the engine.

A step begins when answers arrive and ends when the function's tasks all wait. In a step the activity cell
names the run, its context variables are set, and the time it takes counts; the syscalls issued in it
travel together. Answers are handed over one by one, each followed by everything it sets in motion, so that
the order of events does not depend on how answers are grouped (js-runtime 1.5).

Where the transaction is in this process, most requests are answered without a message, and one for which
the function waits and does nothing else in a pause of the step: what is done then is not the function's.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from functools import partial
from typing import Any, Final

import orjson

from parabola.authoring.context import MutationCtx, QueryCtx, SyncMutationCtx, SyncQueryCtx
from parabola.authoring.operations import Request
from parabola.authoring.query_builder import BaseQuery
from parabola.authoring.requests import NOT_AT_ONCE, Documents
from parabola.hosts.python.executions.event_loop import FunctionLoop
from parabola.hosts.python.executions.executor import SERVED, OwnTransaction
from parabola.hosts.python.executions.function_run import CLOSED, FunctionRun, reply_error
from parabola.hosts.python.executions.greenlets import run_in_greenlet, wait_in_greenlet
from parabola.hosts.python.executions.steps import FunctionTimedOut, Steps
from parabola.hosts.python.reports.frames import describe_error, type_name, user_frames
from parabola.hosts.python.reports.outgoing import UnwritableMessage, encode_message, mended
from parabola.hosts.python.world.frozen_world import FrozenWorld, frozen_world
from parabola.values.encoding import dumps
from parabola.values.errors import BadRequest

__all__ = ["CLOSING_SECONDS", "RETURNED_QUERY", "STUCK", "TOO_MUCH", "Json", "Transaction"]

_log: Final = logging.getLogger(__name__)

Json = dict[str, Any]
Event = Callable[[], None]

_PLAIN: Final = frozenset((type(None), bool, float, int, str, dict, list))
_OUTSIDE: Final = Context()
"""What is done for a function is not done by it: nothing of its context is seen there."""

RETURNED_QUERY: Final = (
    "Return value is a Query. Results must be retrieved with "
    "`.collect()`, `.take(n), `.unique()`, or `.first()`."
)
STUCK: Final = (
    "Returned promise will never resolve: the function waits for something that nothing will ever complete."
)
TOO_MUCH: Final = (
    "These operations together are too much for one message: await some of them before the others."
)
STEPS_IN_A_TURN: Final = 64
"""Steps of one function that lives on answers from its own process, before other functions have a turn."""
MOST_WITHOUT_MESSAGE: Final = 100
"""Requests at a time of which nobody needs to know whether one message could hold them all."""
CLOSING_SECONDS: Final = 0.1
"""Time for the `finally` blocks of a function that is given up."""


class Call:
    """A syscall as it is in a message."""

    __slots__ = ("_args", "op")

    def __init__(self, op: str, args: Json) -> None:
        self.op = op
        self._args = args

    def args(self) -> Json:
        return self._args

    def answer(self, documents: Documents) -> Any:
        return NOT_AT_ONCE


class Reply(asyncio.Future[Any]):
    """The answer to a request that has been issued. Whoever awaits it when the function can do nothing else
    has it at once, where the transaction is in this process.
    """

    __slots__ = ("number", "request", "run")

    number: int
    request: Request
    run: Transaction

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.done():
            self.run.answer_at_once(self)
        return asyncio.Future.__await__(self)

    def as_call(self) -> Json:
        """The request as a message has it."""
        request = self.request
        if type(request) is not Call:
            request = self.request = Call(request.op, request.args())  # once: a query is begun by it
        return {"call": self.number, "op": request.op, "args": request.args()}


class Transaction(FunctionRun):
    """One query or mutation."""

    def __init__(self, *args: Any, steps: Steps, **options: Any) -> None:
        super().__init__(*args, **options)
        self.world = FrozenWorld(
            self.request.now, self.request.seed, "query" if self.kind == "query" else "mutation"
        )
        self.loop = FunctionLoop(self.world)
        self._steps = steps
        self._others_ms = self.request.user_ms_used
        self._context = self._make_context()
        self._requests: dict[int, Reply] = {}
        """Those that have not been answered."""
        self._outgoing: list[Reply] = []
        """Those of them that nobody has seen yet."""
        self._failures: list[asyncio.Future[Any]] = []
        self._main: asyncio.Task[Any] | None = None
        self._timeout: FunctionTimedOut | None = None
        self.own: OwnTransaction | None = None
        """The transaction, as long as it is run in this process."""
        self._held: list[Event] = []
        """Answers from here to calls that were made together with some that the engine serves."""
        self._answers: list[Event] | None = None
        """Answers from here that the function has not been given yet."""
        self._turns_left = 0
        """How often it may go on with answers from here, before other functions have a turn."""
        self._cannot_go_on = False
        """Whether what is asked of the transaction here has failed for reasons of this process."""
        self._noted_unawaited = False
        self._needs_snapshot_ts = False
        """Whether the function has asked for it, which in a chain there is none of yet."""

    def _enter(self) -> None:
        super()._enter()
        frozen_world.set(self.world)

    # Syscalls

    def now_ms(self) -> float:
        self.world.used_clock = True
        return self.request.now

    def snapshot_ts(self) -> int:
        self.world.used_clock = True
        self._needs_snapshot_ts = True
        return self.request.snapshot_ts

    def call(self, op: str, args: Json) -> Awaitable[Any]:
        return self.ask(Call(op, args))

    def ask(self, request: Request) -> Awaitable[Any]:
        if self.closed:
            raise RuntimeError(CLOSED)
        reply = Reply(loop=self.loop)
        reply.run = self
        reply.request = request
        reply.number = number = next(self._calls)
        self._requests[number] = reply
        self._outgoing.append(reply)
        return reply

    def _ops_under_way(self) -> list[str]:
        return [reply.request.op for reply in self._requests.values()]

    def answer_at_once(self, reply: Reply) -> None:
        """Answer a request in the middle of a step, if all that the step could do else is to end for it.

        The order of events is what it would be: the step would end, the request be served, the answer handed
        over, and whoever awaits it would go on, alone.
        """
        outgoing, main, own, loop = self._outgoing, self._main, self.own, self.loop
        if (
            own is None
            or len(self._requests) != 1
            or len(outgoing) != 1
            or outgoing[0] is not reply
            or loop.ready
            or reply._callbacks  # others wait for it, and go on first
            or not self._turns_left
            or reply.request.op not in SERVED
            or main is None
            or main.done()
            or self.closed
            or self._steps.undisturbed is not self
        ):
            return
        task = asyncio.current_task(loop)
        if task is not None and not task._must_cancel:  # type: ignore[attr-defined]
            _OUTSIDE.run(self._answer_in_pause, own, reply)

    def _answer_in_pause(self, own: OwnTransaction, reply: Reply) -> None:
        steps = self._steps
        steps.pause(self)
        try:
            answer = own.answer(reply.request)
            if answer is NOT_AT_ONCE:
                answer = _answer_of_call(own, reply)
                if answer is NOT_AT_ONCE:
                    return
            self._turns_left -= 1
            # Not all of them: a finalizer of the function's may have asked for something in this pause.
            del self._outgoing[0], self._requests[reply.number]
            if isinstance(answer, BaseException):
                reply.set_exception(answer)
            else:
                reply.set_result(answer)
        except Exception:
            _log.debug("%s cannot be served here", reply.request.op, exc_info=True)
            self._cannot_go_on = True
        finally:
            steps.resume(self)

    # Steps

    @property
    def used_seconds(self) -> float:
        """What is used up of the time that this function shares with its callers and its callees."""
        return self._others_ms / 1e3 + self.usage.user_ns / 1e9

    def start(self) -> None:
        def begin() -> None:
            self._main = self.loop.create_task(self._run(), context=self._context)

        self._turns_left = STEPS_IN_A_TURN
        self._step([begin])
        self._go_on()

    def others_have_used(self, milliseconds: float) -> None:
        self._others_ms = milliseconds

    def receive(self, replies: list[Json]) -> None:
        self._take([self._settler(reply) for reply in replies])

    def _take(self, answers: list[Event]) -> None:
        if not self.closed:
            if self._held:
                answers, self._held = self._held + answers, []
            self._turns_left = STEPS_IN_A_TURN
            self._step(answers)
            self._go_on()

    def _go_on(self) -> None:
        """Give the function the answers from here, with turns for others now and then."""
        while (answers := self._answers) is not None and not self.closed:
            self._answers = None
            if not self._turns_left:
                asyncio.get_running_loop().call_soon(self._take, answers)
                return
            self._turns_left -= 1
            self._step(answers)

    def _settler(self, reply: Json) -> Event:
        return partial(self._settle, reply["call"], reply)

    def _settle(self, number: int, reply: Json) -> None:
        future = self._requests.pop(number)
        if future.cancelled():
            return
        if "error" in reply:
            future.set_exception(reply_error(reply["error"]))
            self._failures.append(future)
        else:
            future.set_result(reply.get("value"))

    def _settle_own(self, reply: Reply, answer: Any) -> None:
        del self._requests[reply.number]
        if reply.cancelled():
            return
        if isinstance(answer, BaseException):
            reply.set_exception(answer)
            self._failures.append(reply)
        else:
            reply.set_result(answer)

    def _step(self, events: list[Callable[[], None]]) -> None:
        try:
            self._steps.run(self, events)
        except FunctionTimedOut as timeout:
            self._timeout = timeout
        except BaseException as error:  # outside of the function's own code, such as for want of memory
            self._fail(error)
            return
        self._after_step()

    async def _run(self) -> Any:
        positional, named = self.arguments()
        if self.function.is_async:
            ctx = QueryCtx(self) if self.kind == "query" else MutationCtx(self)
            result = await self.function.handler(ctx, *positional, **named)
        else:
            sync_ctx = (SyncQueryCtx if self.kind == "query" else SyncMutationCtx)(self, wait_in_greenlet)
            result = await run_in_greenlet(self.function.handler, sync_ctx, *positional, **named)
        if type(result) not in _PLAIN:
            if inspect.isawaitable(result) and not isinstance(result, BaseQuery):
                result = await result
            if isinstance(result, BaseQuery):
                raise BadRequest(RETURNED_QUERY)
        return self.check_result(result)

    def _after_step(self) -> None:
        main = self._main
        if self._timeout is not None:
            frames = user_frames(self._timeout.__traceback__)
            self._finish(self._failed({"message": str(self._timeout), "frames": frames}, "timeout"))
        elif main is not None and main.done():
            error = _error_of(main)
            if error is not None:
                self._fail(error)
            else:
                self._drain(main.result())
        elif self._requests:
            self._flush()
        else:
            self._finish(self._failed({"message": STUCK}, "stuck"))

    def _drain(self, result: Any) -> None:
        """The handler has returned: what it started and did not await still happens (js-runtime 5.7)."""
        if not self._noted_unawaited:
            self._noted_unawaited = True
            if self._requests:
                self._note_unawaited()
        if self._requests:
            self._flush()
            return
        if self._failures or self.loop.may_hold_errors:
            stray = self._unretrieved_error()
            if stray is not None:
                self._fail(stray)
                return
        for stream in self._streams:
            args = stream.cleanup_args()
            if args is not None:
                self.call("1.0/queryCleanup", args)
        self._flush()  # nobody waits for the answer (docs/explanation/host-protocol.md)
        if self.closed:
            return
        # Not in a step: its limit on memory makes orjson, which takes eight times a text's length, crash.
        self._finish(self._done(None if result is None else orjson.Fragment(dumps(result))))

    def _unretrieved_error(self) -> BaseException | None:
        for future in self._failures:
            if future._log_traceback:
                return future.exception()
        return self.loop.unretrieved_error()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            self._steps.memory.recover(error)
            self._finish(self._failed({"message": self._outlet.memory_text}, "memory"))
            return
        described: list[Json] = []

        def describe() -> None:
            described.append(self._context.copy().run(describe_error, error))

        try:  # what an exception says of itself is user code too
            self._steps.run(self, [describe])
        except FunctionTimedOut as timeout:
            self._finish(self._failed({"message": str(timeout), "frames": []}, "timeout"))
        except BaseException:
            self._finish(self._failed({"message": f"Uncaught {type_name(error)}"}, "user"))
        else:
            self._finish(self._failed(described[0], "user"))

    def _flush(self) -> None:
        """Send what was issued, once everything sent before is answered (host-protocol.md)."""
        if self._cannot_go_on:
            self._begin_again(needs_engine=False)
            return
        issued = self._outgoing
        if not issued or len(issued) < len(self._requests):
            return
        self._outgoing = []
        own, state = self.own, None
        answers: list[Event] = []
        if own is not None:
            try:
                answers = self._answered(own, issued)
            except Exception:
                _log.debug("a request cannot be served here", exc_info=True)
                self._begin_again(needs_engine=False)
                return
            if len(answers) == len(issued):
                self._answers = answers
                return
        rest = issued[len(answers) :]
        calls = [reply.as_call() for reply in rest]
        if own is not None:
            try:
                text = encode_message({"calls": calls})
            except UnwritableMessage:
                calls = self._refuse_unwritable(calls)
                if not calls:
                    self._answers = answers or None
                    return
                text = encode_message({"calls": calls})
            served = own.serve(orjson.loads(text)["calls"])
            if served is None or (served.rest and any(stream.is_under_way for stream in self._streams)):
                self._begin_again(needs_engine=served is not None)  # a query cannot go on elsewhere
                return
            # As over a socket: nothing is shared.
            answers += map(self._settler, orjson.loads(orjson.dumps(served.replies)))
            if not served.rest:
                self._answers = answers
                return
            self._held, calls, state = answers, served.rest, own.state()
        message: Json = {"type": "syscall", "id": self.id, "calls": calls}
        if state is not None:
            message["state"] = state
        if any(call["op"] == "1.0/runUdf" for call in calls):
            message["userMs"] = self.usage.user_ns / 1e6
            if self.console.lines:
                message["logs"] = self.console.take()  # these lines stand before those of the callee
        if own is not None and own.is_chained:
            self._begin_again(alone=True)
            return
        if self._send_what_can_be(message):
            self._close_own()  # from here on the engine runs the transaction

    def _answered(self, own: OwnTransaction, issued: list[Reply]) -> list[Event]:
        """The answers of the first requests of these, as many as are answered without a message."""
        answers: list[Event] = []
        if len(issued) <= MOST_WITHOUT_MESSAGE and not any(type(reply.request) is Call for reply in issued):
            for reply in issued:
                answer = own.answer(reply.request)
                if answer is NOT_AT_ONCE:
                    break
                answers.append(partial(self._settle_own, reply, answer))
        return answers

    def _close_own(self) -> None:
        own, self.own = self.own, None
        if own is not None:
            own.close()

    def _begin_again(self, *, needs_engine: bool = False, alone: bool = False) -> None:
        """Nothing of the run remains; the engine runs it on a transaction of its own, or `alone` here, which
        is not part of a chain.
        """
        self._close()
        self._close_own()
        self._forget()
        self._outlet.ended(self)
        again: Json = {"type": "again", "id": self.id, "needsEngine": needs_engine}
        self._outlet.send({**again, "alone": True} if alone else again)

    def _send_what_can_be(self, message: Json) -> bool:
        """Send calls, as far as they can be sent; whether any was."""
        try:
            self._outlet.send(message)
            return True
        except UnwritableMessage:
            lines = message.pop("logs", ())
            if lines:
                self._outlet.send_mended({"type": "log", "id": self.id, "lines": lines})
        if not (sent := self._refuse_unwritable(message["calls"])):
            return False
        try:
            self._outlet.send({**message, "calls": sent})
            return True
        except UnwritableMessage:
            if "state" in message:  # it is that which is too much
                self._begin_again(needs_engine=True)
            else:
                self._refuse(_too_much(sent))
            return False

    def _refuse_unwritable(self, calls: list[Json]) -> list[Json]:
        """The calls that can be sent. The others fail, as if the engine had refused them."""
        refused: list[Json] = []
        sent: list[Json] = []
        for call in calls:
            try:
                encode_message(call)
            except UnwritableMessage as problem:
                refused.append({"call": call["call"], "error": {"message": problem.message}})
            else:
                sent.append(call)
        try:
            encode_message({"calls": sent})
        except UnwritableMessage:  # only together they are too much
            refused += _too_much(sent)
            sent = []
        if refused:
            self._refuse(refused)
        return sent

    def _refuse(self, replies: list[Json]) -> None:
        asyncio.get_running_loop().call_soon(self.receive, replies)  # not at once: it may go on for ever

    # The end

    def cancel(self) -> None:
        self._close()
        self._close_own()

    def _finish(self, message: Json) -> None:
        own = self.own
        if (
            own is not None
            and own.is_chained
            and (self._needs_snapshot_ts or (message["type"] == "done" and not own.finished()))
        ):
            self._begin_again(alone=True)
            return
        self._close()
        self._forget()
        self._outlet.ended(self)
        message["logs"] = self.console.lines
        if self.own is not None:
            message["state"] = self.own.state()
            self._close_own()
            try:
                self._outlet.send(message)
                return
            except UnwritableMessage:
                if "state" not in mended(message):  # too much for one message
                    self._outlet.send({"type": "again", "id": self.id, "needsEngine": True})
                    return
        self._outlet.send_mended(message)

    def _forget(self) -> None:
        """Let go of what refers back to here, so that memory is free at once."""
        self._main = None
        self._requests.clear()
        self._outgoing.clear()
        self._streams.clear()
        self._failures.clear()
        self.loop.tasks.clear()
        self.loop.stray_errors.clear()

    def _close(self) -> None:
        """Take leave of tasks that still wait; their `finally` blocks run, without effect."""
        self.closed = True
        if self._main is not None and self._main.done() and len(self.loop.tasks) == 1:
            return
        open_tasks = [task for task in self.loop.tasks if not task.done()]
        if not open_tasks:
            return

        def close_all() -> None:
            for task in open_tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                try:
                    self._context.run(task.get_coro().close)
                except BaseException:
                    pass  # a function that is given up cannot object

        try:
            self._steps.run(self, [close_all], limit=CLOSING_SECONDS)
        except BaseException:
            pass

    def _usage_json(self) -> Json:
        return {
            "userMs": self.usage.user_ns / 1e6,
            "usedClock": self.world.used_clock,
            "usedRandom": self.world.used_random,
            "envRead": self._variables_read(),
            "unawaited": self.usage.unawaited,
        }


def _answer_of_call(own: OwnTransaction, reply: Reply) -> Any:
    """The answer to a request that is served as a call; `NOT_AT_ONCE` where it is not served here."""
    try:
        text = encode_message({"calls": [reply.as_call()]})
    except UnwritableMessage:
        return NOT_AT_ONCE
    served = own.serve(orjson.loads(text)["calls"])
    if served is None:
        raise LookupError("it is to be served by the engine, from the beginning of the run")
    if served.rest:
        return NOT_AT_ONCE
    [answer] = orjson.loads(orjson.dumps(served.replies))  # as over a socket: nothing is shared
    return reply_error(answer["error"]) if "error" in answer else answer.get("value")


def _too_much(calls: list[Json]) -> list[Json]:
    return [{"call": call["call"], "error": {"message": TOO_MUCH}} for call in calls]


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return asyncio.CancelledError("The function was cancelled.") if task.cancelled() else task.exception()
