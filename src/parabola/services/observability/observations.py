"""All that is counted of one deployment, in one place: what `/metrics` and the dashboards read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from parabola.functions.deployed.component_rows import recorded_components
from parabola.functions.deployed.deployment import KIND_TITLES
from parabola.functions.deployed.function_path import parse_path
from parabola.services.jobs.scheduled_jobs import overdue_seconds, pending_jobs
from parabola.services.observability.function_metrics import FunctionMetrics, NamedFunction
from parabola.services.observability.latencies import Latencies
from parabola.services.observability.minute_counts import MinuteCounts
from parabola.services.observability.rerun_metrics import RerunMetrics
from parabola.services.observability.table_metrics import TableMetrics
from parabola.services.retention import Retention
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.queries.query_cache import QueryKey

__all__ = ["DROPPED_EVENTS", "LAG", "Gauge", "Observations"]

_MINUTE: Final = 60.0
LAG: Final = "lag"
DROPPED_EVENTS: Final = "parabola_log_stream_dropped_events_total"
"""What log streams, which stand above, count of what they could not send."""


class Gauge(NamedTuple):
    """Something whose amount is known at any time. Counters only grow."""

    name: str
    text: str
    read: Callable[[], float | Mapping[str, float]]
    """The amount, or amounts by the value of `label`."""
    is_counter: bool = False
    label: str = ""


class Observations(Retention):
    """Counts what a runner's functions do, until closed. Each minute it takes over what is counted
    elsewhere.
    """

    def __init__(self, runner: FunctionRunner) -> None:
        super().__init__("observations", _MINUTE)
        database, cache = runner.database, runner.query_cache
        self._runner = runner
        self._database = database
        self.functions = FunctionMetrics(self._is_deployed)
        self.lost_races = database.lost_races
        self.wide_reads = runner.around.wide_reads
        self._commits = 0
        self.tables = TableMetrics(database)
        self.reruns = RerunMetrics(self._is_deployed)
        self.commit_seconds = Latencies()
        """From the place of a commit in the order until it is durable."""
        cache.on_ended = self.tables.note_ended
        cache.on_rerun = self._count_rerun
        self.job_lag: MinuteCounts[str] = MinuteCounts(max)
        """Seconds for which jobs are overdue, under `LAG`."""
        self.running: MinuteCounts[str] = MinuteCounts(max)
        """How many calls ran when it was looked at, by runtime and kind, such as `node:Action`."""
        self._undo = [runner.log.listen(self.functions.count), database.on_commit(self._count_commit)]
        self.gauges: list[Gauge] = [
            Gauge("parabola_commits_total", "Commits that are durable.", lambda: self._commits, True),
            Gauge(
                "parabola_commit_lane_total", "Turns of mutations that kept losing, alone.", self._lanes, True
            ),
            Gauge("parabola_query_runs_total", "Queries run, not answered from the cache.", self._runs, True),
            Gauge(
                "parabola_cached_queries",
                "Distinct queries whose results are kept.",
                cache.number_of_families,
            ),
        ]
        """Others may add theirs."""

    async def close(self) -> None:
        """Count nothing more."""
        for undo in self._undo:
            undo()
        await super().close()

    async def run_once(self) -> None:
        """Take over the hits of the query cache, and look at what runs and what is due, for the minute that
        is now.
        """
        self.catch_up()
        minute = self._minute()
        for place, number in Counter(map(_place, self._runner.running.places)).items():
            self.running.add(place, minute, float(number))
        self.job_lag.add(LAG, minute, await self.job_lag_seconds())

    def catch_up(self) -> None:
        """What is counted elsewhere, as it is now."""
        self.functions.count_hits(self._runner.query_cache.hits, self._minute())

    async def job_lag_seconds(self) -> float:
        """For how long the next scheduled function, of the app or a component, has been due; 0 if none is."""
        snapshot, now = self._database.begin(), self._database.now_ts()
        lag = 0.0
        for component_id in await recorded_components(snapshot):
            jobs = await pending_jobs(snapshot.view(component_id), 1, until_ns=now)
            lag = max(lag, overdue_seconds(jobs, now))
        return lag

    @property
    def runner(self) -> FunctionRunner:
        """What runs the functions that are counted."""
        return self._runner

    def _is_deployed(self, function: NamedFunction) -> bool:
        component = self._runner.active.deployment.component_at(function.component)
        if component is None:
            return False
        if function.kind == "HttpAction":
            method, _, path = function.name.partition(" ")
            return any(
                (route.route.method, route.route.path) == (method, path)
                for module in component.definition.modules.values()
                for route in (module.analyzed.http_routes if module.analyzed else None) or ()
            )
        try:
            return parse_path(function.name).canonical in component.definition.functions
        except BadRequest:
            return False

    def _count_commit(self, write_set: WriteSet, ts: int) -> None:
        self._commits += 1
        self.commit_seconds.add(self._seconds_since(ts))
        self.tables.note_commit(write_set, ts, self._minute())

    def _count_rerun(self, key: QueryKey, ended_ts: int, changed: bool) -> None:
        self.reruns.count(key, self._seconds_since(ended_ts), changed=changed)

    def _seconds_since(self, ts: int) -> float:
        return max(0.0, (self._database.now_ts() - ts) / 1e9)

    def _minute(self) -> int:
        """The minute that is now, since 1970."""
        return int(self._database.now_ts() // 60_000_000_000)

    def _lanes(self) -> float:
        return self.lost_races.lanes

    def _runs(self) -> float:
        return self._runner.query_cache.executions


def _place(place: tuple[str, str]) -> str:
    """Where a call runs, in the words of the official dashboard, which has none for Python."""
    runtime, kind = place
    return f"{'node' if runtime == 'node' else 'isolate'}:{KIND_TITLES[kind]}"
