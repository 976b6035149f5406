"""Rows about cron jobs: what runs is in `_cron_jobs`, when in `_cron_next_run`, how it went lately in
`_cron_job_logs` (semantics 7.5). Times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from parabola.database.model.system_rows import SystemRow
from parabola.values.int64 import Int64

__all__ = [
    "JOBS",
    "LOGS",
    "NEXT_RUNS",
    "Canceled",
    "CronJobLog",
    "CronJobRow",
    "Failed",
    "LogLines",
    "LoggedResult",
    "NextRun",
    "StoredCronSpec",
    "Succeeded",
]

JOBS: Final = "_cron_jobs"
NEXT_RUNS: Final = "_cron_next_run"
LOGS: Final = "_cron_job_logs"


class StoredCronSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a job calls, with the JSON text of the list of its arguments, and when: the stored form of a
    schedule, for `parse_schedule`.
    """

    udf_path: str
    udf_args: str
    cron_schedule: Mapping[str, Any]


class CronJobRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_cron_jobs`."""

    name: str
    cron_spec: StoredCronSpec


class NextRun(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_cron_next_run`, one for each job; `prev_ts` is when the last run was planned for."""

    cron_job_id: str
    state: Literal["pending", "inProgress"]
    next_ts: Int64
    prev_ts: Int64 | UnsetType | None = UNSET
    node: str | UnsetType = UNSET
    """On which life of which node an action runs."""

    @property
    def due_ns(self) -> int:
        """When it is looked at next."""
        return int(self.next_ts)

    @property
    def last_ns(self) -> int | None:
        """When the last run was planned for, None before the first one."""
        return int(self.prev_ts) if isinstance(self.prev_ts, Int64) else None


class LoggedResult(Struct, frozen=True, kw_only=True):
    """The JSON text of a result, whole or its beginning."""

    type: Literal["default", "truncated"]
    value: str


class Succeeded(Struct, frozen=True, kw_only=True, tag_field="type", tag="success"):
    """How a run went: well."""

    result: LoggedResult


class Failed(Struct, frozen=True, kw_only=True, tag_field="type", tag="err"):
    """How a run went: not to its end."""

    error: str


class Canceled(Struct, frozen=True, kw_only=True, tag_field="type", tag="canceled"):
    """How runs went that were due while the server did not run: not at all."""

    num_canceled: float


class LogLines(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a run has logged, as far as there is room for it."""

    log_lines: tuple[str, ...]
    is_truncated: bool


class CronJobLog(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_cron_job_logs`. The execution time is in seconds."""

    name: str
    ts: Int64
    udf_path: str
    udf_args: str
    status: Succeeded | Failed | Canceled
    log_lines: LogLines
    execution_time: float
