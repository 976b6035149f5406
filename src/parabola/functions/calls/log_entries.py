"""The entries of a call in the execution log, made in one place: they agree on whose they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from parabola.functions.deployed.deployment import KIND_TITLES
from parabola.functions.outcomes.execution_log import ExecutionEntry

if TYPE_CHECKING:
    from parabola.functions.calls.attempt import Attempt
    from parabola.functions.deployed.deployment import FunctionSpec
    from parabola.functions.outcomes.execution_log import ExecutionLog
    from parabola.functions.outcomes.failures import FunctionFailure
    from parabola.functions.outcomes.logs import LogLine

__all__ = ["completion", "progress_log"]


def completion(
    log: ExecutionLog,
    attempt: Attempt,
    spec: FunctionSpec | None,
    kind: str,
    identifier: str,
    log_lines: tuple[LogLine, ...],
    *,
    execution_time: float,
    error: FunctionFailure | None,
    return_bytes: int | None = None,
    success_status: str | None = None,
    retries: int = 0,
) -> ExecutionEntry:
    """The entry of a call that has ended. `spec` is None for a function that was not found."""
    entry = _entry(log, attempt, spec, kind, identifier, log_lines)
    entry.execution_time = execution_time
    entry.user_execution_time = attempt.user_ms / 1000
    entry.error = error
    entry.return_bytes = return_bytes
    entry.success_status = success_status
    entry.retries = retries
    return entry


def progress_log(
    log: ExecutionLog, attempt: Attempt, spec: FunctionSpec, identifier: str
) -> Callable[[Sequence[LogLine]], None]:
    """Puts an action's lines into the execution log as they are written."""

    def progress(lines: Sequence[LogLine]) -> None:
        log.append(_entry(log, attempt, spec, spec.kind, identifier, tuple(lines), "Progress"))

    return progress


def _entry(
    log: ExecutionLog,
    attempt: Attempt,
    spec: FunctionSpec | None,
    kind: str,
    identifier: str,
    log_lines: tuple[LogLine, ...],
    entry_kind: Literal["Completion", "Progress"] = "Completion",
) -> ExecutionEntry:
    request = attempt.request
    return ExecutionEntry(
        kind=entry_kind,
        udf_type=KIND_TITLES[kind],
        identifier=identifier,
        timestamp=log.next_timestamp(),
        log_lines=log_lines,
        request_id=request.request_id,
        execution_id=attempt.execution_id,
        parent_execution_id=request.parent_execution_id,
        caller=request.caller,
        component_path=attempt.component or None,
        runtime="isolate" if spec is None else spec.runtime,
        identity_type=attempt.identity.kind,
        argument_bytes=attempt.argument_bytes,
        queue_length=request.queue_length,
        is_rerun=request.is_rerun,
        scheduled_function_id=request.scheduled_function_id,
        trace=request.trace,
        cause=request.cause,
        nested=attempt.nested or (),
        usage=None if attempt.transaction is None else attempt.transaction.usage,
    )
