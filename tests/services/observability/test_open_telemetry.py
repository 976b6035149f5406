"""Traces and logs by OpenTelemetry, as a collector gets them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from client_calls import client_call
from parabola._version import __version__
from parabola.backend import Backend
from parabola.functions.calls.calling import RequestContext
from parabola.functions.deployed.deployment import Module
from parabola.functions.outcomes.traces import TraceContext
from parabola.services.deploys.push import Push
from parabola.services.observability.exposition import exposition
from parabola.services.observability.open_telemetry import OpenTelemetry
from parabola.services.observability.trace_ids import trace_id_of_request
from parabola.services.settings import ServiceSettings
from parabola.values.errors import BadRequest
from services.archive_driver import opened
from services.observability.collector import Collector, collecting, values

CODE = """
import urllib.request

from opentelemetry.trace import get_current_span
from parabola import action, mutation, query, trace_headers

@action
async def ask(ctx, url: str) -> str:
    urllib.request.urlopen(urllib.request.Request(url, headers=trace_headers()))
    return get_current_span().get_span_context().trace_id.to_bytes(16, "big").hex()

@query
async def nowhere(ctx) -> bool:
    return trace_headers() == {}

@query
async def count(ctx) -> float:
    print("counting")
    return float(len(await ctx.db.query("notes").collect()))

@mutation
async def add(ctx) -> float:
    await ctx.db.insert("notes", {})
    await ctx.scheduler.run_after(0, "app:later", {})
    return await ctx.run_query("app:count", {})

@mutation
async def later(ctx) -> None: ...

@mutation
async def outer(ctx) -> None:
    await ctx.run_mutation("app:middle", {})
    try:
        await ctx.run_mutation("app:boom", {})
    except Exception:
        pass

@mutation
async def middle(ctx) -> None:
    await ctx.run_query("app:count", {})

@mutation
async def boom(ctx) -> None:
    raise ValueError("no")

@action
async def act(ctx) -> None:
    await ctx.run_mutation("app:later", {})
"""
PUSH = Push("python", (Module("app.py", "python", CODE),))
SETTINGS = ServiceSettings(open_telemetry=True)
TRACE = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True, "vendor=1")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "20")
        yield collector


@pytest.fixture
async def backend(tmp_path: Path, collector: Collector) -> AsyncIterator[Backend]:
    async with opened(tmp_path, SETTINGS) as backend:
        await backend.deploy(PUSH)
        yield backend


async def collected(collector: Collector, *names: str) -> None:
    """Returns once spans of these names have come."""
    await asyncio.to_thread(collector.until, lambda: set(names) <= {span.name for span in collector.spans})


async def test_a_call_is_a_span_with_those_in_its_transaction_below_it(
    backend: Backend, collector: Collector
) -> None:
    result = await backend.mutation(client_call("app:outer", {}))
    await collected(collector, "app:outer", "app:middle", "app:boom", "app:count")
    outer, middle = collector.span("app:outer"), collector.span("app:middle")
    boom, count = collector.span("app:boom"), collector.span("app:count")
    assert outer.trace_id.hex() == trace_id_of_request(result.request_id)
    assert outer.parent_span_id == b""
    assert middle.parent_span_id == boom.parent_span_id == outer.span_id
    assert count.parent_span_id == middle.span_id
    assert {span.trace_id for span in collector.spans} == {outer.trace_id}
    assert len({span.span_id for span in collector.spans}) == 4
    assert outer.start_time_unix_nano <= middle.start_time_unix_nano <= count.start_time_unix_nano
    assert count.end_time_unix_nano <= middle.end_time_unix_nano <= boom.start_time_unix_nano
    assert boom.end_time_unix_nano <= outer.end_time_unix_nano
    assert (outer.kind, middle.kind) == (outer.SPAN_KIND_SERVER, outer.SPAN_KIND_INTERNAL)
    attributes = values(outer.attributes)
    assert attributes["parabola.request_id"] == result.request_id
    assert (attributes["code.function.name"], attributes["parabola.function.kind"]) == (
        "app:outer",
        "Mutation",
    )
    assert values(count.attributes)["parabola.function.kind"] == "Query"
    assert outer.status.code == outer.status.STATUS_CODE_UNSET
    assert boom.status.code == outer.status.STATUS_CODE_ERROR
    [exception] = boom.events
    assert values(exception.attributes)["exception.type"] == "ValueError"
    assert collector.resources[0]["service.name"] == "parabola"
    assert collector.resources[0]["service.instance.id"] == "parabola"
    assert collector.resources[0]["service.version"] == __version__


async def test_what_an_action_calls_is_below_it(backend: Backend, collector: Collector) -> None:
    await backend.action(client_call("app:act", {}))
    await collected(collector, "app:act", "app:later")
    act, later = collector.span("app:act"), collector.span("app:later")
    assert later.parent_span_id == act.span_id
    assert later.trace_id == act.trace_id
    assert later.kind == later.SPAN_KIND_INTERNAL


async def test_a_scheduled_function_has_a_trace_of_its_own_and_says_who_scheduled_it(
    backend: Backend, collector: Collector
) -> None:
    await backend.mutation(client_call("app:add", {}))
    await collected(collector, "app:add", "app:later")
    add, later = collector.span("app:add"), collector.span("app:later")
    assert later.trace_id != add.trace_id
    assert later.kind == later.SPAN_KIND_CONSUMER
    [link] = later.links
    assert (link.trace_id, link.span_id) == (add.trace_id, add.span_id)
    assert "parabola.scheduled_function_id" in values(later.attributes)
    assert values(add.attributes)["parabola.databaseWriteDocuments"] == 1


async def test_a_call_belongs_to_the_trace_of_its_request(backend: Backend, collector: Collector) -> None:
    await backend.mutation(client_call("app:add", {}, request=RequestContext(trace=TRACE)))
    await collected(collector, "app:add", "app:count")
    add, count = collector.span("app:add"), collector.span("app:count")
    assert add.trace_id.hex() == count.trace_id.hex() == TRACE.trace_id
    assert add.parent_span_id.hex() == TRACE.span_id
    assert add.trace_state == "vendor=1"
    assert count.parent_span_id == add.span_id


async def test_what_an_action_asks_learns_which_trace_it_is(backend: Backend, collector: Collector) -> None:
    call = client_call("app:ask", {"url": f"{collector.url}/api"}, request=RequestContext(trace=TRACE))
    result = await backend.action(call)
    await collected(collector, "app:ask")
    [(_, headers)] = collector.asked
    span = collector.span("app:ask")
    assert headers["traceparent"] == f"00-{TRACE.trace_id}-{span.span_id.hex()}-01"
    assert headers["tracestate"] == "vendor=1"
    assert result.value == TRACE.trace_id  # libraries that OpenTelemetry instruments know it as well
    assert (await backend.query(client_call("app:nowhere", {}))).value is True


async def test_who_asks_says_whether_a_trace_is_wanted(backend: Backend, collector: Collector) -> None:
    unwanted = RequestContext(trace=TRACE._replace(is_sampled=False))
    await backend.mutation(client_call("app:boom", {}, request=unwanted))
    await backend.query(client_call("app:count", {}))
    await collected(collector, "app:count")
    assert [span.name for span in collector.spans] == ["app:count"]


async def test_a_sampler_decides_for_whole_traces(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    async with opened(tmp_path, SETTINGS) as backend:
        await backend.deploy(PUSH)
        for _ in range(24):
            await backend.mutation(client_call("app:outer", {}))
    traces = {span.trace_id for span in collector.spans}
    assert 0 < len(traces) < 24
    assert len(collector.spans) == 4 * len(traces)


async def test_lines_and_failures_are_records_of_their_spans(backend: Backend, collector: Collector) -> None:
    await backend.mutation(client_call("app:add", {}))
    await backend.mutation(client_call("app:boom", {}))
    await asyncio.to_thread(collector.until, lambda: len(collector.records) >= 2)
    await collected(collector, "app:add", "app:boom")
    line, failure = collector.records
    assert (line.body.string_value, line.severity_number) == ("counting", 9)
    assert values(line.attributes)["code.function.name"] == "app:count"
    assert (line.trace_id, line.span_id) == (
        collector.span("app:add").trace_id,
        collector.span("app:add").span_id,
    )
    assert failure.body.string_value.startswith("Uncaught ValueError: no")
    assert failure.severity_text == "ERROR"
    assert failure.span_id == collector.span("app:boom").span_id


async def test_the_standards_variables_say_where_and_under_which_name(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,service.instance.id=one")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    async with opened(tmp_path, SETTINGS) as backend:
        await backend.deploy(PUSH)
        await backend.query(client_call("app:count", {}))
    # The end of a server waits for what is still to be told.
    assert [span.name for span in collector.spans] == ["app:count"]
    assert collector.records == []
    assert {headers["api-key"] for headers in collector.headers} == {"secret"}
    assert {headers["content-encoding"] for headers in collector.headers} == {"gzip"}
    [resource] = collector.resources
    assert (resource["service.name"], resource["service.instance.id"]) == ("shop", "one")
    assert resource["deployment.environment"] == "test"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "UnknownExporter"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon", "UnknownProtocol"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc", "OpenTelemetryUnavailable"),
    ],
)
async def test_what_is_not_there_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadRequest) as caught:
        async with opened(tmp_path, SETTINGS):
            pass
    assert caught.value.code == code


async def test_the_standards_switch_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with opened(tmp_path, SETTINGS) as backend:
        assert backend.runner.tracer is None


async def test_a_collector_that_is_not_there_holds_up_nobody_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    async with opened(tmp_path, SETTINGS) as backend:
        await backend.deploy(PUSH)
        telling = backend.runner.tracer
        assert isinstance(telling, OpenTelemetry)
        for _ in range(3):
            assert (await backend.query(client_call("app:count", {}))).error is None
            await backend.mutation(client_call("app:later", {}))
            await asyncio.to_thread(telling._spans.force_flush)
        lost = telling.lost["traces"]
        assert lost > 1
        text = (await exposition(backend.observations)).decode()
        assert f'parabola_otel_lost_total{{signal="traces"}} {lost}' in text
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith("No collector takes traces by OpenTelemetry; they are lost")


def test_without_its_packages_it_says_which_to_install() -> None:
    program = "import sys; sys.modules['opentelemetry'] = None; "
    program += "import parabola.services.observability.open_telemetry"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install parabola[otel]" in done.stderr.splitlines()[-1]
