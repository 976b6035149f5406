"""Calls between functions: the syscalls behind `run_query`, `run_mutation` and `run_action`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls
from parabola.authoring.references import function_address
from parabola.authoring.scheduling import Args, encode_args
from parabola.values.encoding import revive

__all__ = ["TransactionLimits", "action_call", "nested_call"]


class TransactionLimits(TypedDict, total=False):
    """Tighter limits for one nested call, counted from where the caller stands (semantics 5.4)."""

    bytesRead: int
    documentsRead: int
    databaseQueries: int
    documentsWritten: int
    bytesWritten: int
    functionsScheduled: int
    scheduledFunctionArgsBytes: int
    filesWritten: int
    fileWriteBytes: int
    filesRead: int
    fileReadBytes: int


def nested_call(
    syscalls: Syscalls,
    kind: Literal["query", "mutation", "snapshotQuery"],
    function: Any,
    args: Args | None,
    limits: TransactionLimits | None,
) -> Pending[Any]:
    """A call inside the caller's transaction (`1.0/runUdf`)."""
    call: dict[str, Any] = {"udfType": kind, "args": encode_args(args), **function_address(function)}
    if limits is not None:
        call["transactionLimits"] = dict(limits)
    return Operation(syscalls.call("1.0/runUdf", call), _result_of(syscalls, call))


def action_call(
    syscalls: Syscalls, kind: Literal["query", "mutation", "action"], function: Any, args: Args | None
) -> Pending[Any]:
    """A call out of an action: a transaction of its own."""
    call = {
        **function_address(function),
        "args": encode_args(args),
        "version": SYSCALL_VERSION,
        "requestId": syscalls.request_id,
    }
    return Operation(syscalls.call(f"1.0/actions/{kind}", call), _result_of(syscalls, call))


def _result_of(syscalls: Syscalls, call: Mapping[str, Any]) -> Callable[[Any], Any]:
    integers = syscalls.integer_places.in_results(call.get("name"))
    return revive if integers is None else lambda json: integers(revive(json))
