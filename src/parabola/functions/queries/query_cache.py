"""Results of queries: one execution for each distinct query, however many ask for it (semantics §6.2).

A query is what it calls (function, arguments, journal) plus who calls, as far as it looks at that. Until it
has run nobody knows whether it looks, so a `QueryFamily` holds what is the same for all callers: one shared
result if the last run did not read the identity, or one result for each identity if it did.

A `CachedResult` knows until when it holds: it is subscribed to what it read. Results that someone holds
(`LiveQuery`) stay; the others are kept in the order of their last use, up to a number of bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from parabola.functions.calls.calling import (
    Arguments,
    Call,
    CallRefused,
    EncodedArguments,
    RequestContext,
    decode_arguments,
)
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import new_request_id
from parabola.functions.outcomes.results import FunctionResult

if TYPE_CHECKING:
    from parabola.database.commits.subscriptions import Token
    from parabola.database.database import Database
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.queries.live_query import LiveQuery

CLOCK_SECONDS = 17.0
"""A result that saw the clock may be given to others for so long (js-runtime §5.1)."""


class QueryKey(NamedTuple):
    """What distinguishes queries, but for the identity."""

    component: str
    name: FunctionPath
    args: bytes
    journal: str | None
    public_only: bool


class CachedResult:
    """A result and the span of timestamps at which it holds."""

    __slots__ = ("family", "holders", "invalid_ts", "result", "slot", "token")

    def __init__(self, result: FunctionResult, family: QueryFamily, slot: str) -> None:
        self.result = result
        self.family = family
        self.slot = slot
        self.invalid_ts: int | None = None
        """The first commit that touches what was read; `None` while there is none."""
        self.holders: set[LiveQuery] = set()
        self.token: Token | None = None

    def holds_at(self, ts: int) -> bool:
        """True when a run at `ts` would read the same."""
        return self.result.ts <= ts and (self.invalid_ts is None or ts < self.invalid_ts)

    def is_fresh(self) -> bool:
        """True unless it saw a clock that is too old by now."""
        return not self.result.used_clock or time.monotonic() - self.result.executed_at < CLOCK_SECONDS


SHARED = ""
"""The slot of a result that did not look at the identity."""


class QueryFamily:
    """One query as asked by everybody: its newest results and the runs in flight."""

    __slots__ = ("arguments", "key", "results", "runs", "uses_identity")

    def __init__(self, key: QueryKey, arguments: Arguments) -> None:
        self.key = key
        self.arguments = arguments
        self.results: dict[str, CachedResult] = {}
        self.runs: dict[tuple[str, int], asyncio.Future[CachedResult]] = {}
        """Runs in flight by slot and timestamp."""
        self.uses_identity: bool | None = None
        """What the last run showed; `None` before the first."""

    def find(self, identity: Identity, ts: int) -> CachedResult | None:
        """A result for this caller that holds at `ts`."""
        results = self.results
        for slot in (SHARED, identity.cache_key):
            cached = results.get(slot)
            if cached is not None and cached.holds_at(ts):
                return cached
        return None


class QueryCache:
    """All results of one backend. Those that nobody holds take at most `capacity` bytes."""

    def __init__(self, runner: FunctionRunner, database: Database, *, capacity: int) -> None:
        self._runner = runner
        self._database = database
        self._capacity = capacity
        self._families: dict[QueryKey, QueryFamily] = {}
        self._unheld: OrderedDict[CachedResult, int] = OrderedDict()
        self._unheld_bytes = 0
        self.executions = 0
        """Runs so far: what tests and metrics count."""

    async def query(
        self,
        path: str | FunctionPath,
        args: EncodedArguments,
        identity: Identity,
        *,
        ts: int | None = None,
        journal: str | None = None,
        component: str = "",
        public_only: bool = True,
        request: RequestContext | None = None,
    ) -> FunctionResult:
        """The result at `ts`, or at the newest durable timestamp."""
        try:
            key, arguments = self.read_query(path, args, journal, component, public_only)
        except CallRefused as refusal:
            at = self._database.durable_ts if ts is None else ts
            return FunctionResult(error=refusal.failure, ts=at, request_id=new_request_id())
        ts = self._database.durable_ts if ts is None else ts
        cached = await self.result_at(self.family(key, arguments), identity, ts, request)
        if cached.result.error is not None and not cached.holders:
            self._drop(cached)
        return cached.result

    async def result_at(
        self, family: QueryFamily, identity: Identity, ts: int, request: RequestContext | None = None
    ) -> CachedResult:
        """A result that holds at `ts`: a kept one, that of a run in flight, or that of a run started now."""
        waited = False
        while True:
            cached = family.find(identity, ts)
            if cached is not None and cached.is_fresh():
                self._used(cached)
                return cached
            slot = identity.cache_key if family.uses_identity else SHARED
            running = family.runs.get((slot, ts))
            if running is None and not waited:
                running = next(
                    (run for (other, at), run in family.runs.items() if other == slot and at < ts), None
                )
            if running is None:
                return await self._execute(family, slot, identity, ts, request or RequestContext())
            waited = True
            try:
                found = await asyncio.shield(running)
            except asyncio.CancelledError:
                if not running.cancelled():
                    raise
                continue
            if found.holds_at(ts) and found.slot in (SHARED, identity.cache_key):
                return found

    def read_query(
        self,
        path: str | FunctionPath,
        args: EncodedArguments,
        journal: str | None,
        component: str,
        public_only: bool,
    ) -> tuple[QueryKey, Arguments]:
        """What is asked. Raises `CallRefused` for arguments that are none, `BadRequest` for a bad path."""
        name = path if isinstance(path, FunctionPath) else parse_path(path)
        arguments = decode_arguments(args, self._runner.path_of(name))
        return QueryKey(component, name, arguments.json, journal, public_only), arguments

    def family(self, key: QueryKey, arguments: Arguments) -> QueryFamily:
        """The family of a query, made when it is asked for the first time."""
        family = self._families.get(key)
        if family is None:
            family = self._families[key] = QueryFamily(key, arguments)
        return family

    async def _execute(
        self, family: QueryFamily, slot: str, identity: Identity, ts: int, request: RequestContext
    ) -> CachedResult:
        run_key = (slot, ts)
        future: asyncio.Future[CachedResult] = asyncio.get_running_loop().create_future()
        family.runs[run_key] = future
        self.executions += 1
        try:
            key = family.key
            call = Call(key.name, family.arguments, identity, key.component, key.public_only, request)
            result = await self._runner.query(call, ts=ts, journal=key.journal)
            cached = self._keep(family, identity, result)
            future.set_result(cached)
            return cached
        except asyncio.CancelledError:
            future.cancel()
            raise
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # when nobody else waits, the error below is the only report
            raise
        finally:
            del family.runs[run_key]
            self._forget_if_empty(family)

    def _keep(self, family: QueryFamily, identity: Identity, result: FunctionResult) -> CachedResult:
        family.uses_identity = result.used_identity
        slot = identity.cache_key if result.used_identity else SHARED
        cached = CachedResult(result, family, slot)
        before = family.results.get(slot)
        if before is not None and before.result.ts > result.ts:
            cached.invalid_ts = result.ts + 1  # a look into the past: nobody else will want it
            return cached
        family.results[slot] = cached
        if before is not None and not before.holders:
            self._drop(before)
        self._subscribe(cached)
        if cached.invalid_ts is None:
            self._unheld[cached] = result.size
            self._unheld_bytes += result.size
            self._evict()
        return cached

    def _subscribe(self, cached: CachedResult) -> None:
        read_set = cached.result.read_set
        assert read_set is not None
        cached.token = self._database.subscriptions.subscribe(
            read_set, cached.result.ts, lambda ts: self._invalidate(cached, ts)
        )

    def _invalidate(self, cached: CachedResult, ts: int) -> None:
        cached.invalid_ts = ts
        self._remove_unheld(cached)
        holders, cached.holders = cached.holders, set()
        for holder in holders:
            holder.invalidated()
        if not holders:
            self._drop(cached)

    def _used(self, cached: CachedResult) -> None:
        if cached in self._unheld:
            self._unheld.move_to_end(cached)

    def hold(self, cached: CachedResult, holder: LiveQuery) -> bool:
        """Keep a result for as long as `holder` wants it; false when it does not hold any more."""
        if cached.token is None and cached.invalid_ts is None:
            self._subscribe(cached)  # it was dropped while the holder was being told of it
        if cached.invalid_ts is not None:
            return False
        cached.holders.add(holder)
        self._remove_unheld(cached)
        return True

    def release(self, cached: CachedResult, holder: LiveQuery) -> None:
        """The opposite of `hold`. A failure that nobody holds is forgotten: it is not for others."""
        cached.holders.discard(holder)
        if cached.holders:
            return
        is_newest = cached.family.results.get(cached.slot) is cached
        if cached.invalid_ts is not None or cached.result.error is not None or not is_newest:
            self._drop(cached)
        elif cached not in self._unheld:
            self._unheld[cached] = cached.result.size
            self._unheld_bytes += cached.result.size
            self._evict()

    def _evict(self) -> None:
        while self._unheld_bytes > self._capacity and self._unheld:
            cached = next(iter(self._unheld))
            self._drop(cached)

    def _remove_unheld(self, cached: CachedResult) -> None:
        size = self._unheld.pop(cached, None)
        if size is not None:
            self._unheld_bytes -= size

    def _drop(self, cached: CachedResult) -> None:
        self._remove_unheld(cached)
        if cached.token is not None:
            self._database.subscriptions.drop(cached.token)
            cached.token = None
        family = cached.family
        if family.results.get(cached.slot) is cached:
            del family.results[cached.slot]
        self._forget_if_empty(family)

    def _forget_if_empty(self, family: QueryFamily) -> None:
        if not family.results and not family.runs and self._families.get(family.key) is family:
            del self._families[family.key]
