"""What may be said of a log stream, and what is asked of the services it goes to."""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import Parse
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine
from parabola.functions.outcomes.traces import TraceContext
from parabola.services.log_streams.log_events import deployment_metadata, exceptions_of, verification
from parabola.services.log_streams.stream_configs import changed_config, new_config, stored_config
from parabola.services.log_streams.stream_requests import (
    batches_of,
    pace_of,
    request_of,
    tell_of,
    verification_of,
    wants,
)
from parabola.services.log_streams.stream_rows import PENDING, LogStream
from parabola.services.observability.trace_ids import span_id_of, trace_id_of
from parabola.values.errors import BadRequest

WEBHOOK = {"logStreamType": "webhook", "url": "https://a.test/x", "format": "json"}
AXIOM = {
    "logStreamType": "axiom",
    "apiKey": "k",
    "datasetName": "d/s",
    "attributes": [{"key": "a", "value": "b"}],
}
DATADOG = {"logStreamType": "datadog", "siteLocation": "EU", "ddApiKey": "k", "ddTags": ["a:b", "c:d"]}
SENTRY = {"logStreamType": "sentry", "dsn": "https://key@o1.test/4", "tags": {"x": "y"}}
DEPLOYMENT = deployment_metadata("calm-cat-1")
POSTHOG = {"logStreamType": "postHogLogs", "apiKey": "phc_k", "host": "https://eu.i.posthog.com/"}
ERRORS = {"logStreamType": "postHogErrorTracking", "apiKey": "phc_k"}
OTLP = {"logStreamType": "otlp", "endpoint": "http://c:4318/v1/logs", "headers": [{"key": "a", "value": "b"}]}
FILE = {"logStreamType": "file"}
ENTRY = ExecutionEntry(
    "Completion",
    "Mutation",
    "app:boom",
    2.0,
    (LogLine("WARN", ("hm",), 1500),),
    "r",
    "e",
    error=FunctionFailure("Uncaught ValueError: no", frames=("boom (app.py:1:2)", "f")),
    runtime="python",
)
[FAILED] = exceptions_of(ENTRY)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "BadJsonBody"),
        ({}, "BadJsonBody"),
        ({"logStreamType": "pigeon"}, "UnsupportedLogStreamType"),
        ({**WEBHOOK, "url": "x"}, "InvalidWebhookUrl"),
        ({**WEBHOOK, "url": "file:///etc/passwd"}, "InvalidWebhookUrl"),
        ({**WEBHOOK, "url": "http://[x"}, "InvalidWebhookUrl"),
        ({**WEBHOOK, "format": "xml"}, "BadJsonBody"),
        ({**WEBHOOK, "topics": []}, "EmptyLogTopics"),
        ({**WEBHOOK, "topics": ["weather"]}, "BadJsonBody"),
        ({**AXIOM, "ingestUrl": "https://elsewhere.test"}, "InvalidAxiomIngestUrl"),
        ({**AXIOM, "attributes": [{"key": "a", "value": "b"}] * 1025}, "TooManyAttributes"),
        ({**DATADOG, "siteLocation": "MARS"}, "BadJsonBody"),
        ({"logStreamType": "sentry", "dsn": "x"}, "InvalidSentryDsn"),
        ({**POSTHOG, "host": "posthog"}, "InvalidPostHogHost"),
        ({**ERRORS, "host": "posthog"}, "InvalidPostHogHost"),
        ({**POSTHOG, "topics": []}, "EmptyLogTopics"),
        ({**OTLP, "endpoint": "collector:4318"}, "InvalidOtlpEndpoint"),
        ({**OTLP, "headers": [{"key": "a\n", "value": "b"}]}, "InvalidOtlpHeader"),
        ({**OTLP, "headers": [{"key": "a", "value": "b\r\nc: d"}]}, "InvalidOtlpHeader"),
        ({**OTLP, "format": "xml"}, "BadJsonBody"),
        ({**FILE, "maxMegabytes": 0.5}, "InvalidFileSize"),
        ({**FILE, "maxFiles": 0}, "InvalidFileNumber"),
        ({**FILE, "maxFiles": 1.5}, "InvalidFileNumber"),
    ],
)
def test_what_cannot_be_is_refused(body: Any, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        new_config(body)
    assert caught.value.code == code


def test_a_change_keeps_what_is_not_said_and_forgets_what_is_null() -> None:
    config = new_config({**DATADOG, "service": "s", "topics": ["console"]})
    changed = changed_config(config, {"logStreamType": "datadog", "ddTags": [], "service": None})
    assert stored_config(changed) == {
        "type": "datadog",
        "siteLocation": "EU",
        "ddApiKey": "k",
        "ddTags": [],
        "topics": ["console"],
        "version": "2",
    }
    assert "topics" not in stored_config(changed_config(config, {"logStreamType": "datadog", "topics": None}))
    with pytest.raises(BadRequest) as caught:
        changed_config(config, WEBHOOK)
    assert caught.value.code == "LogStreamTypeMismatch"


def test_a_secret_is_the_servers() -> None:
    first = stored_config(new_config({**WEBHOOK, "hmacSecret": "mine"}))["hmacSecret"]
    assert first != "mine"
    config = new_config(WEBHOOK)
    assert changed_config(config, {**WEBHOOK, "hmacSecret": "mine"}) == config


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (AXIOM, {"datasetName": "d/s", "attributes": [{"key": "a", "value": "b"}], "topics": None}),
        (DATADOG, {"siteLocation": "EU", "ddTags": ["a:b", "c:d"], "topics": None}),
        (SENTRY, {"tags": {"x": "y"}}),
        (POSTHOG, {"host": "https://eu.i.posthog.com/", "topics": None}),
        (ERRORS, {}),
        (OTLP, {"endpoint": "http://c:4318/v1/logs", "format": "json", "topics": None}),
        (FILE, {"maxMegabytes": 64.0, "maxFiles": 8.0, "topics": None}),
    ],
)
def test_keys_are_not_shown(body: dict[str, Any], shown: dict[str, Any]) -> None:
    stream = LogStream(id="i", status=PENDING, config=new_config(body))
    whole = {"logStreamType": body["logStreamType"], "id": "i", "status": {"type": "pending"}, **shown}
    assert stream.to_json() == whole


def test_axiom_gets_each_event_in_a_frame() -> None:
    event = verification(1000)
    post = request_of(new_config(AXIOM), [event], DEPLOYMENT)
    assert post.url == "https://api.axiom.co/v1/datasets/d%2Fs/ingest"
    assert post.headers["Authorization"] == "Bearer k"
    assert orjson.loads(post.body) == [
        {"_time": 1000, "data": event, "attributes": {"a": "b"}, "convex": dict(DEPLOYMENT)}
    ]
    elsewhere = new_config({**AXIOM, "ingestUrl": "https://us-east-1.aws.edge.axiom.co"})
    assert request_of(elsewhere, [event], DEPLOYMENT).url.endswith("edge.axiom.co/v1/ingest/d%2Fs")


def test_datadog_gets_its_fields_beside_those_of_the_event() -> None:
    post = request_of(new_config(DATADOG), [verification(1)], DEPLOYMENT)
    assert post.url == "https://http-intake.logs.datadoghq.eu/api/v2/logs"
    assert post.headers["DD-API-KEY"] == "k"
    [event] = orjson.loads(post.body)
    assert (event["ddsource"], event["ddtags"], event["hostname"]) == ("convex", "a:b,c:d", "calm-cat-1")
    assert event["topic"] == "verification"


@given(st.lists(st.integers(0, 3_000_000), max_size=30), st.integers(1, 5))
def test_requests_are_as_large_as_a_service_takes(sizes: list[int], most: int) -> None:
    pace = pace_of(new_config(DATADOG))._replace(batch=most)
    events = [{"message": "x" * size} for size in sizes]
    batches = batches_of(events, pace)
    assert [event for batch in batches for event in batch] == events
    assert pace.batch_bytes is not None
    for batch in batches:
        assert 0 < len(batch) <= most
        assert len(batch) == 1 or sum(len(event["message"]) for event in batch) <= pace.batch_bytes


def test_sentry_gets_failures_and_nothing_else() -> None:
    config = new_config(SENTRY)
    assert pace_of(config).batch == 1
    assert list(tell_of(config)(ENTRY)) == [FAILED]
    assert list(tell_of(config)(replace(ENTRY, error=None))) == []
    assert [wants(config, event) for event in (FAILED, {"topic": "console"})] == [True, False]
    post = request_of(config, [FAILED], DEPLOYMENT)
    assert post.url == "https://o1.test/api/4/envelope/"
    assert "sentry_key=key" in post.headers["X-Sentry-Auth"]
    head, kind, item, _ = post.body.split(b"\n")
    event = orjson.loads(item)
    assert orjson.loads(kind) == {"type": "event", "length": len(item)}
    assert orjson.loads(head)["event_id"] == event["event_id"]
    [exception] = event["exception"]["values"]
    assert exception["type"] == "ValueError"
    assert exception["stacktrace"]["frames"] == [{"function": "f"}, {"function": "boom (app.py:1:2)"}]
    assert event["tags"] == {
        "func": "app:boom",
        "func_type": "mutation",
        "func_runtime": "python",
        "request_id": "r",
        "x": "y",
    }
    test = orjson.loads(request_of(config, [verification(1)], DEPLOYMENT).body.split(b"\n")[2])
    assert test["level"] == "info"


def test_posthog_logs_get_whole_events_as_records() -> None:
    config = new_config(POSTHOG)
    console, ran = tell_of(config)(ENTRY)
    post = request_of(config, [console, ran, {"topic": "audit_log", "timestamp": 3}], DEPLOYMENT)
    assert post.url == "https://eu.i.posthog.com/i/v1/logs"
    assert post.headers["Authorization"] == "Bearer phc_k"
    [logs] = orjson.loads(post.body)["resourceLogs"]
    assert logs["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "calm-cat-1"}},
        {"key": "convex.deployment.name", "value": {"stringValue": "calm-cat-1"}},
    ]
    [scope] = logs["scopeLogs"]
    assert scope["scope"] == {"name": "convex"}
    first, second, third = scope["logRecords"]
    assert orjson.loads(first["body"]["stringValue"]) == console
    assert (first["timeUnixNano"], first["severityText"], first["severityNumber"]) == (
        "1500000000",
        "WARN",
        13,
    )
    assert (second["severityText"], second["severityNumber"]) == ("ERROR", 17)
    assert [(each["key"], each["value"]["stringValue"]) for each in second["attributes"]] == [
        ("convex.topic", "function_execution"),
        ("convex.function.path", "app:boom"),
        ("convex.function.type", "mutation"),
    ]
    assert third["attributes"] == [{"key": "convex.topic", "value": {"stringValue": "deployment_audit_log"}}]
    named = new_config({**POSTHOG, "serviceName": "mine"})
    assert b'"mine"' in request_of(named, [console], DEPLOYMENT).body


def test_posthog_says_whether_a_key_is_good_elsewhere_than_it_takes_events() -> None:
    for body, host in ((POSTHOG, "https://eu.i.posthog.com"), (ERRORS, "https://us.i.posthog.com")):
        post = verification_of(new_config(body), verification(1), DEPLOYMENT)
        assert post.url == f"{host}/decide?v=3"
        assert orjson.loads(post.body) == {"api_key": "phc_k", "distinct_id": "convex-verification"}


def test_posthog_error_tracking_gets_failures_and_nothing_else() -> None:
    config = new_config(ERRORS)
    assert list(tell_of(config)(ENTRY)) == [FAILED]
    assert [wants(config, event) for event in (FAILED, {"topic": "console"})] == [True, False]
    post = request_of(config, [FAILED], DEPLOYMENT)
    assert post.url == "https://us.i.posthog.com/i/v0/e/"
    body = orjson.loads(post.body)
    assert body["api_key"] == "phc_k"
    [capture] = body["batch"]
    assert (capture["event"], capture["distinct_id"]) == ("$exception", "calm-cat-1")
    assert capture["timestamp"] == "1970-01-01T00:00:02+00:00"
    properties = capture["properties"]
    assert properties["convex_function"] == "app:boom"
    assert properties["convex_function_runtime"] == "python"
    [exception] = properties["$exception_list"]
    assert (exception["type"], exception["value"]) == ("ValueError", "Uncaught ValueError: no")
    functions = [frame["function"] for frame in exception["stacktrace"]["frames"]]
    assert functions == ["boom (app.py:1:2)", "f"]


@pytest.mark.parametrize("format", ["json", "protobuf"])
def test_collectors_get_records_by_the_official_messages(format: str) -> None:
    config = new_config({**OTLP, "format": format})
    post = request_of(config, list(tell_of(config)(ENTRY)), DEPLOYMENT)
    assert (post.url, post.headers["a"]) == ("http://c:4318/v1/logs", "b")
    request = ExportLogsServiceRequest()
    if format == "json":
        assert post.headers["Content-Type"] == "application/json"
        for name in ("traceId", "spanId"):  # OTLP writes these otherwise than protobuf's JSON does
            post = post._replace(body=re.sub(rb'"%b":"([^"]*)"' % name.encode(), _base64, post.body))
        Parse(post.body, request)
    else:
        assert post.headers["Content-Type"] == "application/x-protobuf"
        request.ParseFromString(post.body)
    [scope] = request.resource_logs[0].scope_logs
    line, ran = scope.log_records
    assert (line.body.string_value, line.severity_number, line.time_unix_nano) == ("hm", 13, 1_500_000_000)
    assert ran.body.string_value.startswith("app:boom failed: Uncaught ValueError: no")
    attributes = {each.key: each.value for each in ran.attributes}
    assert attributes["convex.function.request_id"].string_value == "r"
    assert attributes["convex.usage.database_write_documents"].int_value == 0
    assert attributes["convex.will_retry"].bool_value is False
    assert line.trace_id == ran.trace_id == bytes.fromhex(trace_id_of(ENTRY))
    assert line.span_id == ran.span_id == bytes.fromhex(span_id_of("e"))
    traced = replace(ENTRY, trace=TraceContext("ab" * 16, "cd" * 8))
    assert trace_id_of(traced) == "ab" * 16


def _base64(found: re.Match[bytes]) -> bytes:
    name = found.group(0).split(b":")[0]
    return name + b':"' + base64.b64encode(bytes.fromhex(found.group(1).decode())) + b'"'


def test_topics_decide_and_custom_audit_is_for_those_who_ask() -> None:
    everything, one = new_config(WEBHOOK), new_config({**WEBHOOK, "topics": ["custom_audit"]})
    assert wants(everything, {"topic": "console"})
    assert not wants(everything, {"topic": "custom_audit"})
    assert wants(one, {"topic": "custom_audit"})
    assert not wants(one, {"topic": "console"})
    assert wants(one, verification(1))
