"""The queries one socket holds, and how their results are found for a Transition.

A commit often touches a query that many sockets hold. Then one of them has it run, the others take the result
when it is there: that costs a run and a task once, and a function call for each of the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from parabola.functions.outcomes.failures import SYSTEM_ERROR_TEXT, FunctionFailure, new_request_id
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.served_backend import LiveQuery, ServedBackend
from parabola.server.sync.effects import POSTPONED, Evaluate, HeldQuery, QueryOutcome
from parabola.values.errors import ParabolaError, UserError

_FOLLOWERS_AT_A_TIME: Final = 50
"""So many sockets are served before others get a turn of the event loop."""

_log = logging.getLogger("parabola.sync")

Spawn = Callable[[Coroutine[Any, Any, None]], None]
Report = Callable[[Mapping[int, QueryOutcome] | BaseException], None]
RunKey = tuple[str, bytes, str, str | None, str, int]


class SharedRuns:
    """Queries that some socket has under way, and the others that wait for them."""

    __slots__ = ("_followers",)

    def __init__(self) -> None:
        self._followers: dict[RunKey, list[Callable[[], None]]] = {}

    def join(self, key: RunKey, follow: Callable[[], None]) -> bool:
        """Have ``follow`` called when the one who leads has run this; False when nobody does."""
        followers = self._followers.get(key)
        if followers is None:
            return False
        followers.append(follow)
        return True

    def lead(self, key: RunKey) -> None:
        """Run this for all who join, until ``end``."""
        self._followers[key] = []

    async def end(self, key: RunKey) -> None:
        """The run is over: let the others look."""
        followers = self._followers.pop(key)
        for at, follow in enumerate(followers, 1):
            try:
                follow()
            except Exception:
                _log.exception("A socket could not take a result")
            if at % _FOLLOWERS_AT_A_TIME == 0:
                await asyncio.sleep(0)


class LiveQueries:
    """The subscriptions of one socket.

    ``invalidated`` hears the id of a query whose result no longer holds; ``report`` gets the outcomes of each
    evaluation, or the error that is no query's own. At most ``at_once`` of them run at a time (sync-and-http
    1.6).
    """

    __slots__ = ("_at_once", "_backend", "_invalidated", "_lives", "_report", "_runs", "_spawn")

    def __init__(
        self,
        backend: ServedBackend,
        runs: SharedRuns,
        spawn: Spawn,
        invalidated: Callable[[int], None],
        report: Report,
        at_once: int,
    ) -> None:
        self._at_once = at_once
        self._backend = backend
        self._runs = runs
        self._spawn = spawn
        self._invalidated = invalidated
        self._report = report
        self._lives: dict[int, LiveQuery] = {}

    def evaluate(self, effect: Evaluate) -> None:
        """Let go of what is dropped, subscribe to what is new, and run the queries at the effect's
        timestamp."""
        lives = self._lives
        for query_id in effect.dropped:
            live = lives.pop(query_id, None)
            if live is not None:
                live.close()
        for query in effect.queries:
            if query.query_id not in lives:
                lives[query.query_id] = self._backend.live_query(
                    query.path,
                    query.args,
                    effect.identity,
                    journal=query.journal,
                    component=query.component,
                    on_invalid=partial(self._invalidated, query.query_id),
                )
        if len(effect.queries) == 1:
            self._evaluate_one(effect, effect.queries[0])
        elif effect.queries:
            self._spawn(self._evaluate_many(effect.queries, effect.ts))

    def close(self) -> None:
        """Let go of everything."""
        lives, self._lives = self._lives, {}
        for live in lives.values():
            with suppress(Exception):
                live.close()

    # ------------------------------------------------------------------ one query

    def _evaluate_one(self, effect: Evaluate, query: HeldQuery) -> None:
        caller = effect.identity.cache_key if query.used_identity else ""
        key = (query.path, query.args_json, query.component, query.journal, caller, effect.ts)
        if self._runs.join(key, partial(self._follow, query, effect.ts)):
            return
        if not self._report_if_known(query, effect.ts):
            self._runs.lead(key)
            self._spawn(self._lead(key, query, effect.ts))

    def _report_if_known(self, query: HeldQuery, ts: int) -> bool:
        result = self._lives[query.query_id].known_at(ts)
        if result is None:
            return False
        query.used_identity = result.used_identity
        self._report({query.query_id: result})
        return True

    async def _lead(self, key: RunKey, query: HeldQuery, ts: int) -> None:
        try:
            await self._run_one(query, ts)
        finally:
            await self._runs.end(key)

    def _follow(self, query: HeldQuery, ts: int) -> None:
        if query.query_id in self._lives and not self._report_if_known(query, ts):
            self._spawn(self._run_one(query, ts))

    async def _run_one(self, query: HeldQuery, ts: int) -> None:
        try:
            outcome = await self._outcome(query, ts)
        except Exception as error:
            self._fail(error)
        else:
            self._report({query.query_id: outcome})

    # ------------------------------------------------------------------ many at once

    async def _evaluate_many(self, queries: list[HeldQuery], ts: int) -> None:
        outcomes: dict[int, QueryOutcome] = {}
        waiting = []
        for query in queries:
            live = self._lives.get(query.query_id)
            known = None if live is None else live.known_at(ts)
            if known is None:
                waiting.append(query)
            else:
                outcomes[query.query_id] = known
        rest = iter(waiting)

        async def work() -> None:
            for query in rest:
                outcomes[query.query_id] = await self._outcome(query, ts)

        try:
            await asyncio.gather(*(work() for _ in range(min(len(waiting), self._at_once))))
        except Exception as error:
            self._fail(error)
        else:
            self._report(outcomes)

    async def _outcome(self, query: HeldQuery, ts: int) -> QueryOutcome:
        live = self._lives.get(query.query_id)
        if live is None:  # the socket has closed meanwhile
            return POSTPONED
        try:
            result = await live.result_at(ts)
        except UserError as error:
            return FunctionResult(error=FunctionFailure(error.message))
        except ParabolaError as error:
            if error.status == 500:
                raise
            _log.warning("%s is asked again later: %s", query.path, error.message)
            return POSTPONED
        except Exception:
            request_id = new_request_id()
            _log.exception("%s could not be run [Request ID: %s]", query.path, request_id)
            return FunctionResult(error=FunctionFailure(SYSTEM_ERROR_TEXT), request_id=request_id)
        query.used_identity = result.used_identity
        return result

    def _fail(self, error: Exception) -> None:
        _log.error("A query failed in a way that is not its own", exc_info=error)
        self._report(error)
