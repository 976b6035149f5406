"""Counts for Prometheus, and the time series of dashboards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import web

from parabola.server.http.carried import RULES
from parabola.server.http.credentials import require_admin
from parabola.server.served_backend import ServedBackend
from parabola.services.observability.observations import Observations

__all__ = ["ObservedBackend", "routes"]

_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"
_SERIES: Final = {
    "udf_rate": "rate",
    "cache_hit_percentage": "cache_hits",
    "latency_percentiles": "latencies",
    "failure_percentage_top_k": "most_failures",
    "cache_hit_percentage_top_k": "most_cached",
    "function_call_count_top_k": "most_called",
    "subscription_invalidations_top_k": "most_invalidations",
    "table_rate": "table_rate",
    "scheduled_job_lag": "job_lag",
    "function_concurrency": "concurrency",
}
"""The endpoints below `/api/app_metrics`, and the methods of `SeriesApi` that answer them."""


class ObservedBackend(ServedBackend, Protocol):
    """A backend that counts what happens in it."""

    @property
    def observations(self) -> Observations: ...


def routes(backend: ObservedBackend) -> list[web.RouteDef]:
    """The endpoints. What answers them is imported with the first question: few servers are asked."""

    async def metrics(request: web.Request) -> web.Response:
        """All counts, for an administrator, or for everybody where the server is told so."""
        if not request.app[RULES].open_metrics:
            await require_admin(request, backend)
        from parabola.services.observability.exposition import exposition

        text = await exposition(backend.observations)
        return web.Response(body=text, headers={"Content-Type": _FORMAT})

    def series(method: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            from parabola.server.api.observation.series_api import SeriesApi

            handler: Callable[[web.Request], Awaitable[web.Response]] = getattr(SeriesApi(backend), method)
            return await handler(request)

        return answer

    charts = [web.get(f"/api/app_metrics/{name}", series(method)) for name, method in _SERIES.items()]
    return [web.get("/metrics", metrics), *charts]
