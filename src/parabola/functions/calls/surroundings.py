"""What every execution of a deployment needs around it, whatever function it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import orjson
from msgspec import Struct

if TYPE_CHECKING:
    from parabola.database.model.tables import Registry
    from parabola.database.query.cursors import CursorCodec
    from parabola.functions.calls.audit_log import AuditLog
    from parabola.functions.calls.calling import Call
    from parabola.functions.calls.deadlines import Deadlines
    from parabola.functions.calls.execution import Execution
    from parabola.functions.calls.implicit_reads import ImplicitReads
    from parabola.functions.calls.running_calls import RunningCalls
    from parabola.functions.calls.wide_reads import Reading, ReadingCounts
    from parabola.functions.deployed.function_handles import FunctionHandles
    from parabola.functions.outcomes.results import FunctionResult
    from parabola.functions.outcomes.traces import TraceContext
    from parabola.functions.syscalls.table import SyscallTable

__all__ = ["Calls", "Surroundings", "TableNumbers", "Tracer"]


class Tracer(Protocol):
    """Knows the traces that calls belong to."""

    def now(self) -> float:
        """The clock that tells when calls began, in seconds since the epoch."""

    def place(self, execution: Execution) -> TraceContext:
        """Where in a trace a function is: what it calls and schedules comes from there."""


class Calls(Protocol):
    """Calls that an action makes, each in a transaction of its own. The engine's."""

    @property
    def tracer(self) -> Tracer | None:
        """None where no traces are made."""

    @property
    def handles(self) -> FunctionHandles:
        """Handles of the current deployment's functions."""

    async def query_now(self, call: Call) -> FunctionResult:
        """A query at the newest timestamp."""

    async def mutation(self, call: Call) -> FunctionResult: ...

    async def action(self, call: Call, depth: int = 0) -> FunctionResult: ...


class TableNumbers:
    """Table numbers by name, for hosts that answer `normalizeId` without asking (js-runtime §1.6)."""

    __slots__ = ("_made", "_registry")

    def __init__(self) -> None:
        self._registry: Registry | None = None
        self._made: dict[str, bytes] = {}

    def of(self, registry: Registry, component: str) -> bytes:
        """As JSON, of a component; made once as long as the tables stay the same."""
        if self._registry is not registry:
            self._registry, self._made = registry, {}
        made = self._made.get(component)
        if made is None:
            numbers: dict[str, int] = {}
            for table in registry.tables(component):
                named = registry.table_name_in(component, table.number)
                if named is not None:
                    numbers[named[0]] = table.number
            made = self._made[component] = orjson.dumps(numbers)
        return made


class Surroundings(Struct, frozen=True):
    """The engine as executions see it."""

    instance_name: str
    instance: Mapping[str, str]
    """Public addresses: `cloudUrl` of the API, `siteUrl` of HTTP actions."""
    cursors: CursorCodec
    deadlines: Deadlines
    syscalls: SyscallTable
    implicit: ImplicitReads
    tables: TableNumbers
    calls: Calls
    audit: AuditLog
    running: RunningCalls
    wide_reads: dict[Reading, ReadingCounts] = {}
    """Queries that read more than they need to, such as whole tables."""
