"""Subscriptions to queries: what a client holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from parabola.functions.calls.calling import NO_ARGUMENTS, CallRefused, EncodedArguments
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import new_request_id
from parabola.functions.outcomes.results import FunctionResult

if TYPE_CHECKING:
    from parabola.functions.queries.query_cache import CachedResult, QueryCache, QueryFamily, QueryKey


class LiveQuery:
    """One holder's subscription to a query.

    `result_at` answers what holds at a timestamp; from then on `on_invalid` is called once when a commit
    changes what was read. The journal of a paginated query is fed back into its re-runs, so that a page keeps
    its end.
    """

    __slots__ = (
        "_arguments",
        "_asked",
        "_cache",
        "_closed",
        "_current",
        "_identity",
        "_key",
        "_on_invalid",
        "journal",
    )

    def __init__(
        self,
        cache: QueryCache,
        path: str,
        args: EncodedArguments,
        identity: Identity,
        *,
        journal: str | None = None,
        component: str = "",
        public_only: bool = True,
        on_invalid: Callable[[], None] | None = None,
    ) -> None:
        self._cache = cache
        self._asked: tuple[str, EncodedArguments, str, bool] | None = (path, args, component, public_only)
        self._key: QueryKey | None = None
        self._arguments = NO_ARGUMENTS
        self._identity = identity
        self._on_invalid = on_invalid
        self._current: CachedResult | None = None
        self._closed = False
        self.journal = journal
        """The journal of the last run: what a client sends back after a reconnect."""

    async def result_at(self, ts: int) -> FunctionResult:
        """The result at exactly `ts`. `on_invalid` may be called before this returns, for what came after.

        Raises `BadRequest` for a path that cannot name a function.
        """
        current = self._current
        if current is not None and current.holds_at(ts):
            return current.result
        try:
            family = self._family()
        except CallRefused as refusal:
            return FunctionResult(error=refusal.failure, ts=ts, request_id=new_request_id())
        cached = await self._cache.result_at(family, self._identity, ts)
        if not self._closed:
            self._take(cached)
        return cached.result

    def known_at(self, ts: int) -> FunctionResult | None:
        """The result at exactly `ts` if nothing has to be run for it, as `result_at` would answer; else
        `None`.
        """
        current = self._current
        if current is not None and current.holds_at(ts):
            return current.result
        try:
            cached = self._family().find(self._identity, ts)
        except CallRefused:
            return None
        if cached is None or not cached.is_fresh() or self._closed:
            return None
        self._take(cached)
        return cached.result

    def _family(self) -> QueryFamily:
        key = self._key
        if key is None:
            assert self._asked is not None
            path, args, component, public_only = self._asked
            key, self._arguments = self._cache.read_query(path, args, self.journal, component, public_only)
            self._asked = None
        elif key.journal != self.journal:
            key = key._replace(journal=self.journal)
        self._key = key
        return self._cache.family(key, self._arguments)

    def close(self) -> None:
        """Let go: nothing is called any more."""
        self._closed = True
        self._on_invalid = None
        self._take(None)

    def invalidated(self) -> None:
        """What this holds does not hold any more."""
        if self._on_invalid is not None:
            self._on_invalid()

    def _take(self, cached: CachedResult | None) -> None:
        before, self._current = self._current, cached
        if before is cached:
            return
        if before is not None:
            self._cache.release(before, self)
        if cached is None:
            return
        if cached.result.error is None:
            self.journal = cached.result.journal
        if not self._cache.hold(cached, self):
            self.invalidated()
