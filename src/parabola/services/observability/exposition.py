"""The counts of a deployment in the text format of Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from parabola.services.observability.latencies import BOUNDS, Latencies

if TYPE_CHECKING:
    from prometheus_client import Metric

    from parabola.services.observability.function_metrics import NamedFunction
    from parabola.services.observability.observations import Gauge, Observations

__all__ = ["exposition"]


class _Counted(NamedTuple):
    """What one function did, as it was at one moment."""

    function: NamedFunction
    cached: int
    ended: tuple[tuple[str, Latencies], ...]


async def exposition(observations: Observations) -> bytes:
    """All that is counted, as it is now. The text is written in a thread: with many functions it takes tens
    of milliseconds.
    """
    observations.catch_up()
    counted = [
        _Counted(
            function,
            runs.cached,
            tuple(
                (status, Latencies.merged([latencies]))
                for status, latencies in (("success", runs.ended_well), ("failure", runs.failed))
                if latencies.number
            ),
        )
        for function, runs in observations.functions.runs.items()
    ]
    conflicts = dict(observations.lost_races.numbers)
    gauges = [(gauge, gauge.read()) for gauge in (*observations.gauges, *await observations.sizes())]
    lag = await observations.job_lag_seconds()
    return await asyncio.to_thread(_text, counted, conflicts, gauges, lag)


class _Collector:
    """Hands families to the library that writes them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _text(
    counted: Iterable[_Counted],
    conflicts: dict[tuple[str, str], int],
    gauges: Iterable[tuple[Gauge, float]],
    lag: float,
) -> bytes:
    # Imported with the first look: it takes 11 MB and 50 ms.
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    names = ("component", "function", "kind")
    seconds = HistogramMetricFamily(
        "parabola_function_seconds", "How long functions took that ran.", labels=(*names, "status")
    )
    hits = CounterMetricFamily(
        "parabola_function_cache_hits", "Results of queries that were handed out without a run.", labels=names
    )
    lost = CounterMetricFamily(
        "parabola_mutation_conflicts",
        "Attempts that lost against another commit.",
        labels=("function", "table"),
    )
    for function, cached, ended in counted:
        labels = (function.component, function.name, function.kind.lower())
        if cached:
            hits.add_metric(labels, cached)
        for status, latencies in ended:
            seconds.add_metric((*labels, status), _buckets(latencies), latencies.seconds)
    for (function_name, table), number in conflicts.items():
        lost.add_metric((function_name, table), number)
    families: list[Metric] = [seconds, hits, lost]
    for gauge, amount in gauges:
        family = CounterMetricFamily if gauge.is_counter else GaugeMetricFamily
        families.append(family(gauge.name, gauge.text, value=amount))
    text = "For how long the next scheduled function has been due."
    families.append(GaugeMetricFamily("parabola_scheduler_lag_seconds", text, value=lag))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(families))
    return generate_latest(registry)


def _buckets(latencies: Latencies) -> list[tuple[str, float]]:
    """Each bound with how many did not exceed it."""
    reached, buckets = 0, []
    for bound, count in zip((*map(repr, BOUNDS), "+Inf"), latencies.counts, strict=True):
        reached += count
        buckets.append((bound, float(reached)))
    return buckets
