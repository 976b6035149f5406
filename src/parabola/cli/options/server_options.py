"""The options of the commands that start a server: one row each, from which all else follows.

The flag, the environment variable, the key in a configuration file, `--help` and `docs/reference/settings.md`
come from here; ranges and what a value changes stand with the fields that it sets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from parabola.cli.options.option_kinds import (
    BACKUP_TIMES,
    COUNT,
    FILE,
    FOLDER,
    PORT,
    SIZE,
    SWITCH,
    TEXT,
    TIME,
    Kind,
    choice,
)
from parabola.cli.server.server_log import LogFormat
from parabola.database.settings import DatabaseSettings
from parabola.functions.settings import FunctionSettings
from parabola.server.settings import ServerSettings
from parabola.services.settings import ServiceSettings

__all__ = ["OPTIONS", "ServerOption", "ServerOptions", "options_from"]


class ServerOptions(Struct, frozen=True):
    """Where to listen, where the data is, who the deployment is, and the settings of every floor.

    Origins are its public URLs, behind a proxy; `None` stands for what follows from the rest.
    """

    host: str = "127.0.0.1"
    port: int = 3210
    site_port: int = 3211
    data_dir: Path = Path(".parabola")
    instance_name: str | None = None
    instance_secret: str | None = None
    instance_secret_file: Path | None = None
    cloud_origin: str | None = None
    site_origin: str | None = None
    files_origin: str | None = None
    trusted_proxies: str = "127.0.0.0/8,::1"
    public: Path | None = None
    database_address: str | None = None
    database_address_file: Path | None = None
    node: str | None = None
    file_storage: str | None = None
    file_storage_credentials: Path | None = None
    redact_logs_to_client: bool = False
    log_format: str = LogFormat.text.value
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    functions: FunctionSettings = field(default_factory=FunctionSettings)
    services: ServiceSettings = field(default_factory=ServiceSettings)
    server: ServerSettings = field(default_factory=ServerSettings)


DEFAULTS: Final = ServerOptions()

NETWORK: Final = "Network"
DEPLOYMENT: Final = "Deployment"
FILES: Final = "Data and files"
CLIENTS: Final = "Requests and clients"
TIMES: Final = "Time of functions"
CONCURRENCY: Final = "Concurrency and processes"
CACHES: Final = "Caches"
RETENTION: Final = "Retention"
BACKUPS: Final = "Backups"
UPKEEP: Final = "Upkeep and shutdown"

DAY: Final = 24 * 3600.0
KB, MB, GB, TB = 2**10, 2**20, 2**30, 2**40


class ServerOption(Struct, frozen=True):
    """One option. `place` is the field that it sets, such as `functions.hosts`."""

    name: str
    """The flag without its dashes, and the key in a configuration file."""
    place: str
    group: str
    kind: Kind
    help: str
    least: float | None = None
    most: float | None = None
    unset: str | None = None
    """What holds while it is not given, in words, for those whose default is no value."""
    variable: str = ""
    is_secret: bool = False
    in_dev: bool = True
    """Whether `parabola dev` has it too."""

    @property
    def parameter(self) -> str:
        """The name in Python."""
        return self.name.replace("-", "_")

    @property
    def environment(self) -> str:
        """The environment variable."""
        return self.variable or f"PARABOLA_{self.parameter.upper()}"

    @property
    def default(self) -> Any:
        """What holds while it is not given; None where that follows from the rest."""
        if self.unset is not None:
            return None
        value: Any = DEFAULTS
        for part in self.place.split("."):
            value = getattr(value, part)
        return value

    @property
    def shown_default(self) -> str:
        """The default for people."""
        return self.unset if self.unset is not None else self.kind.write(self.default)

    @property
    def range(self) -> str:
        """The values it takes, for people; empty where all are taken."""
        if self.least is None:
            return ""
        least = self.kind.write(self.least)
        return f"{least} or more" if self.most is None else f"{least} to {self.kind.write(self.most)}"

    def read(self, text: str) -> Any:
        """The value in a text. Raises `ValueError` with what to write instead."""
        value = self.kind.read(text)
        below = self.least is not None and value < self.least
        if below or (self.most is not None and value > self.most):
            raise ValueError(f"give {self.range}")
        return value


def _rows() -> Iterator[ServerOption]:
    def row(*args: Any, **more: Any) -> ServerOption:
        return ServerOption(*args, **more)

    yield row("host", "host", NETWORK, TEXT, "The address to listen on.")
    yield row("port", "port", NETWORK, PORT, "The port of the deployment; 0 takes a free one.", 0, 65535)
    yield row(
        "site-port", "site_port", NETWORK, PORT, "The port of HTTP actions; 0 takes a free one.", 0, 65535
    )
    yield row(
        "cloud-origin",
        "cloud_origin",
        NETWORK,
        TEXT,
        "The URL by which clients reach the deployment, behind a proxy.",
        unset="where it listens",
        variable="CONVEX_CLOUD_ORIGIN",
        in_dev=False,
    )
    yield row(
        "site-origin",
        "site_origin",
        NETWORK,
        TEXT,
        "The URL by which clients reach HTTP actions, behind a proxy.",
        unset="where it listens",
        variable="CONVEX_SITE_ORIGIN",
        in_dev=False,
    )
    yield row(
        "files-origin",
        "files_origin",
        NETWORK,
        TEXT,
        "The origin that serves stored files, such as https://files.my-app.com.",
        unset="that of the deployment",
        in_dev=False,
    )
    yield row(
        "trusted-proxies",
        "trusted_proxies",
        NETWORK,
        TEXT,
        "Addresses and networks, with commas, whose X-Forwarded-For and -Proto headers are believed.",
        in_dev=False,
    )
    yield row(
        "public",
        "public",
        NETWORK,
        FOLDER,
        "A directory with a built front end to serve beside the API.",
        unset="none",
    )

    yield row(
        "instance-name",
        "instance_name",
        DEPLOYMENT,
        TEXT,
        "The deployment's name.",
        unset="kept with the data",
        variable="INSTANCE_NAME",
    )
    yield row(
        "instance-secret",
        "instance_secret",
        DEPLOYMENT,
        TEXT,
        "64 hex characters that admin keys are made with.",
        unset="made once and kept with the data",
        variable="INSTANCE_SECRET",
        is_secret=True,
    )
    yield row(
        "instance-secret-file",
        "instance_secret_file",
        DEPLOYMENT,
        FILE,
        "A file with the instance secret and nothing else, such as /run/secrets/instance_secret.",
        unset="none",
    )
    yield row(
        "redact-logs-to-client",
        "redact_logs_to_client",
        DEPLOYMENT,
        SWITCH,
        "Hide log lines and the texts of errors from clients, all but the data of a ConvexError.",
        variable="REDACT_LOGS_TO_CLIENT",
        in_dev=False,
    )

    yield row(
        "open-metrics",
        "server.open_metrics",
        DEPLOYMENT,
        SWITCH,
        "Let everybody who reaches the server read /metrics, which has the names of functions and tables.",
        in_dev=False,
    )
    yield row(
        "otel",
        "services.open_telemetry",
        DEPLOYMENT,
        SWITCH,
        "Tell traces and logs of functions by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says.",
    )
    yield row(
        "log-format",
        "log_format",
        DEPLOYMENT,
        choice(*LogFormat),
        "How the server writes what happens on standard output: lines of text, or JSON.",
        in_dev=False,
    )

    yield row(
        "event-files",
        "services.event_files",
        FILES,
        FOLDER,
        "Where log streams of the kind `file` are written.",
        unset="the folder events of the data directory",
    )
    yield row("data", "data_dir", FILES, FOLDER, "Where the data is kept.", unset="the folder .parabola")
    yield row(
        "database",
        "database_address",
        FILES,
        TEXT,
        "The log that several servers share, such as postgresql://user@host/database.",
        unset="none: the server is alone",
        in_dev=False,
    )
    yield row(
        "database-file",
        "database_address_file",
        FILES,
        FILE,
        "A file with that address and nothing else, for one with a password in it.",
        unset="none",
        in_dev=False,
    )
    yield row(
        "node",
        "node",
        FILES,
        TEXT,
        "The name of this server among those that share a log.",
        unset="none",
        in_dev=False,
    )
    yield row(
        "file-storage",
        "file_storage",
        FILES,
        TEXT,
        "The object store that keeps uploaded files, such as s3://bucket/prefix.",
        unset="the data directory",
        in_dev=False,
    )
    yield row(
        "file-storage-credentials",
        "file_storage_credentials",
        FILES,
        FILE,
        "A file like .env with the variables of the object store, such as AWS_ACCESS_KEY_ID.",
        unset="the environment",
        in_dev=False,
    )
    yield row(
        "max-file-size",
        "services.max_file_bytes",
        FILES,
        SIZE,
        "The largest file that may be uploaded, such as 500MB.",
        1,
        unset="any size",
    )
    yield row(
        "min-free-disk",
        "services.min_free_bytes",
        FILES,
        SIZE,
        "Uploads are refused when they would leave less of the disk free; 0: never.",
        0,
    )
    yield row(
        "uploads-per-url",
        "server.uploads_per_token",
        FILES,
        COUNT,
        "Files that are received at a time with one upload URL; others wait.",
        1,
    )
    yield row(
        "waiting-uploads",
        "server.waiting_uploads",
        FILES,
        COUNT,
        "Files that may wait so with one upload URL; more get status 503.",
        0,
    )
    yield row(
        "upload-url-lifetime",
        "services.upload_url_seconds",
        FILES,
        TIME,
        "How long an upload URL is good.",
        1,
        30 * DAY,
    )

    yield row(
        "max-request-memory",
        "server.request_memory",
        CLIENTS,
        SIZE,
        "Memory that reading from all clients may take at a time; beyond it they get status 503.",
        MB,
    )
    yield row(
        "header-timeout",
        "server.header_seconds",
        CLIENTS,
        TIME,
        "Time that the headers of a request, or the first message of a socket, may take.",
        0.1,
    )
    yield row(
        "body-timeout",
        "server.body_seconds",
        CLIENTS,
        TIME,
        "Time after which a client that has sent or taken less than the rate below is let go.",
        0.1,
    )
    yield row(
        "min-body-rate",
        "server.body_rate",
        CLIENTS,
        COUNT,
        "Bytes a second that a client must send, or take.",
        0,
    )
    yield row(
        "stall-timeout",
        "server.stall_seconds",
        CLIENTS,
        TIME,
        "How long a client of an HTTP action may neither send nor take anything.",
        0.1,
    )
    yield row(
        "silence-timeout",
        "server.silence_seconds",
        CLIENTS,
        TIME,
        "How long a client of a socket, which is pinged every 5 seconds, may be silent.",
        15,
    )
    yield row(
        "queries-per-client",
        "server.queries_per_client",
        CLIENTS,
        COUNT,
        "Queries of one socket that run at a time.",
        1,
        10_000,
    )
    yield row(
        "waiting-mutations",
        "server.waiting_mutations",
        CLIENTS,
        COUNT,
        "Mutations of one socket that may wait; with more it is closed.",
        1,
        1_000_000,
    )
    yield row(
        "running-actions",
        "server.running_actions",
        CLIENTS,
        COUNT,
        "Actions of one socket that may run or wait; with more it is closed.",
        1,
        1_000_000,
    )

    yield row(
        "user-time",
        "functions.user_seconds",
        TIMES,
        TIME,
        "Processor time of a query or mutation with all it calls.",
        0.1,
        600,
    )
    yield row(
        "system-time",
        "functions.system_seconds",
        TIMES,
        TIME,
        "Time that a query or mutation may take in all, its own code and the database.",
        1,
        3600,
    )
    yield row(
        "action-time",
        "functions.action_seconds",
        TIMES,
        TIME,
        "Time of an action, in Python and the default runtime of TypeScript.",
        1,
        7 * DAY,
    )
    yield row(
        "node-action-time",
        "functions.node_action_seconds",
        TIMES,
        TIME,
        'Time of an action in a module with "use node".',
        1,
        7 * DAY,
    )
    yield row(
        "import-time",
        "functions.import_seconds",
        TIMES,
        TIME,
        "Time for loading the modules in a process, and for analysing one of them.",
        1,
        3600,
    )
    yield row(
        "npm-install-time",
        "services.npm_install_seconds",
        TIMES,
        TIME,
        "Time for installing the npm packages that a push names.",
        1,
        3600,
    )

    yield row(
        "host-processes",
        "functions.hosts",
        CONCURRENCY,
        COUNT,
        "The most processes for queries and mutations, for each runtime.",
        1,
        1024,
        unset="one for each processor",
    )
    yield row(
        "least-host-processes",
        "functions.least_hosts",
        CONCURRENCY,
        COUNT,
        "How many of them there are while there is little to do.",
        1,
        1024,
    )
    yield row(
        "calls-per-host",
        "functions.calls_per_host",
        CONCURRENCY,
        COUNT,
        "Queries and mutations in flight in one process; more wait.",
        1,
        10_000,
    )
    yield row(
        "call-wait",
        "functions.call_wait_seconds",
        CONCURRENCY,
        TIME,
        "How long one waits for a process before it is refused.",
        0.1,
        600,
    )
    yield row(
        "spare-hosts",
        "functions.spare_hosts",
        CONCURRENCY,
        COUNT,
        "Processes for queries and mutations that stand by, for each runtime that is in use.",
        0,
        1,
    )
    yield row(
        "actions-at-once",
        "functions.actions_at_once",
        CONCURRENCY,
        COUNT,
        "Actions that run at a time, for each runtime; three quarters may be scheduled ones.",
        1,
        10_000,
    )
    yield row(
        "action-wait",
        "functions.action_wait_seconds",
        CONCURRENCY,
        TIME,
        "How long an action waits for others to end before it is refused.",
        0.1,
        600,
    )
    yield row(
        "spare-action-hosts",
        "functions.spare_action_hosts",
        CONCURRENCY,
        COUNT,
        "Processes for actions that stand by, for each runtime with actions.",
        0,
        64,
    )
    yield row(
        "action-idle",
        "functions.action_idle_seconds",
        CONCURRENCY,
        TIME,
        "How long another process for actions is kept that none needs.",
        1,
        DAY,
    )
    yield row(
        "host-memory",
        "functions.host_memory_bytes",
        CONCURRENCY,
        SIZE,
        "Memory of one process with functions, beyond which it is ended; the heap of Node.js is half of it.",
        128 * MB,
        TB,
    )
    yield row(
        "scheduled-mutations",
        "services.scheduled_mutations_at_once",
        CONCURRENCY,
        COUNT,
        "Scheduled mutations that run at a time.",
        1,
        10_000,
    )
    yield row(
        "crons-at-once",
        "services.crons_at_once",
        CONCURRENCY,
        COUNT,
        "Runs of crons at a time.",
        1,
        1000,
    )

    yield row(
        "query-cache",
        "functions.query_cache_bytes",
        CACHES,
        SIZE,
        "Memory for results of queries that nobody watches.",
        0,
        TB,
    )
    yield row(
        "document-cache",
        "database.document_cache_bytes",
        CACHES,
        SIZE,
        "Memory for documents read lately.",
        MB,
        TB,
    )
    yield row(
        "page-cache",
        "database.page_cache_bytes",
        CACHES,
        SIZE,
        "Memory for pages of the database file read lately.",
        MB,
        TB,
    )
    yield row(
        "recent-commits",
        "database.recent_commits_bytes",
        CACHES,
        SIZE,
        "Memory for the keys of the commits of the last minutes, against which transactions are checked.",
        MB,
        TB,
    )
    yield row(
        "log-entries",
        "functions.log_entries",
        CACHES,
        COUNT,
        "Executions whose log can be read, in memory.",
        1,
        10_000_000,
    )

    yield row(
        "log-history",
        "functions.log_history_bytes",
        RETENTION,
        SIZE,
        "What the log of functions may take in the data directory, where it is kept over restarts; 0: none.",
        0,
        TB,
    )
    yield row(
        "keep-history",
        "database.history_seconds",
        RETENTION,
        TIME,
        "How long what is overwritten or deleted stays in the file.",
        300,
        365 * DAY,
    )
    yield row(
        "keep-mutation-results",
        "services.mutation_results_seconds",
        RETENTION,
        TIME,
        "How long a mutation that a client sends again takes no second effect.",
        3600,
        365 * DAY,
    )
    yield row(
        "keep-audit-log",
        "services.audit_lines_seconds",
        RETENTION,
        TIME,
        "How long the lines that functions write into the audit log are kept.",
        3600,
        10 * 365 * DAY,
    )
    yield row(
        "keep-unchanged-results",
        "services.unchanged_results_seconds",
        RETENTION,
        TIME,
        "The same for mutations that have written nothing.",
        60,
        365 * DAY,
    )
    yield row(
        "keep-finished-jobs",
        "services.finished_jobs_seconds",
        RETENTION,
        TIME,
        "How long scheduled functions can be looked up after they have ended.",
        60,
        365 * DAY,
    )
    yield row(
        "keep-cron-runs",
        "services.cron_runs_kept",
        RETENTION,
        COUNT,
        "Runs of each cron that can be looked up.",
        1,
        1000,
    )
    yield row(
        "keep-exports",
        "services.exports_seconds",
        RETENTION,
        TIME,
        "How long the archive of an export can be fetched.",
        60,
        365 * DAY,
    )
    yield row(
        "keep-imports",
        "services.imports_seconds",
        RETENTION,
        TIME,
        "How long an import waits to be confirmed.",
        3600,
        365 * DAY,
    )

    yield row(
        "backup-to",
        "services.backup_to",
        BACKUPS,
        TEXT,
        "Where the server keeps backups of itself: a directory, or a URL such as s3://bucket/prefix.",
        unset="none are made",
    )
    yield row(
        "backup-times",
        "services.backup_times",
        BACKUPS,
        BACKUP_TIMES,
        "When it makes them: an hour of the day in UTC, such as 03:00, or an interval, such as 6h.",
    )
    yield row(
        "backup-days",
        "services.backup_days",
        BACKUPS,
        COUNT,
        "For so many days the last backup of each is kept, and any moment since the first can be restored.",
        1,
        10_000,
    )
    yield row(
        "backup-weeks",
        "services.backup_weeks",
        BACKUPS,
        COUNT,
        "For so many weeks the last backup of each is kept besides.",
        0,
        1_000,
    )
    yield row(
        "backup-without-log",
        "services.backup_without_log",
        BACKUPS,
        SWITCH,
        "Make backups at their times alone, and keep no log of what is committed in between.",
    )

    yield row(
        "inspection-interval",
        "database.inspection_seconds",
        UPKEEP,
        TIME,
        "Pause between two comparisons of everything stored with what was written.",
        60,
        365 * DAY,
    )
    yield row(
        "drain-time",
        "functions.drain_seconds",
        UPKEEP,
        TIME,
        "How long queries and mutations may go on with functions that a push has replaced.",
        0,
        3600,
    )
    yield row(
        "shutdown-seconds",
        "server.shutdown_seconds",
        UPKEEP,
        TIME,
        "How long a server that ends waits for what runs; the rest is cut.",
        0,
        3600,
    )


OPTIONS: Final[Mapping[str, ServerOption]] = {option.name: option for option in _rows()}


def options_from(values: Mapping[str, Any], **others: Any) -> ServerOptions:
    """The options with these values, by the names of the rows; `others` are fields themselves."""
    fields: dict[str, Any] = dict(others)
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, inner = OPTIONS[name].place.rpartition(".")
        (sections.setdefault(section, {}) if section else fields)[inner] = value
    for section, inside in sections.items():
        fields[section] = dataclasses.replace(getattr(DEFAULTS, section), **inside)
    return ServerOptions(**fields)
