"""What may be said of a log stream, and what is asked of the services it goes to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from parabola.services.log_streams.log_events import deployment_metadata, verification
from parabola.services.log_streams.stream_configs import changed_config, new_config, stored_config
from parabola.services.log_streams.stream_requests import pace_of, request_of, wants
from parabola.services.log_streams.stream_rows import PENDING, LogStream
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
FAILED = {
    "timestamp": 2000,
    "topic": "function_execution",
    "status": "failure",
    "error_message": "Uncaught ValueError: no\n    at boom (app.py:1:2)\n    at f",
    "function": {"path": "app:boom", "type": "mutation", "request_id": "r"},
}


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


def test_sentry_gets_failures_and_nothing_else() -> None:
    config = new_config(SENTRY)
    assert pace_of(config).batch == 1
    assert [wants(config, event) for event in (FAILED, {**FAILED, "status": "success"})] == [True, False]
    assert not wants(config, {"topic": "console"})
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
    tags = {"func": "app:boom", "func_type": "mutation", "request_id": "r", "x": "y"}
    assert event["tags"] == tags
    test = orjson.loads(request_of(config, [verification(1)], DEPLOYMENT).body.split(b"\n")[2])
    assert test["level"] == "info"


def test_topics_decide_and_custom_audit_is_for_those_who_ask() -> None:
    everything, one = new_config(WEBHOOK), new_config({**WEBHOOK, "topics": ["custom_audit"]})
    assert wants(everything, {"topic": "console"})
    assert not wants(everything, {"topic": "custom_audit"})
    assert wants(one, {"topic": "custom_audit"})
    assert not wants(one, {"topic": "console"})
    assert wants(one, verification(1))
