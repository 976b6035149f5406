"""Failures of functions as services for errors take them: an envelope of Sentry, captures of PostHog."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from msgspec import UNSET

from parabola.services.log_streams.log_events import VERIFICATION

if TYPE_CHECKING:
    from parabola.services.log_streams.log_events import Event
    from parabola.services.log_streams.stream_kinds import PostHogErrorTracking, Sentry

__all__ = ["posthog_report", "sentry_report"]


def sentry_report(
    config: Sentry, event: Event, deployment: Mapping[str, Any]
) -> tuple[str, dict[str, str], bytes]:
    """Address, headers and body of an envelope, which has one event."""
    parts = urlsplit(config.dsn)
    folder, _, project = parts.path.rpartition("/")
    address = parts.netloc.rpartition("@")[2]
    is_test = event["topic"] == VERIFICATION
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
    return (
        f"{parts.scheme}://{address}{folder}/api/{project}/envelope/",
        {
            "Content-Type": "application/x-sentry-envelope",
            "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=parabola, sentry_key={parts.username}",
        },
        b"\n".join([head, kind, item, b""]),
    )


def _exception(config: Sentry, event: Event) -> dict[str, Any]:
    function = event["function"]
    return {
        "level": "error",
        "exception": {
            "values": [
                {
                    "type": _type_of(event),
                    "value": event["message"],
                    # Its services want the outermost call first.
                    "stacktrace": {"frames": [{"function": frame} for frame in reversed(event["frames"])]},
                }
            ]
        },
        "tags": {
            "func": function["path"],
            "func_type": function["type"],
            "func_runtime": event["runtime"],
            "request_id": function["request_id"],
            **({} if config.tags is UNSET else config.tags),
        },
    }


def posthog_report(
    config: PostHogErrorTracking, events: Sequence[Event], deployment: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a request that captures failures."""
    return {"api_key": config.api_key, "batch": [_capture(event, deployment) for event in events]}


def _capture(event: Event, deployment: Mapping[str, Any]) -> dict[str, Any]:
    function, frames = event["function"], event["frames"]
    name = deployment["deployment_name"]
    return {
        "event": "$exception",
        "distinct_id": name,
        "timestamp": datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(),
        "properties": {
            "$exception_list": [
                {
                    "type": _type_of(event),
                    "value": event["message"],
                    "mechanism": {"handled": False, "type": "generic"},
                    "stacktrace": {
                        "type": "raw",
                        "frames": [
                            {
                                "platform": "custom",
                                "lang": "python" if event["runtime"] == "python" else "javascript",
                                "function": frame,
                                "in_app": True,
                            }
                            for frame in frames
                        ],
                    },
                }
            ],
            "$exception_level": "error",
            "$exception_types": [_type_of(event)],
            "$exception_values": [event["message"]],
            "$exception_functions": frames,
            "$lib": "convex",
            "convex_function": function["path"],
            "convex_function_type": function["type"],
            "convex_function_runtime": event["runtime"],
            "convex_deployment": name,
            "convex_deployment_type": deployment["deployment_type"],
            "convex_request_id": function["request_id"],
        },
    }


def _type_of(event: Event) -> str:
    kind, colon, _ = event["message"].removeprefix("Uncaught ").partition(":")
    return kind if colon and kind.isidentifier() else "Error"
