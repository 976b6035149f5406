"""One execution of one function on this host: what all kinds share."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import Context
from typing import Any, Final, Protocol

from msgspec import Struct

from parabola.authoring.environment import variables
from parabola.authoring.functions import Function
from parabola.authoring.integer_places import NO_INTEGERS
from parabola.authoring.operations import FinishableStream, FunctionKind, Request
from parabola.hosts.python.executions.executor import ExecutedRun
from parabola.hosts.python.reports.console import Console, current_console
from parabola.hosts.python.reports.frames import ResultTooLarge
from parabola.values.encoding import decode, normalize, revive
from parabola.values.errors import ConvexError, UserError
from parabola.values.host_limits import HostLimits
from parabola.values.sizes import humanize, size_of
from parabola.values.texts import is_well_formed

__all__ = [
    "CLOSED",
    "EVERY_VARIABLE",
    "FunctionRun",
    "Json",
    "Outlet",
    "RecordedVariables",
    "RunRequest",
    "Usage",
    "reply_error",
]

Json = dict[str, Any]

CLOSED: Final = "This `ctx` belongs to a function that has ended."

_SHOWN_OPERATIONS: Final = {"shallowMerge": "patch", "queryPage": "paginate"}


class RunRequest(ExecutedRun, frozen=True, kw_only=True, rename="camel"):
    """A `run` message (docs/explanation/host-protocol.md)."""

    kind: FunctionKind
    path: str
    args: Any = None
    seed: str = "0"
    identity: Any = None
    request_id: str = ""
    user_ms_used: float = 0.0
    trace: Mapping[str, str] | None = None
    """Headers for what an action asks others; None where no traces are made."""


class Usage(Struct):
    """What the engine wants to know about an execution besides its result."""

    user_ns: int = 0
    unawaited: list[str] = []


EVERY_VARIABLE: Final = "*"
"""Noted as read when somebody looks which variables there are."""


class RecordedVariables(Mapping[str, str]):
    """The deployment's environment variables; which were read, present or absent, is noted."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        if type(name) is not str:
            if not isinstance(name, str):
                raise KeyError(name)
            name = str.__str__(name)
        if not is_well_formed(name):
            raise KeyError(name)  # nobody can set it
        self.read.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        self.read.add(EVERY_VARIABLE)
        return iter(self._values)

    def __len__(self) -> int:
        self.read.add(EVERY_VARIABLE)
        return len(self._values)


class Outlet(Protocol):
    """Where a run sends its messages: the host."""

    def send(self, message: Json) -> None:
        """Send one message to the engine. Raises `UnwritableMessage`."""

    def send_mended(self, message: Json) -> None:
        """Send a message, repaired where it cannot be written."""

    def ended(self, run: FunctionRun) -> None:
        """Told when a run is over, before its last message is sent."""

    @property
    def has_its_process(self) -> bool:
        """Whether nothing else runs in the process."""

    @property
    def memory_text(self) -> str:
        """What a function is told that used up its memory."""

    @property
    def limits(self) -> HostLimits:
        """What functions are held to."""


class FunctionRun:
    """The `Syscalls` of a running function; subclasses say how its code is driven.

    A syscall that was issued gets a number and stays in `_pending` until its reply settles it.
    """

    def __init__(
        self,
        request: RunRequest,
        function: Function[..., Any],
        environment: Mapping[str, str],
        outlet: Outlet,
    ) -> None:
        self.id: Final = request.id
        self.kind: FunctionKind = request.kind
        self.request: Final = request
        self.function: Final = function
        self.usage: Final = Usage()
        self.variables: Final = RecordedVariables(environment)
        self.read_by_modules: Callable[[], set[str]] | None = None
        """Names of variables that the function's module has read before, itself or through others."""
        self.integer_places = NO_INTEGERS
        self.closed = False
        self._outlet = outlet
        self._calls = itertools.count(1)
        self._queries = itertools.count()
        self._pending: dict[int, tuple[Any, str]] = {}
        self._streams: list[FinishableStream] = []
        self.request_id = ""
        self.console = self._make_console()

    def _make_console(self) -> Console:
        return Console(self._outlet.limits)

    def _make_context(self) -> Context:
        """The context variables that user code and everything it starts runs with."""
        context = Context()
        context.run(self._enter)
        return context

    def _enter(self) -> None:
        current_console.set(self.console)
        recorded = self.variables
        variables.set(lambda: recorded)  # nothing that leads back to here: memory is free at once then

    # Syscalls

    def call(self, op: str, args: Json) -> Awaitable[Any]:
        """Issue a syscall."""
        if self.closed:
            raise RuntimeError(CLOSED)
        call = next(self._calls)
        reply: Awaitable[Any] = self._new_reply()
        self._pending[call] = (reply, op)
        self._issue({"call": call, "op": op, "args": args})
        return reply

    def ask(self, request: Request) -> Awaitable[Any]:
        """Issue a request, by message."""
        return self.call(request.op, request.args())

    def open_stream(self, stream: FinishableStream) -> int:
        self._streams.append(stream)
        return next(self._queries)

    def now_ms(self) -> float:
        return self.request.now

    def snapshot_ts(self) -> int:
        return self.request.snapshot_ts

    def _new_reply(self) -> Any:
        raise NotImplementedError

    def _issue(self, call: Json) -> None:
        raise NotImplementedError

    # What the host does

    def start(self) -> None:
        """Begin to run."""
        raise NotImplementedError

    def others_have_used(self, milliseconds: float) -> None:
        """User time of the functions that share a transaction with this one: its callers and its callees."""

    def receive(self, replies: list[Json]) -> None:
        """Answers to syscalls, in the order of the engine."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop; nothing is sent any more."""
        raise NotImplementedError

    # The end

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """What the handler is called with after the context: positional and named arguments."""
        value = revive(self.request.args)
        if isinstance(value, list):  # the wire form has a list of one object
            value = value[0] if value else {}
        if not isinstance(value, dict):
            raise TypeError("The arguments of a function are one object.")
        return [], self.function.bind(value)

    def check_result(self, result: Any) -> Any:
        """The value that the handler returned, within its limits; a part of the function."""
        if result is None:
            return None
        value = normalize(result)
        size = size_of(value)
        most = self._outlet.limits.result_bytes
        if size > most:
            raise ResultTooLarge(
                f"Function {self.request.path} return value is too large "
                f"(actual: {humanize(size)}, limit: {humanize(most)})"
            )
        return value

    def _note_unawaited(self) -> None:
        for op in self._ops_under_way():
            name = op.removeprefix("1.0/").removeprefix("actions/")
            self.usage.unawaited.append(_SHOWN_OPERATIONS.get(name, name))

    def _ops_under_way(self) -> list[str]:
        return [op for _, op in self._pending.values()]

    def _usage_json(self) -> Json:
        return {
            "userMs": self.usage.user_ns / 1e6,
            "usedClock": False,
            "usedRandom": False,
            "envRead": self._variables_read(),
            "unawaited": self.usage.unawaited,
        }

    def _variables_read(self) -> list[str]:
        read = self.variables.read
        if self.read_by_modules is not None:
            read = read | self.read_by_modules()
        return sorted(read) if read else []

    def _done(self, result: Any) -> Json:
        return {
            "type": "done",
            "id": self.id,
            "result": result,
            "logs": self.console.lines,
            "usage": self._usage_json(),
        }

    def _failed(self, error: Json, kind: str) -> Json:
        return {
            "type": "failed",
            "id": self.id,
            "error": error,
            "kind": kind,
            "logs": self.console.lines,
            "usage": self._usage_json(),
        }


def reply_error(error: Json) -> UserError:
    """The exception for a syscall that failed: a `ConvexError` when it carries data (js-runtime 1.3)."""
    message = str(error.get("message", ""))
    if "data" in error:
        return ConvexError(decode(error["data"]), message)
    return UserError(message)
