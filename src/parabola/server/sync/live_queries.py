"""The queries one socket holds, and how their results are found for a Transition.

A commit often touches a query that many sockets hold, and mostly one of each. So one query is told of (see
`LiveQuery.tell_at`) rather than awaited: it costs a function call for each socket, and no task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from parabola.functions.calls.calling import Call
from parabola.functions.outcomes.failures import SYSTEM_ERROR_TEXT, FunctionFailure, new_request_id
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.served_backend import LiveQuery, ServedBackend
from parabola.server.sync.effects import POSTPONED, Evaluate, HeldQuery, QueryOutcome
from parabola.values.errors import ParabolaError, UserError

__all__ = ["LiveQueries", "Report", "Spawn"]

_log: Final = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None]], None]
Report = Callable[[Mapping[int, QueryOutcome] | BaseException], None]
Answer = Callable[[HeldQuery, FunctionResult | BaseException], None]


class LiveQueries:
    """The subscriptions of one socket.

    `invalidated` hears the id of a query whose result no longer holds; `report` gets the outcomes of each
    evaluation, or the error that is no query's own; `answer` that of one that is run again by itself.
    At most `at_once` of them run at a time (sync-and-http 1.6).
    """

    __slots__ = ("_answer", "_at_once", "_backend", "_invalidated", "_lives", "_report", "_spawn")

    def __init__(
        self,
        backend: ServedBackend,
        spawn: Spawn,
        invalidated: Callable[[int], None],
        report: Report,
        answer: Answer,
        at_once: int,
    ) -> None:
        self._answer = answer
        self._at_once = at_once
        self._backend = backend
        self._spawn = spawn
        self._invalidated = invalidated
        self._report = report
        self._lives: dict[int, LiveQuery] = {}

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self._lives)

    def evaluate(self, effect: Evaluate) -> None:
        """Let go of what is dropped, subscribe to what is new, and run the queries at the effect's
        timestamp.
        """
        lives = self._lives
        for query_id in effect.dropped:
            live = lives.pop(query_id, None)
            if live is not None:
                live.close()
        for query in effect.queries:
            if query.query_id not in lives:
                lives[query.query_id] = self._backend.live_query(
                    Call.of_client(query.name, query.args, effect.identity, component=query.component),
                    journal=query.journal,
                    on_invalid=partial(self._invalidated, query.query_id),
                    asks_again=True,
                )
        if len(effect.queries) == 1:
            query = effect.queries[0]
            lives[query.query_id].tell_at(effect.ts, partial(self._told, query))
        elif effect.queries:
            self._spawn(self._evaluate_many(effect.queries, effect.ts))

    def run_again(self, query: HeldQuery, ts: int) -> None:
        """Run one that is subscribed at `ts`, after all that was evaluated before."""
        self._lives[query.query_id].tell_at(ts, partial(self._answer, query))

    def take(self, query: HeldQuery, found: FunctionResult | BaseException) -> None:
        """Report what `answer` was given."""
        self._told(query, found)

    def close(self) -> None:
        """Let go of everything."""
        lives, self._lives = self._lives, {}
        for live in lives.values():
            with suppress(Exception):
                live.close()

    def _told(self, query: HeldQuery, found: FunctionResult | BaseException) -> None:
        try:
            outcome = found if isinstance(found, FunctionResult) else _outcome_of(query, found)
        except Exception as error:
            self._fail(error)
        else:
            self._report({query.query_id: outcome})

    async def _evaluate_many(self, queries: list[HeldQuery], ts: int) -> None:
        outcomes: dict[int, QueryOutcome] = {}
        rest = iter(queries)

        async def work() -> None:
            for query in rest:
                outcomes[query.query_id] = await self._outcome(query, ts)

        try:
            await asyncio.gather(*(work() for _ in range(min(len(queries), self._at_once))))
        except Exception as error:
            self._fail(error)
        else:
            self._report(outcomes)

    async def _outcome(self, query: HeldQuery, ts: int) -> QueryOutcome:
        live = self._lives.get(query.query_id)
        if live is None:  # the socket has closed meanwhile
            return POSTPONED
        try:
            return await live.result_at(ts)
        except Exception as error:
            return _outcome_of(query, error)

    def _fail(self, error: Exception) -> None:
        _log.error("A query failed in a way that is not its own", exc_info=error)
        self._report(error)


def _outcome_of(query: HeldQuery, error: BaseException) -> QueryOutcome:
    """What becomes of a query that could not be run. Raises the error again if it is no query's own."""
    if isinstance(error, UserError):
        return FunctionResult(error=FunctionFailure(error.message))
    if isinstance(error, ParabolaError):
        if error.status == 500:
            raise error
        _log.warning("%s is asked again later: %s", query.name, error.message)
        return POSTPONED
    request_id = new_request_id()
    _log.error("%s could not be run [Request ID: %s]", query.name, request_id, exc_info=error)
    return FunctionResult(error=FunctionFailure(SYSTEM_ERROR_TEXT), request_id=request_id)
