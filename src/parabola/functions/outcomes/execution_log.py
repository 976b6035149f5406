"""What ran lately: a ring of completions for `logs` and the dashboard (deploy-api §15)."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from parabola.database.usage import Usage
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine
from parabola.functions.settings import FunctionSettings

if TYPE_CHECKING:
    from parabola.functions.outcomes.traces import NestedCall, TraceContext

__all__ = ["ExecutionEntry", "ExecutionLog"]


class ExecutionEntry(Struct):  # one is made for every call, and structs are made fast
    """One completion, or (`kind="Progress"`) lines written by an action that still runs."""

    kind: str
    udf_type: str
    identifier: str
    timestamp: float
    """Seconds since the epoch; strictly increasing within a log, so it serves as cursor."""
    log_lines: tuple[LogLine, ...]
    request_id: str
    execution_id: str
    execution_time: float = 0.0
    user_execution_time: float = 0.0
    error: FunctionFailure | None = None
    success_status: str | None = None
    component_path: str | None = None
    caller: str = "SyncWorker"
    parent_execution_id: str | None = None
    runtime: str = "isolate"
    identity_type: str = "unknown"
    cached_result: bool = False
    usage: Usage | Mapping[str, float] | None = None
    """What its transaction has used: the counters themselves, or what was written down of them."""
    return_bytes: int | None = None
    occ_info: dict[str, Any] | None = None
    will_retry: bool = False
    argument_bytes: int | None = None
    retries: int = 0
    """Tries of a mutation that were given up before."""
    queue_length: int | None = None
    """How many mutations of the same client waited before this one."""
    is_rerun: bool = False
    """Whether a live query ran again because its data had changed."""
    scheduled_function_id: str | None = None
    trace: TraceContext | None = None
    """What the request said of the trace that it belongs to."""
    cause: TraceContext | None = None
    """Where the function was scheduled."""
    nested: Sequence[NestedCall] = ()
    """Calls in its transaction, in the order in which they began; noted where traces are made."""

    def to_json(self, *, structured: bool = True) -> dict[str, Any]:
        """The entry as `stream_function_logs` answers it; log lines as objects, or as texts for older
        readers.
        """
        lines: list[Any] = [line.to_json() if structured else str(line) for line in self.log_lines]
        entry: dict[str, Any] = {
            "kind": self.kind,
            "udfType": self.udf_type,
            "identifier": self.identifier,
            "timestamp": self.timestamp,
            "logLines": lines,
            "requestId": self.request_id,
            "executionId": self.execution_id,
        }
        if self.component_path:
            entry["componentPath"] = self.component_path
        if self.kind == "Completion":
            entry.update(
                executionTime=self.execution_time,
                success=None if self.success_status is None else {"status": self.success_status},
                error=None if self.error is None else self.error.text(),
                parentExecutionId=self.parent_execution_id,
                caller=self.caller,
                environment=self.runtime,
                identityType=self.identity_type,
                cachedResult=self.cached_result,
                userExecutionTime=self.user_execution_time,
                usageStats=self.usage_stats,
                returnBytes=self.return_bytes,
                occInfo=self.occ_info,
                willRetry=self.will_retry,
                executionTimestamp=self.timestamp - self.execution_time,
            )
        return entry

    @property
    def usage_stats(self) -> Mapping[str, float]:
        """What its transaction has used, by name; nothing where it had none."""
        usage = self.usage
        return usage.to_json() if isinstance(usage, Usage) else usage or {}

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> ExecutionEntry:
        """The entry that `to_json` has written."""
        error = entry.get("error")
        success = entry.get("success")
        return ExecutionEntry(
            kind=entry["kind"],
            udf_type=entry["udfType"],
            identifier=entry["identifier"],
            timestamp=entry["timestamp"],
            log_lines=tuple(map(LogLine.from_json, entry["logLines"])),
            request_id=entry["requestId"],
            execution_id=entry["executionId"],
            execution_time=entry.get("executionTime", 0.0),
            user_execution_time=entry.get("userExecutionTime", 0.0),
            error=None if error is None else FunctionFailure(error.removesuffix("\n")),
            success_status=None if success is None else success["status"],
            component_path=entry.get("componentPath"),
            caller=entry.get("caller", "SyncWorker"),
            parent_execution_id=entry.get("parentExecutionId"),
            runtime=entry.get("environment", "isolate"),
            identity_type=entry.get("identityType", "unknown"),
            cached_result=entry.get("cachedResult", False),
            usage=entry.get("usageStats"),
            return_bytes=entry.get("returnBytes"),
            occ_info=entry.get("occInfo"),
            will_retry=entry.get("willRetry", False),
        )


class ExecutionLog:
    """The newest entries, and a way to wait for more. `clock` gives nanoseconds since 1970."""

    def __init__(self, clock: Callable[[], int], capacity: int = FunctionSettings.log_entries) -> None:
        self._clock = clock
        self._entries: deque[ExecutionEntry] = deque(maxlen=capacity)
        self._waiting: set[asyncio.Future[None]] = set()
        self._listeners: list[Callable[[ExecutionEntry], None]] = []
        self._ids = itertools.count(1)
        self._last = 0.0

    def restore(self, entries: Sequence[ExecutionEntry]) -> None:
        """Go on behind entries of an earlier process, oldest first."""
        self._entries.extend(entries)
        if entries:
            self._last = max(entry.timestamp for entry in entries)
            self._ids = itertools.count(1 + max(_number(entry.execution_id) for entry in entries))

    def number_from(self, first: int) -> None:
        """Give executions numbers from here on: several logs are read as one, and none has another's."""
        self._ids = itertools.count(first)

    def next_timestamp(self) -> float:
        """The clock in seconds, never twice the same and never backwards."""
        now = self._clock() / 1e9
        self._last = now if now > self._last else self._last + 1e-6
        return self._last

    def next_id(self) -> str:
        """An id for an execution."""
        return f"{next(self._ids):016x}"

    def append(self, entry: ExecutionEntry) -> None:
        """Add an entry and wake whoever waits."""
        self._entries.append(entry)
        if self._waiting:
            waiting, self._waiting = self._waiting, set()
            for future in waiting:
                if not future.done():
                    future.set_result(None)
        for listener in self._listeners:
            listener(entry)

    def listen(self, listener: Callable[[ExecutionEntry], None]) -> Callable[[], None]:
        """Call `listener` with every new entry until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def head(self) -> float:
        """A cursor behind everything so far, greater than 0."""
        return max(self._last, self.next_timestamp())

    def after(self, cursor: float) -> list[ExecutionEntry]:
        """Entries newer than the cursor (seconds), oldest first."""
        found: list[ExecutionEntry] = []
        for entry in reversed(self._entries):
            if entry.timestamp <= cursor:
                break
            found.append(entry)
        found.reverse()
        return found

    async def wait_after(self, cursor: float, seconds: float) -> list[ExecutionEntry]:
        """Like `after`, but waits up to `seconds` for the first one."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not (found := self.after(cursor)):
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                break
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                async with asyncio.timeout(remaining):
                    await future
            except TimeoutError:
                break
            finally:
                self._waiting.discard(future)
        return found


def _number(execution_id: str) -> int:
    try:
        return int(execution_id, 16)
    except ValueError:
        return 0
