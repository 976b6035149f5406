"""The requests by which events reach a log stream, one way for each kind of them."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import orjson
from msgspec import UNSET

from parabola.services.log_streams.log_events import Event
from parabola.services.log_streams.stream_configs import AXIOM_URLS, Axiom, Config, Datadog, Sentry, Webhook

__all__ = ["Pace", "Post", "pace_of", "request_of", "wants"]

_DATADOG_SITES: Final = {
    "US1": "datadoghq.com",
    "US3": "us3.datadoghq.com",
    "US5": "us5.datadoghq.com",
    "EU": "datadoghq.eu",
    "US1_FED": "ddog-gov.com",
    "AP1": "ap1.datadoghq.com",
}
_VERIFICATION: Final = "verification"
_ONLY_BY_NAME: Final = "custom_audit"
"""The topic that nobody gets who has not asked for it."""


class Post(NamedTuple):
    """A request to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Pace(NamedTuple):
    """How many events go together, and how many seconds there are before the second try."""

    batch: int
    first_pause: float


def pace_of(config: Config) -> Pace:
    """How a kind of stream is to be sent to."""
    match config:
        case Webhook():
            return Pace(128, 1.0)
        case Axiom():
            return Pace(10_000, 0.5)
        case Datadog():
            return Pace(1_000, 0.5)
        case Sentry():
            return Pace(1, 0.5)  # an envelope has one event


def wants(config: Config, event: Event) -> bool:
    """Whether a stream is sent an event."""
    topic = event["topic"]
    if topic == _VERIFICATION:
        return True
    if isinstance(config, Sentry):
        return bool(topic == "function_execution" and event["status"] == "failure")
    return topic != _ONLY_BY_NAME if config.topics is UNSET else topic in config.topics


def request_of(config: Config, events: Sequence[Event], deployment: Mapping[str, Any]) -> Post:
    """The request that has these events; `deployment` is what all say of the deployment."""
    match config:
        case Webhook():
            return _to_webhook(config, events, deployment)
        case Axiom():
            return _to_axiom(config, events, deployment)
        case Datadog():
            return _to_datadog(config, events, deployment)
        case Sentry():
            return _to_sentry(config, events, deployment)


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


def _to_sentry(config: Sentry, events: Sequence[Event], deployment: Mapping[str, Any]) -> Post:
    """An envelope, which has one event."""
    parts = urlsplit(config.dsn)
    folder, _, project = parts.path.rpartition("/")
    address = parts.netloc.rpartition("@")[2]
    [event] = events
    is_test = event["topic"] == _VERIFICATION
    told = {"message": event["message"], "level": "info"} if is_test else _exception(config, event)
    id = uuid.uuid4().hex
    item = orjson.dumps(
        {
            "event_id": id,
            "timestamp": event["timestamp"] / 1000,
            "platform": "other",
            "server_name": deployment["deployment_name"],
            **told,
        }
    )
    head = orjson.dumps({"event_id": id})
    kind = orjson.dumps({"type": "event", "length": len(item)})
    return Post(
        f"{parts.scheme}://{address}{folder}/api/{project}/envelope/",
        {
            "Content-Type": "application/x-sentry-envelope",
            "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=parabola, sentry_key={parts.username}",
        },
        b"\n".join([head, kind, item, b""]),
    )


def _exception(config: Sentry, event: Event) -> dict[str, Any]:
    function = event["function"]
    message, _, frames = str(event["error_message"]).partition("\n    at ")
    kind, colon, _ = message.removeprefix("Uncaught ").partition(":")
    return {
        "level": "error",
        "exception": {
            "values": [
                {
                    "type": kind if colon else "Error",
                    "value": message,
                    "stacktrace": {
                        "frames": [
                            {"function": frame.strip().removeprefix("at ")}
                            for frame in reversed(frames.split("\n") if frames else [])
                        ]
                    },
                }
            ]
        },
        "tags": {
            "func": function["path"],
            "func_type": function["type"],
            "request_id": function["request_id"],
            **({} if config.tags is UNSET else config.tags),
        },
    }


def _json() -> dict[str, str]:
    return {"Content-Type": "application/json"}
