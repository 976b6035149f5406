"""Events as log records of OpenTelemetry's protocol (OTLP 1), in its JSON form and as protobuf.

To PostHog they go as the official server sends them there: the whole event as the text of a record. To
collectors they go as these like them: a text for people, attributes for the rest, and the trace that they
belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from parabola.services.log_streams.log_events import events_of
from parabola.services.observability.trace_ids import span_id_of, trace_id_of

if TYPE_CHECKING:
    from parabola.functions.outcomes.execution_log import ExecutionEntry
    from parabola.services.log_streams.log_events import Event

__all__ = ["otlp_records", "posthog_records", "protobuf_of", "resource_logs", "traced_events_of"]

_TRACE: Final = "_trace"
_SEVERITIES: Final = {"DEBUG": 5, "INFO": 9, "LOG": 9, "WARN": 13, "ERROR": 17}
_PROTOBUF_KINDS: Final = {
    "stringValue": "string_value",
    "intValue": "int_value",
    "doubleValue": "double_value",
    "boolValue": "bool_value",
}
_POSTHOG_TOPICS: Final = {"audit_log": "deployment_audit_log", "storage_api_bandwidth": "storage_bandwidth"}


def traced_events_of(entry: ExecutionEntry) -> Iterator[Event]:
    """As `events_of`; each event knows the trace and the span that it belongs to."""
    place = {"traceId": trace_id_of(entry), "spanId": span_id_of(entry.execution_id)}
    for event in events_of(entry):
        yield {**event, _TRACE: place}


def resource_logs(
    service: str, deployment: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The body of a request, with what says whose records they are."""
    attributes = {"service.name": service, "convex.deployment.name": deployment["deployment_name"]}
    for name in ("type", "region"):
        attributes[f"convex.deployment.{name}"] = deployment[f"deployment_{name}"]
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(attributes)},
                "scopeLogs": [{"scope": {"name": "convex"}, "logRecords": list(records)}],
            }
        ]
    }


def posthog_records(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Records whose text is the whole event."""
    return [_record(event, orjson.dumps(event).decode(), _named(event, _POSTHOG_TOPICS)) for event in events]


def otlp_records(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Records with a text for people, all else being attributes."""
    records = []
    for event in events:
        fields = dict(event)
        place = fields.pop(_TRACE, {})
        attributes = _named(event, {}) | dict(_flat("convex", fields))
        records.append({**_record(event, _text(event), attributes), **place})
    return records


def protobuf_of(logs: Mapping[str, Any]) -> bytes:
    """The same request in the binary form, by the official messages. Blocking. (The library's own reader of
    JSON takes ten times as long, and OTLP writes ids otherwise than it reads them.)
    """
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    def value(given: Mapping[str, Any]) -> AnyValue:
        [(kind, content)] = given.items()
        name = _PROTOBUF_KINDS[kind]
        fields: Any = {name: int(content) if name == "int_value" else content}
        return AnyValue(**fields)

    def attributes(given: Iterable[Mapping[str, Any]]) -> list[KeyValue]:
        return [KeyValue(key=each["key"], value=value(each["value"])) for each in given]

    def record(given: Mapping[str, Any]) -> LogRecord:
        return LogRecord(
            time_unix_nano=int(given["timeUnixNano"]),
            severity_text=given["severityText"],
            severity_number=given["severityNumber"],
            body=value(given["body"]),
            attributes=attributes(given["attributes"]),
            trace_id=bytes.fromhex(given.get("traceId", "")),
            span_id=bytes.fromhex(given.get("spanId", "")),
        )

    request = ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=Resource(attributes=attributes(each["resource"]["attributes"])),
                scope_logs=[
                    ScopeLogs(
                        scope=InstrumentationScope(name=scope["scope"]["name"]),
                        log_records=map(record, scope["logRecords"]),
                    )
                    for scope in each["scopeLogs"]
                ],
            )
            for each in logs["resourceLogs"]
        ]
    )
    message: bytes = request.SerializeToString()
    return message


def _record(event: Event, text: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    level = event.get("log_level", "ERROR" if event.get("status") == "failure" else "INFO")
    return {
        "timeUnixNano": str(event["timestamp"] * 1_000_000),
        "severityText": "INFO" if level == "LOG" else level,
        "severityNumber": _SEVERITIES.get(level, 9),
        "body": {"stringValue": text},
        "attributes": _attributes(attributes),
    }


def _named(event: Event, topics: Mapping[str, str]) -> dict[str, Any]:
    topic = event["topic"]
    named = {"convex.topic": topics.get(topic, topic)}
    if "function" in event:
        named["convex.function.path"] = event["function"]["path"]
        named["convex.function.type"] = event["function"]["type"]
    return named


def _text(event: Event) -> str:
    match event["topic"]:
        case "console" | "verification":
            return str(event["message"])
        case "function_execution" if event["status"] == "failure":
            return f"{event['function']['path']} failed: {event['error_message']}"
        case "function_execution":
            return f"{event['function']['path']} took {event['execution_time_ms']} ms"
        case "audit_log":
            return str(event["audit_log_action"])
        case topic:
            return str(topic)


def _flat(prefix: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values within values by the names on the way to them."""
    for name, value in fields.items():
        if name in ("timestamp", "message", "topic") or value is None:
            continue
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", value


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case _:
            return {"stringValue": orjson.dumps(value).decode()}
