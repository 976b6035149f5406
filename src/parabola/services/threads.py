"""Work that would hold up the event loop, done in a thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from importlib import import_module
from typing import ParamSpec, TypeVar

__all__ = ["imported", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(...)` in a thread. Who is cancelled meanwhile still waits for the end of it.

    So whatever the work uses may be closed right afterwards.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


async def imported(name: str) -> None:
    """Returns once a module can be imported at no cost: a server starts without those that are seldom needed,
    and loads one, with what it imports itself, in a thread.
    """
    if name not in sys.modules:
        await in_thread(import_module, name)
