"""Where a log stream goes: what an administrator says of it, and how that is stored."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Struct, UnsetType

from parabola.values.errors import BadRequest

__all__ = [
    "AXIOM_URLS",
    "Axiom",
    "Config",
    "Datadog",
    "Sentry",
    "Topic",
    "Webhook",
    "changed_config",
    "new_config",
    "new_secret",
    "stored_config",
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
SECRET_BYTES: Final = 16
AXIOM_URLS: Final = (
    "https://api.axiom.co",
    "https://us-east-1.aws.edge.axiom.co",
    "https://eu-central-1.aws.edge.axiom.co",
)
_TYPE: Final = "logStreamType"
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
    """What is sent to Axiom with every event."""

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


Config: TypeAlias = Webhook | Axiom | Datadog | Sentry
_CLASSES: Final[dict[str, type[Config]]] = {
    "webhook": Webhook,
    "axiom": Axiom,
    "datadog": Datadog,
    "sentry": Sentry,
}


def new_config(body: Any) -> Config:
    """The configuration in the body of a request. Raises `BadRequest`."""
    kind = _class_of(body)
    fields = _given(kind, body)
    if kind is Webhook:
        fields["hmacSecret"] = new_secret()
    return _checked(kind, {name: value for name, value in fields.items() if value is not None})


def changed_config(config: Config, body: Any) -> Config:
    """A configuration with the fields in the body of a request; what is null there goes. Raises
    `BadRequest`.
    """
    kind = _class_of(body)
    if kind is not type(config):
        article = "an" if config.title == "Axiom" else "a"
        raise BadRequest(
            f"Cannot update {article} {config.title} log stream "
            "with arguments for a different log stream type",
            code="LogStreamTypeMismatch",
        )
    fields = {**stored_config(config), **_given(kind, body)}
    return _checked(kind, {name: value for name, value in fields.items() if value is not None})


def stored_config(config: Config) -> dict[str, Any]:
    """The configuration as its row holds it."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return fields


def new_secret() -> str:
    """A secret for the signatures of a webhook."""
    return secrets.token_hex(SECRET_BYTES)


def _class_of(body: Any) -> type[Config]:
    if not isinstance(body, dict) or not isinstance(body.get(_TYPE), str):
        raise BadRequest(f"The field `{_TYPE}` of the request's body is missing", code="BadJsonBody")
    found = _CLASSES.get(body[_TYPE])
    if found is None:
        raise BadRequest(
            f"This log stream type is not supported. There are {', '.join(_CLASSES)}.",
            code="UnsupportedLogStreamType",
        )
    return found


def _given(kind: type[Config], body: Mapping[str, Any]) -> dict[str, Any]:
    known = set(kind.__struct_encode_fields__) - set(kind.ours)
    return {name: value for name, value in body.items() if name in known}


def _checked(kind: type[Config], fields: Mapping[str, Any]) -> Config:
    try:
        config = msgspec.convert({name: fields[name] for name in fields if name != "type"}, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The request's body is no log stream: {error}", code="BadJsonBody") from None
    config.check()
    return config


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
