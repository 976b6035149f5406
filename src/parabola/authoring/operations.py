"""Operations: calls to the engine that are under way, and the interface through which contexts make them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

from parabola.authoring.integer_places import IntegerPlaces

if TYPE_CHECKING:
    from parabola.authoring.requests import Documents

__all__ = [
    "SYSCALL_VERSION",
    "FinishableStream",
    "FunctionKind",
    "Operation",
    "Pending",
    "Request",
    "Syscalls",
    "Wait",
    "async_only",
]

T = TypeVar("T")

FunctionKind = Literal["query", "mutation", "action", "httpAction"]

SYSCALL_VERSION: Final = "1.48.0"
"""The npm library version whose syscalls are spoken (`js-runtime.md`); the engine keys behaviour on it."""


_NOT_YET: Final = "This is an operation under way, not its result"
_AWAIT: Final = "write `await` in front of it"


class Operation(Coroutine[Any, Any, T]):
    """A call that was issued when it was made; awaiting it gives its result, once or several times.

    It is issued at once, so that an operation nobody awaits still happens, in the order of the program
    (js-runtime 1.5 and 5.7); only the result of a query begins when it is awaited, and once. It is a
    coroutine for everybody who asks: `asyncio.gather`, `asyncio.create_task` and `TaskGroup` take it.
    """

    __slots__ = ("_convert", "_reply", "_steps")

    def __init__(self, reply: Awaitable[Any], convert: Callable[[Any], T] | None = None) -> None:
        self._reply = reply
        self._convert = convert
        self._steps: Generator[Any, Any, T] | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._reply.__await__()
        return steps if self._convert is None else _converted(steps, self._convert)

    def send(self, value: Any, /) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(
        self,
        kind: Any,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
        /,
    ) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        error: BaseException = kind if value is None else value  # type: ignore[assignment]
        return self._steps.throw(error)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()

    def __repr__(self) -> str:
        return f"<an operation under way; {_AWAIT}>"

    def _give_up(self) -> None:
        """Close what has not begun, so that Python does not warn of it beside the sentence."""
        if isinstance(self._reply, CoroutineType) and getcoroutinestate(self._reply) == CORO_CREATED:
            self._reply.close()

    if not TYPE_CHECKING:  # a checker knows the result, and says by itself that it is not awaited

        def __getattr__(self, name):
            if name.startswith(("_", "cr_", "gi_", "ag_")):  # what asyncio asks of coroutines
                raise AttributeError(name)
            self._give_up()
            raise AttributeError(f"{_NOT_YET}. `.{name}` can only be asked of the result: {_AWAIT}")

        def __getitem__(self, key):
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT}, as in `(await ctx.db.get(id))[{key!r}]`.")

        def __bool__(self):
            self._give_up()
            raise TypeError(f"{_NOT_YET}. It is neither true nor false before: {_AWAIT}.")

        def __iter__(self):
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} before you go through it.")

        def __format__(self, spec):  # `print` and `repr` say what it is; a text that is built would hide it
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} before you put it into a text.")

        def __len__(self):
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} before you ask for its length.")

        def __contains__(self, item):
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} before you look into it.")

        def __eq__(self, other):
            if isinstance(other, Operation):
                return self is other
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} before you compare it.")

        __hash__ = object.__hash__

        def __aiter__(self):
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} and go through it with `for`.")

        def __lt__(self, other):
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} before you compare it.")

        __le__ = __gt__ = __ge__ = __lt__

        def __add__(self, other):
            self._give_up()
            raise TypeError(f"{_NOT_YET}: {_AWAIT} before you compute with it.")

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __or__ = __ror__ = __and__ = __rand__ = __add__


def _converted(steps: Generator[Any, Any, Any], convert: Callable[[Any], T]) -> Generator[Any, Any, T]:
    return convert((yield from steps))


Pending: TypeAlias = Coroutine[Any, Any, T]
"""How an `Operation` looks to type checkers, which then complain about one that is not awaited."""


class Syscalls(Protocol):
    """What a context needs of whoever runs the function (a host, or a test)."""

    kind: FunctionKind
    integer_places: IntegerPlaces
    request_id: str
    """The run's token in actions, "" elsewhere (js-runtime 1.8)."""

    def call(self, op: str, args: dict[str, Any]) -> Awaitable[Any]:
        """Issue one syscall; the awaitable gives the raw JSON of its result."""

    def ask(self, request: Request) -> Awaitable[Any]:
        """Issue a request, the same as the syscall that it is in a message."""

    def open_stream(self, stream: FinishableStream) -> int:
        """Register a started query stream: its id, and the host finishes it when the function ends first."""

    def now_ms(self) -> float:
        """The clock of the function in milliseconds; the reading is noted."""

    def snapshot_ts(self) -> int:
        """The snapshot timestamp in nanoseconds; the reading is noted as one of the clock."""


class Request(Protocol):
    """An operation that a message can carry, and that a transaction in this process may do at once."""

    @property
    def op(self) -> str:
        """Its name in messages."""

    def args(self) -> dict[str, Any]:
        """Its arguments in a message."""

    def answer(self, documents: Documents, /) -> Any:
        """What a transaction in this process answers: JSON that nobody else has, or `NOT_AT_ONCE`."""


class FinishableStream(Protocol):
    """A stream that can be told that nobody reads it any more."""

    @property
    def is_under_way(self) -> bool:
        """Whether it has begun, and its reader has not come to its end."""

    def cleanup_args(self) -> dict[str, Any] | None:
        """Arguments of the `1.0/queryCleanup` that is due, `None` when none is."""


class Wait(Protocol):
    """How plain `def` functions wait for an operation."""

    def __call__(self, awaitable: Awaitable[T], /) -> T:
        """The result, once it is there. Other functions run meanwhile."""


def async_only(awaitable: Awaitable[Any], /) -> Any:
    """The `Wait` of contexts that belong to `async def` functions: they never wait by themselves."""
    raise RuntimeError("This context belongs to an `async def` function: await its methods.")
