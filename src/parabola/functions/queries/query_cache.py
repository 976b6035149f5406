"""Results of queries: one execution for each distinct query, however many ask for it (semantics §6.2).

A query is what it calls (function, arguments, journal) plus who calls, as far as it looks at that. Until it
has run nobody knows whether it looks, so a `QueryFamily` holds what is the same for all callers: one shared
result if the last run did not read the identity, or one result for each identity if it did.

A `CachedResult` knows until when it holds: it is subscribed to what it read. Results that someone holds
(`LiveQuery`) stay; the others are kept in the order of their last use, up to a number of bytes. Who asks
while the query is under way waits for that run: the runs of the families are all the queries in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parabola.functions.calls.arguments import Arguments, EncodedArguments
from parabola.functions.calls.calling import Call, RequestContext
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.deployed.function_path import FunctionPath
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.queries.query_line import QueryLine
from parabola.functions.queries.rerun_watch import RerunWatch
from parabola.functions.system.registry import PREFIX

if TYPE_CHECKING:
    from parabola.database.commits.subscriptions import Token
    from parabola.database.database import Database
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.outcomes.audit_lines import AuditStatus
    from parabola.functions.queries.live_query import LiveQuery

__all__ = [
    "CLOCK_SECONDS",
    "SHARED",
    "CacheHits",
    "CachedResult",
    "QueryCache",
    "QueryFamily",
    "QueryKey",
    "QueryRun",
    "Told",
]

CLOCK_SECONDS: Final = 17.0
"""A result that saw the clock may be given to others for so long (js-runtime §5.1)."""
_FOLLOWERS_AT_A_TIME: Final = 50
"""So many are told of a result before others get a turn of the event loop."""

_DROPPED_AT_A_TIME: Final = 50

_MAX_FUNCTIONS: Final = 4096
"""Functions whose hits are counted."""
_MAX_SPELLINGS: Final = 8
"""Texts by which one query is known without reading them."""
_SMALL_ARGUMENTS: Final = 4096
"""Bytes of arguments up to which they are kept as they came and as values too, beside canonical text."""

_log: Final = logging.getLogger(__name__)


class QueryKey(NamedTuple):
    """What distinguishes queries, but for the identity. `args` are canonical JSON, or a text as it came."""

    component: str
    name: FunctionPath
    args: bytes
    journal: str | None
    public_only: bool


class CachedResult:
    """A result and the span of timestamps at which it holds."""

    __slots__ = ("age", "ahead", "family", "holders", "invalid_ts", "is_dropped", "result", "slot", "token")

    def __init__(self, result: FunctionResult, family: QueryFamily, slot: str) -> None:
        self.result = result
        self.family = family
        self.slot = slot
        self.invalid_ts: int | None = None
        """The first commit that touches what was read; `None` while there is none."""
        self.holders: set[LiveQuery] = set()
        self.token: Token | None = None
        self.ahead: QueryRun | None = None
        """The run that its holders will want when it has ended, begun before (`foresight`)."""
        self.is_dropped = False
        """Whether the cache keeps nothing of it any more."""
        self.age = 0
        """The age of the cache when somebody wanted it last."""

    def holds_at(self, ts: int) -> bool:
        """True when a run at `ts` would read the same."""
        return self.result.ts <= ts and (self.invalid_ts is None or ts < self.invalid_ts)

    def is_for(self, identity: Identity) -> bool:
        """True when this caller would get the same."""
        return self.slot in (SHARED, identity.cache_key)

    def has_old_clock(self) -> bool:
        """Of one that saw a clock: whether that is too old by now."""
        return time.monotonic() - self.result.executed_at >= CLOCK_SECONDS


Told = Callable[[CachedResult | BaseException], None]
"""Hears the result of a query, or why there is none."""

Follower = tuple[Identity, int, Told]
"""Who is told when a run has ended: a caller, and the timestamp that was asked for."""


SHARED: Final = ""
"""The slot of a result that did not look at the identity."""


class QueryRun:
    """A query under way at a timestamp: `future` is awaited, `followers` are called. One that was begun ahead
    is `confirmed` when its timestamp is durable and somebody may want it, or else will never have been.
    """

    __slots__ = ("confirmed", "family", "followers", "future", "slot", "ts")

    def __init__(
        self, family: QueryFamily, slot: str, ts: int, confirmed: asyncio.Future[bool] | None = None
    ) -> None:
        self.confirmed = confirmed
        self.family = family
        self.slot = slot
        self.ts = ts
        self.future: asyncio.Future[CachedResult] = asyncio.get_running_loop().create_future()
        self.followers: list[Follower] = []


class CacheHits:
    """How often results of one function were handed out without a run."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class QueryFamily:
    """One query as asked by everybody: its newest results and the runs in flight."""

    __slots__ = (
        "_args",
        "executions",
        "hits",
        "is_known",
        "key",
        "results",
        "runs",
        "spellings",
        "unchanged",
        "uses_identity",
    )

    def __init__(self, key: QueryKey, arguments: Arguments, hits: CacheHits) -> None:
        self.key = key
        self.hits = hits
        self.is_known = False
        """Whether the cache knows it: somebody holds a result of it, or waits for one."""
        self.executions = 0
        """How often it ran."""
        self.unchanged = 0
        """How many of these runs had the result of the one before."""
        is_small = len(key.args) <= _SMALL_ARGUMENTS
        self._args = EncodedArguments.of_value(arguments) if is_small else None
        self.results: dict[str, CachedResult] = {}
        self.runs: dict[tuple[str, int], QueryRun] = {}
        """Runs in flight by slot and timestamp."""
        self.spellings: list[QueryKey] = []
        """The texts by which it was asked for."""
        self.uses_identity: bool | None = None
        """What the last run showed; `None` before the first."""

    @property
    def args(self) -> EncodedArguments:
        """The arguments, for a run."""
        return self._args or EncodedArguments.of_text(self.key.args)

    @property
    def weight(self) -> int:
        """Bytes that it takes beside its results."""
        return len(self.key.args) + sum(len(spelled.args) for spelled in self.spellings)

    def find(self, identity: Identity, ts: int) -> CachedResult | None:
        """A result for this caller that holds at `ts`."""
        results = self.results
        cached = results.get(SHARED)
        if cached is not None:
            invalid_ts = cached.invalid_ts
            if (invalid_ts is None or ts < invalid_ts) and cached.result.ts <= ts:
                return cached
            if len(results) == 1:
                return None
        cached = results.get(identity.cache_key)
        return cached if cached is not None and cached.holds_at(ts) else None

    def slot_of(self, identity: Identity) -> str:
        """Where a run for this caller is entered."""
        return identity.cache_key if self.uses_identity else SHARED

    def find_run(self, identity: Identity, ts: int, *, or_earlier: bool) -> QueryRun | None:
        """The run at `ts` that is under way for this caller, or one at an earlier time whose result may hold
        then too.
        """
        slot = self.slot_of(identity)
        run = self.runs.get((slot, ts))
        if run is None and or_earlier:
            run = next((run for (other, at), run in self.runs.items() if other == slot and at < ts), None)
        return run


class QueryCache:
    """All results of one backend, and all its queries in flight. Results that nobody holds take at most
    `capacity` bytes.
    """

    def __init__(self, runner: FunctionRunner, database: Database, *, capacity: int, hosts: int = 1) -> None:
        self._runner = runner
        self._line = QueryLine(hosts)
        self._database = database
        self._capacity = capacity
        self._families: dict[QueryKey, QueryFamily] = {}
        self._spelled: dict[QueryKey, QueryFamily] = {}
        self._unheld: OrderedDict[CachedResult, int] = OrderedDict()
        self._unheld_bytes = 0
        self._age = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.executions = 0
        """Runs so far: what tests and metrics count."""
        self.reruns = RerunWatch(database.write_log)
        self.on_ended: Callable[[CachedResult, int], None] = lambda _cached, _ts: None
        """Called when the commit at a time has ended a result that somebody holds."""
        self.on_rerun: Callable[[QueryKey, int, bool], None] = lambda _key, _ended_ts, _changed: None
        """Called when a query has run again whose result the commit at a time has ended, and whether that has
        changed it.
        """
        self.hits: dict[tuple[str, FunctionPath], CacheHits] = {}
        """By component (its path) and function."""

    def held(self) -> Iterator[CachedResult]:
        """The results that somebody holds, in no order."""
        for family in self._families.values():
            for cached in family.results.values():
                if cached.holders:
                    yield cached

    def number_of_families(self) -> int:
        """How many distinct queries have a result here, or run."""
        return len(self._families)

    async def query(self, call: Call, *, ts: int | None = None, journal: str | None = None) -> FunctionResult:
        """The result at `ts`, or at the newest durable timestamp."""
        try:
            family = self.family(call, journal)
        except CallRefused as refusal:
            at = self._database.durable_ts if ts is None else ts
            return FunctionResult(error=refusal.failure, ts=at, request_id=call.request.request_id)
        ts = self._database.durable_ts if ts is None else ts
        cached = await self.result_at(family, call.identity, ts, call.request)
        if cached.result.error is not None and not cached.holders:
            self._drop(cached)
        self.handed_over(cached.result, call)
        return cached.result

    def handed_over(self, result: FunctionResult, call: Call) -> None:
        """A result goes to whoever made `call`: what its query wrote into the audit log is written for it."""
        if result.audit_lines:
            status: AuditStatus = "success" if result.error is None else "failure"
            self._runner.audit.hand_over(result.audit_lines, call, status)

    def family(self, call: Call, journal: str | None) -> QueryFamily:
        """The family of a query; a new one is known once something runs for it. Raises `CallRefused` for
        arguments that are none.
        """
        text = call.args.text
        spelled = None
        if text is not None:
            spelled = QueryKey(call.component, call.name, text, journal, call.public_only)
            family = self._spelled.get(spelled)
            if family is not None:
                return family
        arguments = call.args.decode(self._runner.path_of(call.name, call.component))
        key = QueryKey(call.component, call.name, arguments.json, journal, call.public_only)
        family = self._families.get(key)
        if family is None:
            family = QueryFamily(key, arguments, self._hits_of(key))
        if (
            spelled is not None
            and len(spelled.args) <= _SMALL_ARGUMENTS
            and len(family.spellings) < _MAX_SPELLINGS
        ):
            family.spellings.append(spelled)
            if key in self._families:
                self._spelled[spelled] = family
        return family

    async def result_at(
        self, family: QueryFamily, identity: Identity, ts: int, request: RequestContext | None = None
    ) -> CachedResult:
        """A result that holds at `ts`: a kept one, that of a run in flight, or that of a run started now."""
        waited = False
        while True:
            cached = self.known_at(family, identity, ts)
            if cached is not None:
                return cached
            run = family.find_run(identity, ts, or_earlier=not waited)
            if run is None:
                run = self._begin(family, identity, ts)
                return await self._execute(run, identity, request or RequestContext())
            waited = True
            try:
                found = await asyncio.shield(run.future)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._is_closed or not run.future.cancelled() or (task is not None and task.cancelling()):
                    raise
                continue
            if found.holds_at(ts) and found.is_for(identity):
                return found

    def known_at(self, family: QueryFamily, identity: Identity, ts: int) -> CachedResult | None:
        """What `result_at` would answer if nothing has to be run for it."""
        cached = family.find(identity, ts)
        if cached is None or (cached.result.used_clock and cached.has_old_clock()):
            return None
        family.hits.number += 1
        if cached in self._unheld:
            self._unheld.move_to_end(cached)
            cached.age = self._age
        return cached

    def _hits_of(self, key: QueryKey) -> CacheHits:
        """The count of a function. Callers can invent names: only so many have one of their own."""
        hits = self.hits
        found = hits.get((key.component, key.name))
        if found is None:
            found = CacheHits()
            if len(hits) < _MAX_FUNCTIONS:
                hits[key.component, key.name] = found
        return found

    def tell_at(
        self, family: QueryFamily, identity: Identity, ts: int, told: Told, or_earlier: bool = True
    ) -> None:
        """Have `told` called with what `result_at` would answer or raise, once, at once if it is known. Runs
        that began `or_earlier` may be waited for first: their result may hold at `ts` too.

        A thousand who ask for one query cost one run, and a function call each.
        """
        cached = self.known_at(family, identity, ts)
        if cached is not None:
            told(cached)
        else:
            self.follow(family, identity, ts, told, or_earlier)

    def follow(
        self, family: QueryFamily, identity: Identity, ts: int, told: Told, or_earlier: bool = True
    ) -> None:
        """The same where it is not known (`known_at`)."""
        run = family.runs.get((identity.cache_key if family.uses_identity else SHARED, ts))
        if run is None:
            run = family.find_run(identity, ts, or_earlier=or_earlier) or self._start(family, identity, ts)
        run.followers.append((identity, ts, told))

    # Runs

    def _begin(self, family: QueryFamily, identity: Identity, ts: int) -> QueryRun:
        run = QueryRun(family, family.slot_of(identity), ts)
        self._enter(run)
        return run

    def _enter(self, run: QueryRun) -> None:
        """Who asks finds the run from now on."""
        family = run.family
        family.runs[run.slot, run.ts] = run
        if family.key not in self._families:
            self._families[family.key] = family
            family.is_known = True
            for spelled in family.spellings:
                self._spelled[spelled] = family

    def _start(self, family: QueryFamily, identity: Identity, ts: int) -> QueryRun:
        """Begin a run that nobody awaits."""
        run = self._begin(family, identity, ts)
        before = family.results.get(run.slot)
        self._spawn_run(run, identity, is_rerun=before is not None and before.invalid_ts is not None)
        return run

    def _spawn_run(self, run: QueryRun, identity: Identity, *, is_rerun: bool) -> None:
        async def execute() -> None:
            with contextlib.suppress(Exception):  # those who follow are told
                await self._execute(run, identity, RequestContext(is_rerun=is_rerun))

        task = self._spawn(execute())
        task.add_done_callback(lambda _: self._end(run))  # also when it is cancelled before it begins

    def begin_ahead(self, cached: CachedResult, ts: int) -> QueryRun | None:
        """Begin the run at `ts`, which is about to be durable, that the holders of a result will ask for when
        they hear that it has ended; None where they may not. `drop_ahead` says when it is too late for them.
        """
        family, result = cached.family, cached.result
        holder = next(iter(cached.holders), None)
        if (
            holder is None
            or not holder.asks_again
            or cached.ahead is not None
            or family.runs
            or family.results.get(cached.slot) is not cached
            or family.slot_of(holder.identity) != cached.slot
            # What is asked for next is not of this family: a page that keeps its end from now on.
            or (result.error is None and result.journal != family.key.journal)
            or family.key.name.module.startswith(PREFIX)
        ):
            return None
        run = QueryRun(family, cached.slot, ts, asyncio.get_running_loop().create_future())
        cached.ahead = run
        self._spawn_run(run, holder.identity, is_rerun=True)
        return run

    def drop_ahead(self, cached: CachedResult, run: QueryRun) -> None:
        """Nobody can ask for a run any more that was begun ahead, unless somebody could already."""
        if cached.ahead is run:
            cached.ahead = None
        confirmed = run.confirmed
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(False)

    def _is_confirmed(self, run: QueryRun) -> None:
        """From now on a run that was begun ahead is in flight like any other."""
        confirmed = run.confirmed
        if confirmed is None or confirmed.done() or run.ts != self._database.durable_ts:
            return
        if (run.slot, run.ts) in run.family.runs:
            return
        self._enter(run)
        self._count(run.family)
        confirmed.set_result(True)

    def _count(self, family: QueryFamily) -> None:
        self.executions += 1
        family.executions += 1

    async def _execute(self, run: QueryRun, identity: Identity, request: RequestContext) -> CachedResult:
        family, key, confirmed = run.family, run.family.key, run.confirmed
        if confirmed is None:
            self._count(family)
        has_place = False

        def leave() -> None:
            nonlocal has_place
            if has_place:
                has_place = False
                self._line.leave()

        async def until_confirmed() -> bool:
            assert confirmed is not None
            leave()  # its host has done with it, and the disk may take its time
            return await confirmed

        try:
            if QueryLine.is_for(self._runner.active, key):
                has_place = await self._line.enter()
            call = Call(key.name, family.args, identity, key.component, key.public_only, request)
            try:
                result = await self._runner.query(
                    call,
                    ts=run.ts,
                    journal=key.journal,
                    confirmed=None if confirmed is None else until_confirmed,
                )
            except Exception:
                if confirmed is not None:
                    await until_confirmed()  # those who follow come with it
                raise
            cached = self._keep(family, identity, result)
            run.future.set_result(cached)
            return cached
        except asyncio.CancelledError:
            run.future.cancel()
            raise
        except BaseException as error:
            run.future.set_exception(error)
            run.future.exception()  # when nobody else waits, the error below is the only report
            raise
        finally:
            leave()
            self._end(run)

    def _end(self, run: QueryRun) -> None:
        """The run is over, if it was not before: tell those who follow it."""
        family = run.family
        if family.runs.get((run.slot, run.ts)) is not run:
            return
        del family.runs[run.slot, run.ts]
        run.future.cancel()  # does nothing where it has ended well
        followers, run.followers = run.followers, []
        if not followers:
            self._forget_if_empty(family)
            return
        future = run.future
        found: CachedResult | BaseException | None = None
        if not future.cancelled():
            error = future.exception()
            found = future.result() if error is None else error
        self._tell(family, followers[:_FOLLOWERS_AT_A_TIME], found)
        if len(followers) > _FOLLOWERS_AT_A_TIME:
            self._spawn(self._tell_the_rest(family, followers, found))
        else:
            self._forget_if_empty(family)  # not before: those who are told may ask again

    async def _tell_the_rest(
        self,
        family: QueryFamily,
        followers: list[Follower],
        found: CachedResult | BaseException | None,
    ) -> None:
        for start in range(_FOLLOWERS_AT_A_TIME, len(followers), _FOLLOWERS_AT_A_TIME):
            await asyncio.sleep(0)
            self._tell(family, followers[start : start + _FOLLOWERS_AT_A_TIME], found)
        self._forget_if_empty(family)

    def _tell(
        self, family: QueryFamily, followers: list[Follower], found: CachedResult | BaseException | None
    ) -> None:
        for identity, ts, told in followers:
            try:
                if type(found) is CachedResult:
                    is_newest = found.invalid_ts is None and found.result.ts <= ts
                    if (is_newest or found.holds_at(ts)) and (found.slot == SHARED or found.is_for(identity)):
                        told(found)
                    else:
                        self.tell_at(family, identity, ts, told, or_earlier=False)
                elif found is not None:
                    told(found)
                elif not self._is_closed:
                    self.tell_at(family, identity, ts, told, or_earlier=False)
            except Exception:
                _log.exception("One of those who wait for a query could not take its result")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self) -> None:
        """Stop the runs that nobody awaits."""
        self._is_closed = True
        for task in list(self._tasks):
            task.cancel()

    # Results

    def _keep(self, family: QueryFamily, identity: Identity, result: FunctionResult) -> CachedResult:
        family.uses_identity = result.used_identity
        slot = identity.cache_key if result.used_identity else SHARED
        cached = CachedResult(result, family, slot)
        before = family.results.get(slot)
        if before is not None and before.result.ts > result.ts:
            cached.invalid_ts = result.ts + 1  # a look into the past: nobody else will want it
            return cached
        family.results[slot] = cached
        if before is not None:
            is_same = before.result.value_json == result.value_json
            family.unchanged += is_same
            if before.invalid_ts is not None:
                self.on_rerun(family.key, before.invalid_ts, not is_same)
            if not before.holders:
                self._drop(before)
        self._subscribe(cached)
        if cached.invalid_ts is None:
            self._let_go(cached)
        return cached

    def _subscribe(self, cached: CachedResult) -> None:
        read_set = cached.result.read_set
        assert read_set is not None
        cached.is_dropped = False
        cached.token = self._database.subscriptions.subscribe(
            read_set, cached.result.ts, lambda ts: self._invalidate(cached, ts), cached
        )

    def _invalidate(self, cached: CachedResult, ts: int) -> None:
        cached.invalid_ts = ts
        self._remove_unheld(cached)
        if cached.holders:
            self.reruns.note(cached, ts)
            self.on_ended(cached, ts)
        holders, cached.holders = cached.holders, set()
        for holder in holders:
            holder.on_invalid()
        run, cached.ahead = cached.ahead, None
        if not holders:
            self._drop(cached)
        elif run is not None:
            self._is_confirmed(run)

    def hold(self, cached: CachedResult, holder: LiveQuery) -> bool:
        """Keep a result for as long as `holder` wants it; false when it does not hold any more."""
        if cached.token is None and cached.invalid_ts is None:
            self._subscribe(cached)  # it was dropped while the holder was being told of it
        if cached.invalid_ts is not None:
            return False
        if not cached.holders:
            self._remove_unheld(cached)
        cached.holders.add(holder)
        return True

    def release(self, cached: CachedResult, holder: LiveQuery) -> None:
        """The opposite of `hold`. A failure that nobody holds is forgotten: it is not for others."""
        cached.holders.discard(holder)
        if cached.holders or cached.is_dropped:
            return
        is_newest = cached.family.results.get(cached.slot) is cached
        if cached.invalid_ts is not None or cached.result.error is not None or not is_newest:
            self._drop(cached)
        elif cached not in self._unheld:
            self._let_go(cached)

    def _let_go(self, cached: CachedResult) -> None:
        """Nobody holds it: it is kept as long as there is room."""
        cached.age = self._age
        size = self._unheld[cached] = cached.result.size + cached.family.weight
        self._unheld_bytes += size
        while self._unheld_bytes > self._capacity and self._unheld:
            cached = next(iter(self._unheld))
            self._drop(cached)

    async def forget_unused(self) -> None:
        """Drop results that nobody holds and nobody has asked for since the last call."""
        self._age += 1
        dropped = 0
        while self._unheld and (oldest := next(iter(self._unheld))).age < self._age - 1:
            self._drop(oldest)
            dropped += 1
            if dropped % _DROPPED_AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _remove_unheld(self, cached: CachedResult) -> None:
        size = self._unheld.pop(cached, None)
        if size is not None:
            self._unheld_bytes -= size

    def _drop(self, cached: CachedResult) -> None:
        cached.is_dropped = True
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
            family.is_known = False
            for spelled in family.spellings:
                self._spelled.pop(spelled, None)
