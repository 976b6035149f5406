"""The counts of a deployment in the text format of Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from parabola.services.observability.amounts import Amount, amounts
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


class _Counts(NamedTuple):
    """All that is counted, as it was at one moment: what a thread writes while counting goes on."""

    functions: list[_Counted]
    conflicts: dict[tuple[str, str], int]
    reruns: dict[tuple[NamedFunction, bool], int]
    invalidation: Latencies
    commits: Latencies
    gauges: list[tuple[Gauge, float | Mapping[str, float]]]
    amounts: list[Amount]


async def exposition(observations: Observations) -> bytes:
    """All that is counted, as it is now. The text is written in a thread: with many functions it takes tens
    of milliseconds.
    """
    found = await amounts(observations.runner)
    observations.catch_up()
    counts = _Counts(
        functions=[
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
        ],
        conflicts=dict(observations.lost_races.numbers),
        reruns=dict(observations.reruns.numbers),
        invalidation=Latencies.merged([observations.reruns.lag]),
        commits=Latencies.merged([observations.commit_seconds]),
        gauges=[(gauge, gauge.read()) for gauge in observations.gauges],
        amounts=found,
    )
    return await asyncio.to_thread(_text, counts)


class _Collector:
    """Hands families to the library that writes them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _text(counts: _Counts) -> bytes:
    # Imported with the first look: it takes 11 MB and 50 ms.
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        _Collector([*_of_functions(counts), *_of_commits(counts), *_of_gauges(counts), *_of_amounts(counts)])
    )
    return generate_latest(registry)


def _of_functions(counts: _Counts) -> list[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    names = ("component", "function", "kind")
    seconds = HistogramMetricFamily(
        "parabola_function_seconds", "How long functions took that ran.", labels=(*names, "status")
    )
    hits = CounterMetricFamily(
        "parabola_function_cache_hits", "Results of queries that were handed out without a run.", labels=names
    )
    reruns = CounterMetricFamily(
        "parabola_reruns",
        "Queries that ran again for those who follow them, and whether the result was another one.",
        labels=("component", "function", "changed"),
    )
    for function, cached, ended in counts.functions:
        labels = (function.component, function.name, function.kind.lower())
        if cached:
            hits.add_metric(labels, cached)
        for status, latencies in ended:
            seconds.add_metric((*labels, status), _buckets(latencies), latencies.seconds)
    for (function, changed), number in counts.reruns.items():
        reruns.add_metric((function.component, function.name, str(changed).lower()), number)
    return [seconds, hits, reruns]


def _of_commits(counts: _Counts) -> list[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    lost = CounterMetricFamily(
        "parabola_mutation_conflicts",
        "Attempts that lost against another commit.",
        labels=("function", "table"),
    )
    for (function_name, table), number in counts.conflicts.items():
        lost.add_metric((function_name, table), number)
    commits = HistogramMetricFamily(
        "parabola_commit_seconds",
        "From the place of a commit in the order until it was durable and told.",
        buckets=_buckets(counts.commits),
        sum_value=counts.commits.seconds,
    )
    lag = HistogramMetricFamily(
        "parabola_invalidation_seconds",
        "From a commit that ended the result of a followed query until there was a new one.",
        buckets=_buckets(counts.invalidation),
        sum_value=counts.invalidation.seconds,
    )
    return [lost, commits, lag]


def _of_gauges(counts: _Counts) -> list[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    families: list[Metric] = []
    for gauge, value in counts.gauges:
        family = CounterMetricFamily if gauge.is_counter else GaugeMetricFamily
        if isinstance(value, Mapping):
            labelled = family(gauge.name, gauge.text, labels=(gauge.label,))
            for label, each in value.items():
                labelled.add_metric((label,), each)
            families.append(labelled)
        else:
            families.append(family(gauge.name, gauge.text, value=value))
    return families


def _of_amounts(counts: _Counts) -> Iterable[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    families: dict[str, GaugeMetricFamily] = {}
    for amount in counts.amounts:
        family = families.get(amount.name)
        if family is None:
            family = GaugeMetricFamily(amount.name, amount.text, labels=tuple(amount.labels))
            families[amount.name] = family
        family.add_metric(tuple(amount.labels.values()), amount.value)
    return families.values()


def _buckets(latencies: Latencies) -> list[tuple[str, float]]:
    """Each bound with how many did not exceed it."""
    reached, buckets = 0, []
    for bound, count in zip((*map(repr, BOUNDS), "+Inf"), latencies.counts, strict=True):
        reached += count
        buckets.append((bound, float(reached)))
    return buckets
