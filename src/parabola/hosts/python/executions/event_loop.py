"""The event loop of one query or mutation: asyncio's tasks and futures, and nothing from outside.

It has a queue of callbacks and no clock, no sockets and no threads. The host fills it with the answers to
syscalls and drains it; between two drains nothing of the function runs. So `asyncio.gather`, task groups,
locks and queues work as usual, their interleaving is a function of the program alone (js-runtime 1.5), and
whatever would wait for the outside world is refused (js-runtime 5.2).
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context
from typing import Any, Final, NoReturn, TypeVar

from parabola.hosts.python.world.frozen_world import FrozenWorld
from parabola.hosts.python.world.refusals import refuse

__all__ = ["FunctionLoop"]

T = TypeVar("T")

_TIMER_USERS: Final = {
    "sleep": "asyncio.sleep()",
    "timeout": "asyncio.timeout()",
    "timeout_at": "asyncio.timeout_at()",
    "reschedule": "asyncio.timeout()",
    "wait_for": "asyncio.wait_for() with a timeout",
    "wait": "asyncio.wait() with a timeout",
    "_wait": "asyncio.wait() with a timeout",
}


_AnyLoop: Any = asyncio.AbstractEventLoop


class FunctionLoop(_AnyLoop):  # type: ignore[misc]  # most of its methods are made below, by name
    """Runs the tasks of one function, only while `drain` is called."""

    def __init__(self, world: FrozenWorld) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        """Callbacks that wait to be run."""
        self._world = world
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task ever made here, in order."""
        self.stray_errors: list[BaseException] = []
        """Errors of tasks and futures that were dropped before anybody looked at them."""

    # What the host does

    def drain(self) -> None:
        """Run callbacks until none is left. `SystemExit` and the host's own interruptions come through."""
        ready = self.ready
        while ready:
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def enter(self) -> tuple[asyncio.AbstractEventLoop | None, Any]:
        """Become the running loop of this thread; gives what `leave` needs."""
        before = asyncio._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._finalize)
        return before, hooks

    def leave(self, before: tuple[asyncio.AbstractEventLoop | None, Any]) -> None:
        """Give the thread back to the loop that ran before."""
        sys.set_asyncgen_hooks(*before[1])
        asyncio._set_running_loop(before[0])

    @property
    def may_hold_errors(self) -> bool:
        """Whether there are, or were, others to look at than the task that was made first."""
        return len(self.tasks) > 1 or bool(self.stray_errors)

    def unretrieved_error(self) -> BaseException | None:
        """An error of a task or future that nobody looked at, if there is one (js-runtime 5.6)."""
        for task in self.tasks:
            if task.done() and not task.cancelled() and task._log_traceback:
                return task.exception()
        return self.stray_errors[0] if self.stray_errors else None

    def _finalize(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.create_task(generator.aclose())

    # What asyncio asks of a loop

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.Task(
            coro, loop=self, name=None if name is None else str(name), context=context
        )
        self.tasks.append(task)
        return task

    def time(self) -> float:
        return self._world.now_ms / 1000

    get_debug = staticmethod(bool)
    """False, without a call of Python: each task and future asks."""

    def set_debug(self, enabled: bool) -> None:
        pass

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def get_task_factory(self) -> None:
        return None

    def get_exception_handler(self) -> None:
        return None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.stray_errors.append(error)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    # What a query or mutation cannot have

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> NoReturn:
        refuse(_timer_user())

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> NoReturn:
        refuse(_timer_user())

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:
        refuse("threads (asyncio.to_thread(), run_in_executor())")


def _timer_user() -> str:
    """What asked for a timer: the outermost of the functions of asyncio that are under way."""
    found = "timers"
    frame = sys._getframe(2)
    while "asyncio" in frame.f_code.co_filename:
        found = _TIMER_USERS.get(frame.f_code.co_name, found)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return found


def _refused(method: str) -> Any:
    def refused(self: FunctionLoop, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(f"the event loop's {method}()")

    return refused


for _method in (
    "run_forever",
    "run_until_complete",
    "stop",
    "close",
    "getaddrinfo",
    "getnameinfo",
    "create_connection",
    "create_server",
    "create_datagram_endpoint",
    "create_unix_connection",
    "create_unix_server",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "start_tls",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_sendall",
    "subprocess_exec",
    "subprocess_shell",
    "add_reader",
    "remove_reader",
    "add_writer",
    "remove_writer",
    "add_signal_handler",
    "remove_signal_handler",
    "set_default_executor",
    "set_exception_handler",
    "set_task_factory",
    "shutdown_asyncgens",
    "shutdown_default_executor",
):
    setattr(FunctionLoop, _method, _refused(_method))
