"""What somebody should look at who looks after a deployment: what fails, what waits, what runs out."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parabola.database.model.shown_rows import ScheduledJob
from parabola.functions.deployed.cron_rows import JOBS as CRON_JOBS
from parabola.functions.deployed.cron_rows import LOGS, CronJobLog, CronJobRow, Failed
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.observability.observations import DROPPED_EVENTS
from parabola.values.sizes import humanize

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.snapshot import Snapshot
    from parabola.functions.deployed.deployment import Deployment
    from parabola.services.observability.observations import Observations
    from parabola.values.errors import ParabolaError

__all__ = ["Attention", "Looked"]

LAG_SECONDS: Final = 60.0
FREE_SHARE: Final = 0.1
FREE_BYTES: Final = 1024**3
FAILED_SHARE: Final = 0.05
FAILED_CALLS: Final = 5
"""A function that failed less often in the last hour is not worth a word."""
CONFLICTS: Final = 50
WIDE_ROWS: Final = 10_000
_JOBS: Final = "_scheduled_jobs"
_HOUR_MS: Final = 3_600_000
_MOST_COMPONENTS: Final = 50
_MOST_CRONS: Final = 200
_MOST_JOBS: Final = 200
_MOST_OF_A_KIND: Final = 5


@dataclass(frozen=True, slots=True)
class Looked:
    """One thing to look at. `page` of the dashboard says more; `level` is `bad` for what fails or is about
    to, `warn` for what could be better.
    """

    kind: str
    level: str
    text: str
    page: str

    def to_json(self) -> dict[str, str]:
        """As the dashboard reads it."""
        return {"kind": self.kind, "level": self.level, "text": self.text, "page": self.page}


class Attention:
    """Looks for it where it is asked; nothing is kept for it. `fault` is why the server
    serves nobody, `directory` holds the data.
    """

    def __init__(
        self,
        database: Database,
        deployment: Deployment,
        observations: Observations,
        fault: ParabolaError | None,
        directory: Path,
    ) -> None:
        self._database = database
        self._deployment = deployment
        self._observations = observations
        self._fault = fault
        self._directory = directory

    async def look(self) -> list[dict[str, str]]:
        """All of it, what fails first."""
        tx = self._database.begin()
        found = [
            *self._health(),
            *await self._disk(),
            *await self._lag(),
            *await self._crons(tx),
            *await self._jobs(tx),
            *self._failures(),
            *await self._streams(tx),
            *self._contention(),
            *self._wide_reads(),
            *self._unmounted(),
        ]
        return [each.to_json() for each in sorted(found, key=lambda each: each.level != "bad")]

    def _health(self) -> list[Looked]:
        fault = self._fault
        return [] if fault is None else [Looked("health", "bad", fault.message, "/")]

    async def _disk(self) -> list[Looked]:
        try:
            disk = await asyncio.to_thread(shutil.disk_usage, self._directory)
        except OSError:
            return []
        if disk.free >= FREE_BYTES and disk.free >= FREE_SHARE * disk.total:
            return []
        level = "bad" if disk.free < FREE_BYTES else "warn"
        text = f"{humanize(disk.free)} of {humanize(disk.total)} are free on the disk of the data."
        return [Looked("disk", level, text, "/")]

    async def _lag(self) -> list[Looked]:
        seconds = await self._observations.job_lag_seconds()
        if seconds < LAG_SECONDS:
            return []
        text = f"Scheduled functions are {seconds:,.0f} seconds late."
        return [Looked("lag", "bad", text, "/schedules")]

    async def _crons(self, tx: Snapshot) -> list[Looked]:
        found: list[Looked] = []
        for path, view in self._views(tx):
            for row in (await system_rows(view, CRON_JOBS))[:_MOST_CRONS]:
                name = CronJobRow.of(row).name
                newest = await view.query_system(_newest_run(name)).collect()
                status = CronJobLog.of(newest[0]).status if newest else None
                if isinstance(status, Failed):
                    text = (
                        f"The cron job {name}{_of(path)} failed when it ran last: {_first_line(status.error)}"
                    )
                    found.append(Looked("cron", "bad", text, "/schedules"))
        return found[:_MOST_OF_A_KIND]

    async def _jobs(self, tx: Snapshot) -> list[Looked]:
        since = self._database.now_ms() - _HOUR_MS
        failed: Counter[str] = Counter()
        for path, view in self._views(tx):
            for row in await view.query_system(_ended_since(since)).collect():
                job = ScheduledJob.of(row)
                if job.state.type == "failed":
                    failed[f"{parse_path(job.udf_path)}{_of(path)}"] += 1
        return [
            Looked("job", "bad", f"{_calls(number)} of {function} failed in the last hour.", "/schedules")
            for function, number in failed.most_common(_MOST_OF_A_KIND)
        ]

    def _failures(self) -> list[Looked]:
        self._observations.catch_up()
        last = self._database.now_ts() // 60_000_000_000
        found: list[tuple[int, int, str]] = []
        for function, runs in self._observations.functions.runs.items():
            minutes = list(runs.between(last - 59, last + 1))
            failed, calls = sum(each.failed for each in minutes), sum(each.runs for each in minutes)
            if failed >= FAILED_CALLS and failed >= FAILED_SHARE * calls:
                found.append((failed, calls, f"{function.name}{_of(function.component)}"))
        return [
            Looked(
                "failures", "bad", f"{name} failed {failed:,} of {calls:,} times in the last hour.", "/logs"
            )
            for failed, calls, name in sorted(found, reverse=True)[:_MOST_OF_A_KIND]
        ]

    async def _streams(self, tx: Snapshot) -> list[Looked]:
        found = []
        for row in await system_rows(tx, "_log_sinks"):
            status, config = row.value["status"], row.value["config"]
            if isinstance(status, Mapping) and status.get("type") == "failed":
                kind = config.get("type") if isinstance(config, Mapping) else None
                text = (
                    f"The log stream to {kind or 'somewhere'} has failed: {_first_line(status.get('reason'))}"
                )
                found.append(Looked("stream", "bad", text, "/settings"))
        for gauge in self._observations.gauges:
            if gauge.name == DROPPED_EVENTS and isinstance(dropped := gauge.read(), Mapping):
                for kind, number in dropped.items():
                    if number:
                        text = f"The log stream to {kind} has missed {number:,.0f} events since the start."
                        found.append(Looked("stream", "warn", text, "/settings"))
        return found

    def _contention(self) -> list[Looked]:
        since = self._database.now_ts() - _HOUR_MS * 1_000_000
        lost = Counter(
            (race.loser, race.table) for race in self._observations.lost_races.newest if race.ts >= since
        )
        return [
            Looked(
                "contention",
                "warn",
                f"{function or 'A mutation'} lost against others {number} times at {table or 'a table'} in "
                "the last hour, and ran again.",
                "/contention",
            )
            for (function, table), number in lost.most_common(_MOST_OF_A_KIND)
            if number >= CONFLICTS
        ]

    def _wide_reads(self) -> list[Looked]:
        since = self._database.now_ms() - _HOUR_MS
        found = [
            Looked(
                "scan",
                "warn",
                f"{reading.function}{_of(reading.component)} read {counts.read:,} rows of {reading.table} to "
                f"return {counts.returned:,}.",
                "/contention",
            )
            for reading, counts in sorted(
                self._observations.wide_reads.items(), key=lambda each: each[1].returned - each[1].read
            )
            if counts.newest_ms >= since and counts.read >= WIDE_ROWS and counts.read > counts.returned
        ]
        return found[:_MOST_OF_A_KIND]

    def _unmounted(self) -> list[Looked]:
        paths = sorted(
            each.path for each in self._deployment.components.values() if each.state == "unmounted"
        )
        if not paths:
            return []
        text = f"Components that are not mounted any more keep their data: {', '.join(paths[:20])}."
        return [Looked("unmounted", "warn", text, "/settings")]

    def _views(self, tx: Snapshot) -> list[tuple[str, Snapshot]]:
        """The app and its components, each with its path."""
        components = list(self._deployment.components.values())[:_MOST_COMPONENTS]
        return [("", tx), *((each.path, tx.view(each.id)) for each in components)]


def _of(component: str) -> str:
    return f" of {component}" if component else ""


def _calls(number: int) -> str:
    return "A scheduled call" if number == 1 else f"{number} scheduled calls"


def _first_line(text: object) -> str:
    return str(text or "").strip().partition("\n")[0][:200]


def _newest_run(name: str) -> dict[str, Any]:
    source = {
        "type": "IndexRange",
        "indexName": f"{LOGS}.by_name",
        "range": [{"type": "Eq", "fieldPath": "name", "value": name}],
        "order": "desc",
    }
    return {"source": source, "operators": [{"limit": 1}]}


def _ended_since(ms: float) -> dict[str, Any]:
    source = {
        "type": "IndexRange",
        "indexName": f"{_JOBS}.by_completed_ts",
        "range": [{"type": "Gte", "fieldPath": "completedTs", "value": ms}],
        "order": "desc",
    }
    return {"source": source, "operators": [{"limit": _MOST_JOBS}]}
