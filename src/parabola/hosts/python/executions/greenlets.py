"""Plain `def` functions on an event loop: each runs in a greenlet, and switches away while it waits."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import greenlet  # type: ignore[import-untyped, unused-ignore]

__all__ = ["run_in_greenlet", "wait_in_greenlet"]

T = TypeVar("T")

_OUTSIDE: Final = (
    "This context was used outside of the function it was given to. "
    "A plain `def` function cannot hand its context to a coroutine: make it `async def`, and await there."
)


async def run_in_greenlet(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call `function`; whenever it calls `wait_in_greenlet`, this coroutine awaits for it."""
    runner = greenlet.greenlet(function)
    runner.gr_context = contextvars.copy_context()
    awaited = runner.switch(*args, **kwargs)
    while not runner.dead:
        try:
            result = await awaited
        except BaseException as error:
            awaited = runner.throw(error)
        else:
            awaited = runner.switch(result)
    result_of_function: T = awaited
    return result_of_function


def wait_in_greenlet(awaitable: Awaitable[T], /) -> T:
    """The result of `awaitable`, from inside `run_in_greenlet`."""
    parent = greenlet.getcurrent().parent
    if parent is None:
        raise RuntimeError(_OUTSIDE)
    result: T = parent.switch(awaitable)
    return result
