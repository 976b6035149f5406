"""The requests by which events reach a log stream, one way for each kind of them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

import orjson
from msgspec import UNSET

from parabola.services.log_streams.exception_reports import posthog_report, sentry_report
from parabola.services.log_streams.log_events import (
    EXCEPTION,
    ONLY_BY_NAME,
    VERIFICATION,
    Event,
    events_of,
    exceptions_of,
)
from parabola.services.log_streams.otlp_logs import (
    otlp_records,
    posthog_records,
    protobuf_of,
    resource_logs,
    traced_events_of,
)
from parabola.services.log_streams.stream_kinds import (
    AXIOM_URLS,
    POSTHOG_HOST,
    Axiom,
    Datadog,
    Otlp,
    PostHogErrorTracking,
    PostHogLogs,
    Sentry,
    Webhook,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parabola.functions.outcomes.execution_log import ExecutionEntry
    from parabola.services.log_streams.stream_kinds import Config

__all__ = [
    "Pace",
    "Post",
    "Remote",
    "batches_of",
    "pace_of",
    "request_of",
    "tell_of",
    "verification_of",
    "wants",
]

Remote: TypeAlias = Webhook | Axiom | Datadog | Sentry | PostHogLogs | PostHogErrorTracking | Otlp
"""The kinds that are sent requests."""

_DATADOG_SITES: Final = {
    "US1": "datadoghq.com",
    "US3": "us3.datadoghq.com",
    "US5": "us5.datadoghq.com",
    "EU": "datadoghq.eu",
    "US1_FED": "ddog-gov.com",
    "AP1": "ap1.datadoghq.com",
}


_ABOUT_BYTES: Final = 2048
"""What is said with every event of the deployment and by the stream's own tags, at most as a rule."""


class Post(NamedTuple):
    """A request to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Pace(NamedTuple):
    """How many events go together, and how many seconds there are before the second try."""

    batch: int
    first_pause: float
    batch_bytes: int | None = None
    """How large a request may be, if the service says so."""


def pace_of(config: Config) -> Pace:
    """How a kind of stream is to be sent to."""
    match config:
        case Webhook():
            return Pace(128, 1.0)
        case Axiom():
            return Pace(10_000, 0.5)
        case Sentry():
            return Pace(1, 0.5)  # an envelope has one event
        case PostHogErrorTracking():
            return Pace(100, 0.5)
        case Datadog():
            return Pace(1_000, 0.5, 4 * 2**20)
        case PostHogLogs():
            return Pace(400, 0.5)
        case _:
            return Pace(1_000, 0.5)


def tell_of(config: Config) -> Callable[[ExecutionEntry], Iterable[Event]]:
    """What makes the events of an entry of the execution log, as a kind of stream is told of it."""
    match config:
        case Sentry() | PostHogErrorTracking():
            return exceptions_of
        case Otlp():
            return traced_events_of
        case _:
            return events_of


def batches_of(events: Sequence[Event], pace: Pace) -> list[list[Event]]:
    """The events as they go together. One that is larger than a request may be goes alone."""
    most_bytes = pace.batch_bytes
    if most_bytes is None:
        return [list(events[start : start + pace.batch]) for start in range(0, len(events), pace.batch)]
    batches: list[list[Event]] = []
    size = most_bytes
    for event in events:
        own = len(orjson.dumps(event)) + _ABOUT_BYTES
        if size + own > most_bytes or len(batches[-1]) == pace.batch:
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += own
    return batches


def wants(config: Config, event: Event) -> bool:
    """Whether a stream is sent an event."""
    topic = event["topic"]
    if topic == VERIFICATION:
        return True
    if isinstance(config, Sentry | PostHogErrorTracking):
        return bool(topic == EXCEPTION)
    return topic != ONLY_BY_NAME if config.topics is UNSET else topic in config.topics


def verification_of(config: Remote, event: Event, deployment: Mapping[str, Any]) -> Post:
    """The request by which a stream shows that it takes events."""
    if isinstance(config, PostHogLogs | PostHogErrorTracking):
        # Where events go everything is taken; this says whether the key is good.
        body = {"api_key": config.api_key, "distinct_id": "convex-verification"}
        return Post(f"{_posthog(config)}/decide?v=3", _json(), orjson.dumps(body))
    return request_of(config, [event], deployment)


def request_of(config: Remote, events: Sequence[Event], deployment: Mapping[str, Any]) -> Post:
    """The request that has these events; `deployment` is what all say of the deployment."""
    match config:
        case Webhook():
            return _to_webhook(config, events, deployment)
        case Axiom():
            return _to_axiom(config, events, deployment)
        case Datadog():
            return _to_datadog(config, events, deployment)
        case Sentry():
            return Post(*sentry_report(config, events[0], deployment))
        case PostHogErrorTracking():
            body = posthog_report(config, events, deployment)
            return Post(f"{_posthog(config)}/i/v0/e/", _json(), orjson.dumps(body))
        case PostHogLogs():
            service = deployment["deployment_name"] if config.service_name is UNSET else config.service_name
            logs = resource_logs(service, deployment, posthog_records(events))
            headers = {"Authorization": f"Bearer {config.api_key}", **_json()}
            return Post(f"{_posthog(config)}/i/v1/logs", headers, orjson.dumps(logs))
        case Otlp():
            return _to_otlp(config, events, deployment)


def _to_webhook(config: Webhook, events: Sequence[Event], deployment: Mapping[str, Any]) -> Post:
    whole = [{**event, "convex": deployment} for event in events]
    body = orjson.dumps(whole) if config.format == "json" else b"\n".join(map(orjson.dumps, whole))
    signature = hmac.new(config.hmac_secret.encode(), body, "sha256").hexdigest()
    return Post(config.url, {"x-webhook-signature": f"sha256={signature}", **_json()}, body)


def _to_axiom(config: Axiom, events: Sequence[Event], deployment: Mapping[str, Any]) -> Post:
    attributes = {each.key: each.value for each in config.attributes}
    body = orjson.dumps(
        [
            {"_time": event["timestamp"], "data": event, "attributes": attributes, "convex": deployment}
            for event in events
        ]
    )
    name = quote(config.dataset_name, safe="")
    base = AXIOM_URLS[0] if config.ingest_url is UNSET else config.ingest_url
    url = f"{base}/v1/datasets/{name}/ingest" if base == AXIOM_URLS[0] else f"{base}/v1/ingest/{name}"
    return Post(url, {"Authorization": f"Bearer {config.api_key}", **_json()}, body)


def _to_datadog(config: Datadog, events: Sequence[Event], deployment: Mapping[str, Any]) -> Post:
    about = {
        "ddsource": "convex",
        "ddtags": ",".join(config.dd_tags),
        "hostname": deployment["deployment_name"],
        "service": None if config.service is UNSET else config.service,
    }
    body = orjson.dumps([{**about, **event, "convex": deployment} for event in events])
    url = f"https://http-intake.logs.{_DATADOG_SITES[config.site_location]}/api/v2/logs"
    return Post(url, {"DD-API-KEY": config.dd_api_key, **_json()}, body)


def _json() -> dict[str, str]:
    return {"Content-Type": "application/json"}


def _to_otlp(config: Otlp, events: Sequence[Event], deployment: Mapping[str, Any]) -> Post:
    service = deployment["deployment_name"] if config.service_name is UNSET else config.service_name
    logs = resource_logs(service, deployment, otlp_records(events))
    headers = {header.key: header.value for header in config.headers}
    if config.format == "json":
        return Post(config.endpoint, {**headers, **_json()}, orjson.dumps(logs))
    return Post(config.endpoint, {**headers, "Content-Type": "application/x-protobuf"}, protobuf_of(logs))


def _posthog(config: PostHogLogs | PostHogErrorTracking) -> str:
    return (POSTHOG_HOST if config.host is UNSET else config.host).rstrip("/")
