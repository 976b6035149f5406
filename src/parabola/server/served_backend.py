"""What the server asks of the backend: the whole of it, so that tests can serve a scripted one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from parabola.functions.calls.calling import Call
from parabola.functions.calls.running_calls import RunningCalls
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.values.errors import ParabolaError

__all__ = ["Freshness", "LiveQuery", "ServedBackend", "ServedConfig"]


class ServedConfig(Protocol):
    """The part of the configuration that shows on the wire."""

    @property
    def instance_name(self) -> str: ...
    @property
    def redact_logs_to_client(self) -> bool: ...


class Freshness(Protocol):
    """How new the data of a server is that shares it with others."""

    @property
    def is_shared(self) -> bool:
        """Whether others write to the same data. Where nobody does, nothing below ever waits or fails."""
        ...

    @property
    def fault(self) -> ParabolaError | None:
        """Why nobody may be served here now."""
        ...

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` whenever `fault` may have come or gone. Returns the undoing."""
        ...

    async def catch_up(self) -> None:
        """Returns when everything can be read that was acknowledged anywhere before. Raises a fault."""
        ...

    async def reach(self, ts: int) -> None:
        """The same, and `ts` can be read, which a client has seen."""
        ...


class LiveQuery(Protocol):
    """One holder's subscription to a query: says when its result no longer holds, and what holds at a
    timestamp.
    """

    def result_at(self, ts: int) -> Awaitable[FunctionResult]:
        """The result at exactly `ts`; from then on `on_invalid` is called once when a later commit
        changes what it read, at once if one already has.
        """
        ...

    def tell_at(self, ts: int, told: Callable[[FunctionResult | BaseException], None]) -> None:
        """Have `told` called once with what `result_at` would answer or raise, at once if it is known;
        not after `close`.
        """
        ...

    def close(self) -> None:
        """Let go: nothing is called any more."""
        ...


class ServedBackend(Protocol):
    """The face of `parabola.backend.Backend` that the server sees."""

    @property
    def config(self) -> ServedConfig: ...

    @property
    def freshness(self) -> Freshness:
        """Whether this server may speak for all data, and when."""
        ...

    @property
    def durable_ts(self) -> int:
        """The newest timestamp that may be shown."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether there is time for what need not be done yet."""
        ...

    async def query(self, call: Call, *, ts: int | None = None) -> FunctionResult: ...

    async def mutation(
        self,
        call: Call,
        *,
        session: SessionRequest | None = None,
        on_committing: Callable[[int], None] | None = None,
        successor: Successor | None = None,
    ) -> FunctionResult:
        """The same `session` takes effect once. `on_committing` hears the commit timestamp before it
        becomes durable. A `successor` is run as if it began after those that it succeeds, and lost with
        them.
        """
        ...

    async def action(self, call: Call) -> FunctionResult: ...

    async def run_any(self, call: Call) -> FunctionResult:
        """Run a function of whatever kind."""
        ...

    def live_query(
        self, call: Call, *, journal: str | None, on_invalid: Callable[[], None], asks_again: bool
    ) -> LiveQuery: ...

    async def authenticate(self, token: str) -> Identity:
        """The user a bearer token names. Raises Unauthenticated."""
        ...

    @property
    def running(self) -> RunningCalls:
        """The calls that run now; a server that ends cuts those that take too long."""
        ...

    def hold_jobs(self) -> None:
        """Begin no more scheduled functions and crons."""
        ...

    async def jobs_idle(self) -> None:
        """Returns when none of these runs."""
        ...

    def check_admin_key(self, key: str) -> Identity:
        """The admin behind a key. Raises Unauthenticated (BadAdminKey)."""
        ...
