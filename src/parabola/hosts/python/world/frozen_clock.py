"""The clock inside queries and mutations: it stands still at the start of the execution (js-runtime 5.1).

Every function here asks the context whether it is called inside a query or mutation; everywhere else it is
the one it replaces. A mutation's `perf_counter` and `monotonic` advance, as in the official runtime.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import sys
import time
from collections.abc import Callable
from typing import Any

from parabola.hosts.python.world.frozen_world import FrozenWorld, clock_ahead, confined_world, frozen_world
from parabola.hosts.python.world.refusals import refuse
from parabola.hosts.python.world.replacements import Replacements

__all__ = ["freeze_clock"]


def freeze_clock(replacements: Replacements) -> None:
    """Replace what tells the time in `time` and `datetime`."""
    replace = functools.partial(_replace, replacements)
    replace(time, "time", FrozenWorld.read_clock, 1.0)
    replace(time, "time_ns", FrozenWorld.read_clock_ns, 1e9)
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        _replace_in_queries(replacements, name, 0.0)
        _replace_in_queries(replacements, f"{name}_ns", 0)
    replace(time, "clock_gettime", FrozenWorld.read_clock)
    replace(time, "clock_gettime_ns", FrozenWorld.read_clock_ns)
    for name in ("localtime", "gmtime", "ctime"):
        _replace_default(replacements, name, 0, FrozenWorld.read_clock)
    _replace_default(replacements, "strftime", 1, lambda world: time.localtime(world.read_clock()))
    _replace_default(replacements, "asctime", 0, lambda world: time.localtime(world.read_clock()))
    _replace_sleep(replacements)
    _replace_constructor(replacements, datetime.datetime, "now", datetime.datetime.fromtimestamp)
    _replace_constructor(replacements, datetime.datetime, "utcnow", datetime.datetime.utcfromtimestamp)
    _replace_constructor(replacements, datetime.date, "today", datetime.date.fromtimestamp)


def _replace(
    replacements: Replacements,
    module: Any,
    name: str,
    frozen: Callable[[FrozenWorld], Any],
    unit: float = 0.0,
) -> None:
    """`unit` is how many of its units a second has, for a clock that can be ahead of the machine's."""
    original = getattr(module, name, None)  # not every system has every clock
    if original is None:
        return

    @functools.wraps(original)
    def shim(*args: Any) -> Any:
        world = frozen_world.get()
        if world is None:
            now = original(*args)
            ahead = clock_ahead.get() * unit
            return now + type(now)(ahead) if ahead else now
        if sys._getframe(1).f_globals.get("__name__") == "logging":  # every log record takes the time
            world = dataclasses.replace(world)
        return frozen(world)

    replacements.set(module, name, shim)


def _replace_in_queries(replacements: Replacements, name: str, frozen: float) -> None:
    """Clocks with no relation to the date: standing still, they tell nothing, so nothing is noted."""
    original = getattr(time, name)

    @functools.wraps(original)
    def shim() -> Any:
        world = frozen_world.get()
        return original() if world is None or world.phase != "query" else frozen

    replacements.set(time, name, shim)


def _replace_default(
    replacements: Replacements, name: str, position: int, default: Callable[[FrozenWorld], Any]
) -> None:
    """Functions that take "now" when the argument at `position` is left out."""
    original = getattr(time, name)

    @functools.wraps(original)
    def shim(*args: Any) -> Any:
        world = frozen_world.get()
        if world is not None and (len(args) <= position or args[position] is None):
            args = (*args[:position], default(world))
        return original(*args)

    replacements.set(time, name, shim)


def _replace_sleep(replacements: Replacements) -> None:
    original = time.sleep

    @functools.wraps(original)
    def sleep(seconds: float, /) -> None:
        if confined_world() is not None:
            refuse("time.sleep()")
        original(seconds)

    replacements.set(time, "sleep", sleep)


def _replace_constructor(replacements: Replacements, kind: type, name: str, make: Any) -> None:
    original = kind.__dict__[name]
    make_name = make.__name__

    def shim(cls: Any, *args: Any, **kwargs: Any) -> Any:
        world = frozen_world.get()
        if world is None:
            now = original.__get__(None, cls)(*args, **kwargs)
            ahead = clock_ahead.get()
            return now + datetime.timedelta(seconds=ahead) if ahead else now
        return getattr(cls, make_name)(world.read_clock(), *args, **kwargs)

    shim.__name__ = name
    shim.__doc__ = original.__doc__
    replacements.set(kind, name, classmethod(shim))
