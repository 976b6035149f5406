"""Actions: each runs in a thread of its own, so that one that blocks holds up nobody.

An `async def` action gets an event loop of its own there, a plain `def` action just the thread. When the
handler has returned, what it left running is cancelled (js-runtime 5.7).
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, TypeVar

import orjson

from parabola.authoring.context import ActionCtx, SyncActionCtx
from parabola.authoring.tracing import enter_trace
from parabola.hosts.python.executions.action_loop import ActionLoop
from parabola.hosts.python.executions.function_run import FunctionRun, reply_error
from parabola.hosts.python.executions.transaction import STUCK
from parabola.hosts.python.reports.console import Console
from parabola.hosts.python.reports.frames import describe_error, type_name
from parabola.hosts.python.reports.outgoing import UnwritableMessage
from parabola.hosts.python.world.frozen_world import clock_ahead
from parabola.values.encoding import dumps

__all__ = ["CLOSING_SECONDS", "Action", "BlockingReply", "Json", "Post", "StuckAction", "block_on"]

Json = dict[str, Any]
T = TypeVar("T")
Post = Callable[[Callable[[], None]], None]

CLOSING_SECONDS: Final = 1.0
"""Time for leftover tasks to react to their cancellation."""


CLOCK_STEP: Final = 0.5
"""Seconds from which on the engine's clock counts as moved, and not as read a little later."""


class StuckAction(Exception):
    """The action waits for what can never come."""


class BlockingReply:
    """The reply to a syscall of a plain `def` action: `block_on` waits for it."""

    def __init__(self) -> None:
        self._arrived = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def set_result(self, result: Any) -> None:
        self._result = result
        self._arrived.set()

    def set_exception(self, error: BaseException) -> None:
        self._error = error
        self._arrived.set()

    def wait(self) -> None:
        self._arrived.wait()

    def __await__(self) -> Generator[BlockingReply, None, Any]:
        if not self._arrived.is_set():
            yield self
        if self._error is not None:
            raise self._error
        return self._result


def block_on(awaitable: Awaitable[T], /) -> T:
    """Wait in this thread for something that waits for nothing but `BlockingReply`."""
    steps = awaitable.__await__()
    while True:
        try:
            reply = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        reply.wait()


class Action(FunctionRun):
    """One action or HTTP action."""

    def __init__(self, *args: Any, post: Post, **options: Any) -> None:
        self._post = post
        super().__init__(*args, **options)
        self.request_id = self.request.request_id if self.kind == "action" else ""
        self._context = self._make_context()
        if self.request.trace is not None:
            self._context.run(enter_trace, self.request.trace)
        self._began = time.monotonic()
        ahead = self.request.now / 1000 - time.time()
        if ahead > CLOCK_STEP:
            self._context.run(clock_ahead.set, ahead)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Any] | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._is_reported = False
        self._is_settling = False
        """Whether an operation is about to be settled that is not pending any more."""
        self._thread = threading.Thread(
            target=self._context.run,
            args=(self._run_thread,),
            daemon=True,
            name=f"action {self.request.path}",
        )

    def _make_console(self) -> Console:
        """Lines are sent as they appear: an action may run for long."""
        return Console(
            self._outlet.limits, lambda line: self._send({"type": "log", "id": self.id, "lines": [line]})
        )

    # Syscalls: made in the action's thread, sent in the host's

    def now_ms(self) -> float:
        return self.request.now + 1000 * (time.monotonic() - self._began)

    def _new_reply(self) -> Any:
        return BlockingReply() if self._loop is None else self._loop.create_future()

    def _issue(self, call: Json) -> None:
        self._send({"type": "syscall", "id": self.id, "calls": [call]})

    def _send(self, message: Json) -> None:
        def send() -> None:
            if not self.closed:
                try:
                    self._outlet.send(message)
                except UnwritableMessage as problem:
                    self._unsent(message, problem)

        self._post(send)

    def _unsent(self, message: Json, problem: UnwritableMessage) -> None:
        """A message cannot be written: an operation fails, everything else is repaired."""
        if message["type"] != "syscall":
            self._outlet.send_mended(message)
            return
        error = {"message": problem.message}
        self.receive([{"call": call["call"], "error": error} for call in message["calls"]])

    # What the host does

    def start(self) -> None:
        self._thread.start()

    def receive(self, replies: list[Json]) -> None:
        for reply in replies:
            self._is_settling = True
            pending = self._pending.pop(reply["call"], None)
            if pending is not None:
                self._settle(pending[0], reply)
            self._is_settling = False

    def _settle(self, future: Any, reply: Json) -> None:
        if "error" in reply:
            self._set(future, "set_exception", reply_error(reply["error"]))
        else:
            self._set(future, "set_result", reply.get("value"))

    def _set(self, future: Any, method: str, value: Any) -> None:
        if isinstance(future, BlockingReply):
            getattr(future, method)(value)
            return

        def set_it() -> None:
            if not future.done():
                getattr(future, method)(value)

        try:
            future.get_loop().call_soon_threadsafe(set_it)
        except RuntimeError:
            pass  # the action's loop has closed meanwhile

    def cancel(self) -> None:
        self.closed = True
        loop, main = self._loop, self._main
        if loop is not None and main is not None:
            try:
                loop.call_soon_threadsafe(main.cancel)
            except RuntimeError:
                pass  # it has just ended
        for future, _ in list(self._pending.values()):
            if isinstance(future, BlockingReply):
                future.set_exception(asyncio.CancelledError("The action was cancelled."))

    # In the action's thread

    def _run_thread(self) -> None:
        try:
            if self.function.is_async:
                with asyncio.Runner(loop_factory=self._make_loop) as runner:
                    self._loop = runner.get_loop()
                    runner.run(self._run_and_report(self._run_async()))
            else:
                block_on(self._run_and_report(self._run_blocking()))
        except BaseException as error:  # a loop that cannot be made, or that a task has ended
            self._report(None, error)

    def _make_loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop
        if self.kind == "action" and self._outlet.has_its_process:
            loop = ActionLoop(lambda: bool(self._pending) or self._is_settling, self._end_stuck)
        else:
            loop = asyncio.SelectorEventLoop()
        loop.set_task_factory(self._make_task)
        loop.set_exception_handler(lambda loop, context: None)
        return loop

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coro: Any, context: Any = None, **options: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context, **options)
        self._tasks.append(task)
        return task

    def _end_stuck(self) -> None:
        """Nothing can happen any more that the handler waits for. What catches its cancellation is left."""
        main, loop = self._main, self._loop
        if main is None or loop is None:
            return
        if self._is_reported:
            loop.stop()
            return
        self._report(None, StuckAction(STUCK))
        main.cancel()

    async def _run_and_report(self, run: Coroutine[Any, Any, Any]) -> None:
        error: BaseException | None = None
        result = None
        try:
            result = await run
            self._note_unawaited()
            error = self._unretrieved_error()
        except BaseException as raised:
            error = raised
        self._report(result, error)
        await self._cancel_leftovers()

    def _report(self, result: Any, error: BaseException | None) -> None:
        """The action is over, as far as it is answered; said once, and in its thread, where errors speak."""
        if self._is_reported:
            return
        self._is_reported = True
        described = None
        if error is not None and not isinstance(error, MemoryError):
            try:
                described = describe_error(error)
            except BaseException:
                described = {"message": f"Uncaught {type_name(error)}"}
        self._post(lambda: self._finish(result, error, described))

    async def _run_async(self) -> Any:
        self._main = asyncio.current_task()
        positional, named = self.arguments()
        result = await self.function.handler(ActionCtx(self), *positional, **named)
        if inspect.isawaitable(result):
            result = await result
        return await self.conclude(result)

    async def _run_blocking(self) -> Any:
        positional, named = self.arguments()
        return await self.conclude(self.function.handler(SyncActionCtx(self, block_on), *positional, **named))

    async def conclude(self, result: Any) -> Any:
        """What is reported as the result; runs in the action's thread, as a part of the action."""
        return orjson.Fragment(dumps(self.check_result(result)))

    def _unretrieved_error(self) -> BaseException | None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and task._log_traceback:
                return task.exception()
        return None

    async def _cancel_leftovers(self) -> None:
        leftovers = [task for task in self._tasks if not task.done() and task is not asyncio.current_task()]
        if leftovers:
            for task in leftovers:
                task.cancel()
            await asyncio.wait(leftovers, timeout=CLOSING_SECONDS)

    def _finish(self, result: Any, error: BaseException | None, described: Json | None) -> None:
        """On the host's thread: the action is over; what it wrote last goes out before the last message."""
        if not self.closed:
            self._outlet.ended(self)
            self._post(lambda: self._send_last(result, error, described))

    def _send_last(self, result: Any, error: BaseException | None, described: Json | None) -> None:
        if self.closed:
            return
        self.closed = True
        if error is None:
            message = self._done(result)
        elif isinstance(error, StuckAction):
            message = self._failed({"message": STUCK}, "stuck")
        elif described is None:
            message = self._failed({"message": self._outlet.memory_text}, "memory")
        else:
            message = self._failed(described, "user")
        self._outlet.send_mended(message)
