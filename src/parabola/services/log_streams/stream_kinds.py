"""The kinds of log streams: what an administrator says of each, as it is stored."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import ClassVar, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import UNSET, Struct, UnsetType

from parabola.values.errors import BadRequest

__all__ = [
    "AXIOM_URLS",
    "POSTHOG_HOST",
    "Attribute",
    "Axiom",
    "Config",
    "Datadog",
    "File",
    "Otlp",
    "PostHogErrorTracking",
    "PostHogLogs",
    "Sentry",
    "Topic",
    "Webhook",
    "kind_of",
]

Topic: TypeAlias = Literal[
    "console",
    "function_execution",
    "audit_log",
    "scheduler_stats",
    "scheduled_job_lag",
    "current_storage_usage",
    "concurrency_stats",
    "storage_api_bandwidth",
    "log_stream_egress",
    "custom_audit",
]
"""What a stream may be subscribed to."""

MAX_ATTRIBUTES: Final = 1024
MAX_FILES: Final = 1000
MAX_FILE_MEGABYTES: Final = 10_000.0
POSTHOG_HOST: Final = "https://us.i.posthog.com"
AXIOM_URLS: Final = (
    "https://api.axiom.co",
    "https://us-east-1.aws.edge.axiom.co",
    "https://eu-central-1.aws.edge.axiom.co",
)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_TEXT: Final = re.compile(r"[\t -~]*")
_DSN: Final = re.compile(r"https?://[^:@/]+(?::[^@/]*)?@[^/]+/(?:.*/)?\d+")


class _Config(Struct, frozen=True, kw_only=True, tag_field="type", rename="camel"):
    title: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]] = ()
    """The fields that are not shown."""
    ours: ClassVar[tuple[str, ...]] = ()
    """The fields that nobody may give."""

    @property
    def type(self) -> str:
        """The type, in the words of the API."""
        return str(self.__struct_config__.tag)

    def check(self) -> None:
        """Raise `BadRequest` for what cannot be."""


class _Subscribed(_Config, frozen=True, kw_only=True):
    topics: tuple[Topic, ...] | UnsetType = UNSET
    """Absent: all, but for `custom_audit`."""

    def check(self) -> None:
        if self.topics == ():
            raise BadRequest("A log stream must be subscribed to at least one topic.", code="EmptyLogTopics")


class Webhook(_Subscribed, frozen=True, kw_only=True, tag="webhook"):
    """Any server: it gets JSON arrays, or lines of JSON, signed with a secret."""

    title = "Webhook"
    ours = ("hmacSecret",)

    url: str
    format: Literal["json", "jsonl"]
    hmac_secret: str

    def check(self) -> None:
        super().check()
        if not _is_url(self.url):
            raise BadRequest("The URL passed was invalid", code="InvalidWebhookUrl")


class Attribute(Struct, frozen=True):
    """A name and a text: what is sent to Axiom with every event, or a header."""

    key: str
    value: str


class Axiom(_Subscribed, frozen=True, kw_only=True, tag="axiom"):
    """A dataset of Axiom."""

    title = "Axiom"
    secrets = ("apiKey",)
    ours = ("version",)

    api_key: str
    dataset_name: str
    attributes: tuple[Attribute, ...]
    ingest_url: str | UnsetType = UNSET
    version: Literal["1", "2"] = "2"

    def check(self) -> None:
        super().check()
        if self.ingest_url is not UNSET and self.ingest_url not in AXIOM_URLS:
            raise BadRequest(
                f"Invalid Axiom ingest URL: {self.ingest_url}. Must be one of: {', '.join(AXIOM_URLS)}",
                code="InvalidAxiomIngestUrl",
            )
        if len(self.attributes) > MAX_ATTRIBUTES:
            raise BadRequest(f"There may be {MAX_ATTRIBUTES} attributes.", code="TooManyAttributes")


class Datadog(_Subscribed, frozen=True, kw_only=True, tag="datadog"):
    """The logs of Datadog."""

    title = "Datadog"
    secrets = ("ddApiKey",)
    ours = ("version",)

    site_location: Literal["US1", "US3", "US5", "EU", "US1_FED", "AP1"]
    dd_api_key: str
    dd_tags: tuple[str, ...]
    service: str | UnsetType = UNSET
    version: Literal["1", "2"] = "2"


class Sentry(_Config, frozen=True, kw_only=True, tag="sentry"):
    """A project of Sentry. It gets what fails, and nothing else."""

    title = "Sentry"
    secrets = ("dsn",)
    ours = ("version",)

    dsn: str
    tags: dict[str, str] | UnsetType = UNSET
    version: Literal["1", "2"] = "2"

    def check(self) -> None:
        if not _DSN.fullmatch(self.dsn):
            raise BadRequest("The Sentry DSN passed was invalid", code="InvalidSentryDsn")


class PostHogLogs(_Subscribed, frozen=True, kw_only=True, tag="postHogLogs"):
    """The logs of a project of PostHog."""

    title = "PostHogLogs"
    secrets = ("apiKey",)

    api_key: str
    host: str | UnsetType = UNSET
    service_name: str | UnsetType = UNSET

    def check(self) -> None:
        super().check()
        _check_posthog(self.host)


class PostHogErrorTracking(_Config, frozen=True, kw_only=True, tag="postHogErrorTracking"):
    """The error tracking of a project of PostHog. It gets what fails, and nothing else."""

    title = "PostHogErrorTracking"
    secrets = ("apiKey",)

    api_key: str
    host: str | UnsetType = UNSET

    def check(self) -> None:
        _check_posthog(self.host)


class Otlp(_Subscribed, frozen=True, kw_only=True, tag="otlp"):
    """Whatever takes logs by OpenTelemetry's protocol over HTTP."""

    title = "OTLP"
    secrets = ("headers",)

    endpoint: str
    """The whole address, such as `http://collector:4318/v1/logs`."""
    headers: tuple[Attribute, ...] = ()
    format: Literal["json", "protobuf"] = "json"
    service_name: str | UnsetType = UNSET

    def check(self) -> None:
        super().check()
        if not _is_url(self.endpoint):
            raise BadRequest(
                f"{self.endpoint!r} is no address. Give the whole one, such as http://collector:4318/v1/logs.",
                code="InvalidOtlpEndpoint",
            )
        for header in self.headers:
            if not _HEADER.fullmatch(header.key) or not _HEADER_TEXT.fullmatch(header.value):
                raise BadRequest(f"{header.key!r} cannot be a header.", code="InvalidOtlpHeader")
        if self.format == "protobuf" and not _has_protobuf():
            raise BadRequest(
                "For protobuf the server needs more packages: pip install parabola[otel]. "
                'Collectors take `"format": "json"` as well.',
                code="ProtobufUnavailable",
            )


class File(_Subscribed, frozen=True, kw_only=True, tag="file"):
    """Files on the server, one event a line. Where they are is for the server's own options to say."""

    title = "File"

    max_megabytes: float = 64.0
    """Of a file; then another one is begun."""
    max_files: float = 8.0
    """Files that are kept."""

    def check(self) -> None:
        super().check()
        if not 1 <= self.max_megabytes <= MAX_FILE_MEGABYTES:
            raise BadRequest(
                f"`maxMegabytes` must be from 1 to {MAX_FILE_MEGABYTES:g}.", code="InvalidFileSize"
            )
        if not (1 <= self.max_files <= MAX_FILES and self.max_files.is_integer()):
            raise BadRequest(f"`maxFiles` must be a number from 1 to {MAX_FILES}.", code="InvalidFileNumber")


Config: TypeAlias = Webhook | Axiom | Datadog | Sentry | PostHogLogs | PostHogErrorTracking | Otlp | File
_KINDS: Final[dict[str, type[Config]]] = {
    "webhook": Webhook,
    "axiom": Axiom,
    "datadog": Datadog,
    "sentry": Sentry,
    "postHogLogs": PostHogLogs,
    "postHogErrorTracking": PostHogErrorTracking,
    "otlp": Otlp,
    "file": File,
}


def kind_of(name: str) -> type[Config]:
    """The kind that a request names. Raises `BadRequest`."""
    found = _KINDS.get(name)
    if found is None:
        raise BadRequest(
            f"This log stream type is not supported. There are {', '.join(_KINDS)}.",
            code="UnsupportedLogStreamType",
        )
    return found


def _check_posthog(host: str | UnsetType) -> None:
    if host is not UNSET and not _is_url(host):
        raise BadRequest(f"Invalid PostHog host URL: {host}", code="InvalidPostHogHost")


def _has_protobuf() -> bool:
    try:
        return find_spec("opentelemetry.proto.collector.logs.v1") is not None
    except ModuleNotFoundError:
        return False


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
