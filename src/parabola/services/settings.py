"""What an operator may set about what runs beside requests: jobs, results, archives, uploads, packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parabola.values.limits import MIB

__all__ = ["ServiceSettings"]

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True)
class ServiceSettings:
    """The settings of one deployment's services. Times are seconds in which the server runs."""

    scheduled_mutations_at_once: int = 64
    """Scheduled mutations that run at a time; from 1. Client calls share the hosts with them."""
    crons_at_once: int = 16
    """Runs of crons at a time; from 1."""
    finished_jobs_seconds: float = 7 * _DAY
    """How long scheduled functions can be looked up after they have ended (semantics 7.3); from 1 minute."""
    cron_runs_kept: int = 5
    """Runs of each cron that can be looked up; from 1."""
    mutation_results_seconds: float = 14 * _DAY
    """How long a mutation that a client sends again takes no second effect (semantics 13); from 1 hour."""
    unchanged_results_seconds: float = _HOUR
    """The same for mutations that have written nothing; from 1 minute."""
    audit_lines_seconds: float = 90 * _DAY
    """How long lines of the audit log are kept; from 1 hour."""
    exports_seconds: float = 14 * _DAY
    """How long the archive of an export can be fetched (semantics 13); from 1 minute."""
    imports_seconds: float = 7 * _DAY
    """How long an import waits to be confirmed; from 1 hour."""
    max_file_bytes: int | None = None
    """Size of an uploaded file; from 1, None: any."""
    min_free_bytes: int = 256 * MIB
    """What uploads leave free on the disk of the data directory, which the database needs to go on writing,
    with its log and a checkpoint of it; 0: they may fill it."""
    upload_url_seconds: float = _HOUR
    """How long an upload URL is good (semantics 8); from 1 second."""
    open_telemetry: bool = False
    """Whether traces and logs are told by OpenTelemetry, as the standard's environment variables say."""
    event_files: Path | None = None
    """Where log streams to files go; None: the folder `events` of the data directory."""
    npm_install_seconds: float = 300.0
    """Time for installing the npm packages that a push names; from 1 second."""
    backup_to: str | None = None
    """Where the server keeps backups of itself, a directory or a URL such as `s3://bucket/prefix`."""
    backup_times: str = "03:00"
    """When: an hour of the day in UTC, or an interval such as `6h`; from 5 minutes."""
    backup_days: int = 14
    """For so many days the last backup of each is kept, and the log from the first of them on; from 1."""
    backup_weeks: int = 8
    """The same for weeks, without the log; from 0."""
    backup_without_log: bool = False
    """Whether there are backups alone, and no log of what is committed in between."""
