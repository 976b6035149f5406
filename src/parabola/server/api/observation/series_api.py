"""The time series of dashboards. Imported with the first of them that is asked for."""

from __future__ import annotations

from typing import Any, Final, cast

import orjson
from aiohttp import web

from parabola.functions.deployed.function_path import parse_path
from parabola.server.api.observation.metrics_api import ObservedBackend
from parabola.server.http.credentials import require_admin
from parabola.services.observability.function_metrics import Metric, NamedFunction, Runs
from parabola.services.observability.minute_counts import MAX_NAMES
from parabola.services.observability.observations import LAG
from parabola.services.observability.time_series import (
    Point,
    Window,
    call_series,
    latency_series,
    share_series,
    top,
)
from parabola.values.errors import BadRequest

__all__ = ["SeriesApi"]

_METRICS: Final = ("invocations", "errors", "cacheHits", "cacheMisses", "rowsRead", "rowsWritten")
_MOST: Final = 50


class SeriesApi:
    """The endpoints below `/api/app_metrics`, by their names, bound to a backend."""

    def __init__(self, backend: ObservedBackend) -> None:
        self._backend = backend

    async def rate(self, request: web.Request) -> web.Response:
        """How often a function ran, failed, was answered from the cache or not."""
        runs = await self._runs(request)
        metric = request.query.get("metric", "invocations")
        if metric not in _METRICS:
            raise BadRequest(f"The metric must be one of {', '.join(_METRICS)}", code="BadQueryArgs")
        return _series(call_series(runs, cast(Metric, metric), _window(request)))

    async def cache_hits(self, request: web.Request) -> web.Response:
        """The share of calls of a query that were answered from the cache, of a hundred."""
        return _series(share_series(await self._runs(request), "cacheHits", _window(request)))

    async def latencies(self, request: web.Request) -> web.Response:
        """Percentiles of the time that runs took, in seconds: pairs of the percentile and its series."""
        runs, window = await self._runs(request), _window(request)
        percents = _json(request, "percentiles")
        if not isinstance(percents, list) or not all(isinstance(each, int | float) for each in percents):
            raise BadRequest("The percentiles must be a list of numbers", code="BadQueryArgs")
        return _answer([[each, _points(latency_series(runs, each, window))] for each in percents])

    async def most_failures(self, request: web.Request) -> web.Response:
        """The functions that failed most, with the share of calls that failed."""
        return await self._top(request, "errors", share_series)

    async def most_cached(self, request: web.Request) -> web.Response:
        """The queries that were answered from the cache least, with the share that was."""
        return await self._top(request, "cacheMisses", _share_cached)

    async def most_called(self, request: web.Request) -> web.Response:
        """The functions that were called most, with how often."""
        return await self._top(request, "invocations", call_series)

    async def most_invalidations(self, request: web.Request) -> web.Response:
        """Which mutations had live queries run again most, by writing into which table: under
        `mutation:table`, or under the table for one mutation, which the request names.
        """
        await require_admin(request, self._backend)
        window, most = _window(request), _number_of(request)
        path = request.query.get("path") or request.query.get("udfPath")
        writer = str(parse_path(path)) if path else None
        counts = self._backend.observations.tables.invalidations
        found = [name for name in counts.top(window, MAX_NAMES) if writer in (None, name.writer)]
        return _answer(
            [
                [
                    name.table if writer is not None else f"{name.writer}:{name.table}",
                    _points(counts.series(name, window)),
                ]
                for name in found[:most]
            ]
        )

    async def table_rate(self, request: web.Request) -> web.Response:
        """How many rows of a table were written. What is read is counted by function, not by table."""
        await require_admin(request, self._backend)
        window, name = _window(request), request.query.get("name")
        metric = request.query.get("metric", "rowsWritten")
        if not name or metric not in ("rowsRead", "rowsWritten"):
            raise BadRequest("Give ?name=TABLE and ?metric=rowsRead or rowsWritten", code="BadQueryArgs")
        if metric == "rowsRead":
            return _series([(start, None) for start, _ in window.divided(())])
        return _series(self._backend.observations.tables.rows_written.series(name, window))

    async def job_lag(self, request: web.Request) -> web.Response:
        """For how many seconds jobs have been due that have not begun; nothing where nobody has looked."""
        await require_admin(request, self._backend)
        lag = self._backend.observations.job_lag
        return _series(lag.series(LAG, _window(request), none=None))

    async def concurrency(self, request: web.Request) -> web.Response:
        """How many calls ran at a time, by runtime and kind, as it was each minute."""
        await require_admin(request, self._backend)
        running, window = self._backend.observations.running, _window(request)
        return _answer(
            {
                f"outstanding_functions:{name}:running": _points(running.series(name, window))
                for name in running.names()
            }
        )

    async def _top(self, request: web.Request, metric: Metric, series: Any) -> web.Response:
        await require_admin(request, self._backend)
        window, most = _window(request), _number_of(request)
        observations = self._backend.observations
        observations.catch_up()
        found = top(observations.functions.runs, metric, window, most)
        if series is _share_cached:
            found = [(function, runs) for function, runs in found if function.kind == "Query"]
        return _answer(
            [[_shown(function), _points(series(runs, metric, window))] for function, runs in found]
        )

    async def _runs(self, request: web.Request) -> Runs | None:
        """What the function did that the request names."""
        await require_admin(request, self._backend)
        observations = self._backend.observations
        observations.catch_up()
        component = request.query.get("componentPath", "")
        name, kind = request.query.get("path") or request.query.get("udfPath"), request.query.get("udfType")
        if not name:
            raise BadRequest("The request must name a function: ?path=module:name", code="BadQueryArgs")
        functions = observations.functions.runs
        if kind == "HttpAction":
            return functions.get(NamedFunction(component, name, "HttpAction"))
        path = str(parse_path(name))
        kinds = (kind,) if kind else ("Query", "Mutation", "Action")
        found = (functions.get(NamedFunction(component, path, each)) for each in kinds)
        return next((runs for runs in found if runs is not None), None)


def _share_cached(runs: Runs, _: Metric, window: Window) -> list[Point]:
    return share_series(runs, "cacheHits", window)


def _shown(function: NamedFunction) -> str:
    return f"{function.component}/{function.name}" if function.component else function.name


def _number_of(request: web.Request) -> int:
    """How many are asked for."""
    most = request.query.get("k", "5")
    if not most.isdecimal() or not 0 < int(most) <= _MOST:
        raise BadRequest(f"k must be a number from 1 to {_MOST}", code="BadQueryArgs")
    return int(most)


def _window(request: web.Request) -> Window:
    return Window.of(_json(request, "window"))


def _json(request: web.Request, name: str) -> Any:
    try:
        return orjson.loads(request.query.get(name, ""))
    except orjson.JSONDecodeError:
        raise BadRequest(f"?{name}= must be JSON", code="BadQueryArgs") from None


def _series(points: list[Point]) -> web.Response:
    return _answer(_points(points))


def _points(points: list[Point]) -> list[Any]:
    return [
        [{"secs_since_epoch": int(start), "nanos_since_epoch": int(start % 1 * 1e9)}, value]
        for start, value in points
    ]


def _answer(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
