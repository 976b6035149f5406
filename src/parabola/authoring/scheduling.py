"""`ctx.scheduler`: functions that run later (semantics 7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from parabola.authoring.absent import absent
from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls, Wait, async_only
from parabola.authoring.references import function_address
from parabola.values.encoding import encode, normalize
from parabola.values.errors import BadRequest

__all__ = ["Args", "BaseScheduler", "Scheduler", "SyncScheduler", "encode_args"]

Args = Mapping[str, Any]


def encode_args(args: Any) -> Any:
    """The JSON of a function's arguments: one object."""
    normal = {} if args is None else normalize(args)
    if not isinstance(normal, dict):
        raise BadRequest(f"The arguments to a Convex function must be an object. Received: {args!r}")
    return encode(normal)


class BaseScheduler:
    """What both styles share."""

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise absent(self, "ctx.scheduler", name)

    def __init__(self, syscalls: Syscalls, wait: Wait = async_only) -> None:
        self._syscalls = syscalls
        self._wait = wait

    def _run_after(self, delay_ms: float | timedelta, function: Any, args: Args | None) -> Pending[Any]:
        if isinstance(delay_ms, timedelta):
            delay_ms = delay_ms / timedelta(milliseconds=1)
        if isinstance(delay_ms, bool) or not isinstance(delay_ms, (int, float)):
            raise BadRequest("`delayMs` must be a number")
        if not math.isfinite(delay_ms):
            raise BadRequest("`delayMs` must be a finite number")
        if delay_ms < 0:
            raise BadRequest("`delayMs` must be non-negative")
        return self._schedule((self._syscalls.now_ms() + delay_ms) / 1000, function, args)

    def _run_at(self, timestamp: float | datetime, function: Any, args: Args | None) -> Pending[Any]:
        if isinstance(timestamp, datetime):
            moment = timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
            return self._schedule(moment.timestamp(), function, args)
        if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)):
            raise BadRequest("The invoke time must a Date or a timestamp")
        return self._schedule(timestamp / 1000, function, args)

    def _schedule(self, ts: float, function: Any, args: Args | None) -> Pending[Any]:
        address = function_address(function)
        call: dict[str, Any] = {**address, "ts": ts, "args": encode_args(args), "version": SYSCALL_VERSION}
        if self._syscalls.kind == "mutation":
            return Operation(self._syscalls.call("1.0/schedule", call))
        call["requestId"] = self._syscalls.request_id
        return Operation(self._syscalls.call("1.0/actions/schedule", call))

    def _cancel(self, id: str) -> Pending[None]:
        if self._syscalls.kind == "mutation":
            return Operation(self._syscalls.call("1.0/cancel_job", {"id": id}))
        args = {"requestId": self._syscalls.request_id, "id": id}
        return Operation(self._syscalls.call("1.0/actions/cancel_job", args))


class Scheduler(BaseScheduler):
    """`ctx.scheduler` in `async def` functions. In a mutation nothing is scheduled unless it commits."""

    def run_after(self, delay_ms: float | timedelta, function: Any, args: Args | None = None) -> Pending[Any]:
        """Run a function after a delay, in milliseconds or as a `timedelta`; gives the job's id."""
        return self._run_after(delay_ms, function, args)

    def run_at(self, timestamp: float | datetime, function: Any, args: Args | None = None) -> Pending[Any]:
        """Run it at a time: milliseconds since 1970, or a `datetime` (UTC unless it says otherwise)."""
        return self._run_at(timestamp, function, args)

    def cancel(self, id: str) -> Pending[None]:
        """Cancel a job that has not finished."""
        return self._cancel(id)


class SyncScheduler(BaseScheduler):
    """`ctx.scheduler` in plain `def` functions."""

    def run_after(self, delay_ms: float | timedelta, function: Any, args: Args | None = None) -> Any:
        """Run a mutation or action after a delay, in milliseconds or as a `timedelta`; the job's id."""
        return self._wait(self._run_after(delay_ms, function, args))

    def run_at(self, timestamp: float | datetime, function: Any, args: Args | None = None) -> Any:
        """Run it at a time: milliseconds since 1970, or a `datetime` (UTC unless it says otherwise)."""
        return self._wait(self._run_at(timestamp, function, args))

    def cancel(self, id: str) -> None:
        """Cancel a job that has not finished."""
        self._wait(self._cancel(id))
