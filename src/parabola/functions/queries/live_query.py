"""Subscriptions to queries: what a client holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from parabola.functions.calls.calling import Call
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.outcomes.failures import new_request_id
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.queries.query_cache import CachedResult

if TYPE_CHECKING:
    from parabola.functions.deployed.identity import Identity
    from parabola.functions.queries.query_cache import QueryCache, QueryFamily

__all__ = ["LiveQuery"]


class LiveQuery:
    """One holder's subscription to a query.

    `result_at` answers what holds at a timestamp; from then on `on_invalid` is called once when a commit
    changes what was read. The journal of a paginated query is fed back into its re-runs, so that a page keeps
    its end. `asks_again`: a holder that is told asks before the event loop has gone round, as a rule; so it
    is worth running the query before it is told.
    """

    __slots__ = ("_cache", "_call", "_closed", "_current", "asks_again", "journal", "on_invalid")

    def __init__(
        self,
        cache: QueryCache,
        call: Call,
        *,
        journal: str | None = None,
        on_invalid: Callable[[], None] | None = None,
        asks_again: bool = False,
    ) -> None:
        self.asks_again = asks_again
        self._cache = cache
        self._call = call
        self._current: CachedResult | None = None
        self._closed = False
        self.journal = journal
        """The journal of the last run: what a client sends back after a reconnect."""
        self.on_invalid = on_invalid or _unheard
        """Called when what this holds does not hold any more."""

    @property
    def identity(self) -> Identity:
        """Who asks."""
        return self._call.identity

    async def result_at(self, ts: int) -> FunctionResult:
        """The result at exactly `ts`. `on_invalid` may be called before this returns, for what came after."""
        current = self._current
        if current is not None and current.holds_at(ts):
            return current.result
        try:
            family = self._family()
        except CallRefused as refusal:
            return _refusal(refusal, ts)
        cached = await self._cache.result_at(family, self._call.identity, ts)
        if not self._closed:
            self._take(cached)
        return cached.result

    def tell_at(self, ts: int, told: Callable[[FunctionResult | BaseException], None]) -> None:
        """Have `told` called once with what `result_at` would answer or raise, at once if it is known; not
        after `close`.
        """
        current = self._current
        if current is not None and (
            (current.invalid_ts is None or ts < current.invalid_ts) and current.result.ts <= ts
        ):
            told(current.result)
            return
        family = None if current is None else current.family
        if family is None or not family.is_known or family.key.journal != self.journal:
            try:
                family = self._family()
            except CallRefused as refusal:
                told(_refusal(refusal, ts))
                return
        cache, identity = self._cache, self._call.identity
        found = cache.known_at(family, identity, ts)
        if found is None:
            cache.follow(family, identity, ts, partial(self._told, told))
        else:
            self._told(told, found)

    def _told(
        self, told: Callable[[FunctionResult | BaseException], None], found: CachedResult | BaseException
    ) -> None:
        if self._closed:
            return
        if type(found) is CachedResult:
            self._take(found)
            told(found.result)
        else:
            told(cast("BaseException", found))

    def _family(self) -> QueryFamily:
        current = self._current
        if current is not None:
            family = current.family
            if family.is_known and family.key.journal == self.journal:
                return family
        return self._cache.family(self._call, self.journal)

    def close(self) -> None:
        """Let go: nothing is called any more."""
        self._closed = True
        self.on_invalid = _unheard
        self._take(None)

    def _take(self, cached: CachedResult | None) -> None:
        before, self._current = self._current, cached
        if before is cached:
            return
        if before is not None and (before.holders or not before.is_dropped):
            self._cache.release(before, self)
        if cached is None:
            return
        result = cached.result
        if result.audit_lines:
            self._cache.handed_over(result, self._call)
        if result.error is None:
            self.journal = result.journal
        if not self._cache.hold(cached, self):
            self.on_invalid()


def _unheard() -> None:
    """Nobody wants to hear of it, or any more."""


def _refusal(refusal: CallRefused, ts: int) -> FunctionResult:
    return FunctionResult(error=refusal.failure, ts=ts, request_id=new_request_id())
