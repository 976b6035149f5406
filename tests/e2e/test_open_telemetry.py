"""A real server that tells traces to a collector: what comes in with a request goes on in what it asks."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess
from services.observability.collector import Collector, collecting, values

pytestmark = pytest.mark.e2e

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OTHER_TRACE = "a" * 32
TRACED = """
import { action, mutation, query } from "./_generated/server";
import { api } from "./_generated/api";
import { v } from "convex/values";
export const ask = action({
  args: { url: v.string() },
  handler: async (ctx, { url }) => {
    await fetch(`${url}/from-action`);
    await ctx.runMutation(api.traced.write, {});
  },
});
export const write = mutation({
  args: {},
  handler: async (ctx) => { await ctx.runQuery(api.traced.read, {}); },
});
export const read = query({ args: {}, handler: async () => { console.warn("reading"); } });
"""
NODE = """
"use node";
import { action } from "./_generated/server";
import { v } from "convex/values";
export const ask = action({
  args: { url: v.string() },
  handler: async (_ctx, { url }) => { await fetch(`${url}/from-node`, { method: "POST", body: "x" }); },
});
"""
PYTHON = """
from urllib.request import Request, urlopen
from parabola import action, mutation, query, trace_headers

@action
def ask(ctx, url: str) -> None:
    urlopen(Request(f"{url}/from-python", headers=trace_headers()))
    ctx.run_mutation("traced:write", {})

@mutation
def write(ctx) -> None:
    ctx.db.insert("notes", {})
    ctx.run_query("traced:read", {})
    ctx.scheduler.run_after(0, "traced:later", {})

@query
def read(ctx) -> None: ...

@mutation
def later(ctx) -> None: ...
"""
HTTP = """
import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server";
const http = httpRouter();
http.route({ path: "/hook", method: "POST", handler: httpAction(async (_ctx, request) => {
  await fetch(`${await request.text()}/from-http`);
  return new Response(null, { status: 202 });
}) });
export default http;
"""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def project(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory, npm_packages: Path
) -> Iterator[ConvexProject]:
    folder = tmp_path_factory.mktemp("traced")
    server = ServerProcess(folder, "serve", "--port", "0", "--site-port", "0", "--otel").start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="50",
        OTEL_BLRP_SCHEDULE_DELAY="50",
    )
    project = ConvexProject(folder / "project", server)
    project.write("traced.ts", TRACED)
    project.write("node_traced.ts", NODE)
    project.write("http.ts", HTTP)
    project.push()
    yield project
    server.close()


def ask(url: str, body: Any, trace_id: str = TRACE) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    trace = {"traceparent": f"00-{trace_id}-{PARENT}-01", "tracestate": "vendor=1"}
    headers = {"Content-Type": "application/json", **trace}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        assert answer.status < 300, answer.read()


def headers_of(collector: Collector, path: str) -> dict[str, str]:
    collector.until(
        lambda: any(each == path and TRACE in headers["traceparent"] for each, headers in collector.asked)
    )
    return next(
        headers for each, headers in collector.asked if each == path and TRACE in headers["traceparent"]
    )


@pytest.mark.parametrize(
    ("function", "path"), [("traced:ask", "/from-action"), ("node_traced:ask", "/from-node")]
)
def test_a_trace_goes_through_an_action_to_what_it_asks(
    project: ConvexProject, collector: Collector, function: str, path: str
) -> None:
    ask(f"{project.server.url}/api/action", {"path": function, "args": {"url": collector.url}})
    asked = headers_of(collector, path)
    collector.until(
        lambda: any(span.name == function and span.trace_id.hex() == TRACE for span in collector.spans)
    )
    span = collector.span(function, TRACE)
    assert span.parent_span_id.hex() == PARENT
    assert asked["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert asked["tracestate"] == "vendor=1"


def test_what_an_action_calls_is_below_it(project: ConvexProject, collector: Collector) -> None:
    url = f"{project.server.url}/api/action"
    ask(url, {"path": "traced:ask", "args": {"url": collector.url}}, OTHER_TRACE)
    names = {f"traced:{name}" for name in ("ask", "write", "read")}
    collector.until(
        lambda: names <= {span.name for span in collector.spans if span.trace_id.hex() == OTHER_TRACE}
    )
    action, write, read = (collector.span(f"traced:{name}", OTHER_TRACE) for name in ("ask", "write", "read"))
    assert (write.parent_span_id, read.parent_span_id) == (action.span_id, write.span_id)
    collector.until(lambda: any(record.trace_id.hex() == OTHER_TRACE for record in collector.records))
    [line] = [record for record in collector.records if record.trace_id.hex() == OTHER_TRACE]
    assert (line.severity_text, line.body.string_value) == ("WARN", "'reading'")


def test_a_request_to_an_http_action_is_a_span_of_its_route(
    project: ConvexProject, collector: Collector
) -> None:
    ask(f"{project.server.url}/http/hook", collector.url)
    asked = headers_of(collector, "/from-http")
    collector.until(lambda: any(span.name == "POST /hook" for span in collector.spans))
    span = collector.span("POST /hook")
    assert asked["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    attributes = values(span.attributes)
    assert (attributes["http.request.method"], attributes["http.route"]) == ("POST", "/hook")
    assert attributes["http.response.status_code"] == 202
    assert span.parent_span_id.hex() == PARENT


def test_python_functions_in_processes_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "traced.py").write_text(PYTHON)
    with collecting() as collector:
        server = ServerProcess(tmp_path, "dev", "--port", "0", "--site-port", "0", "--otel").start(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="50"
        )
        try:
            ask(f"{server.url}/api/action", {"path": "traced:ask", "args": {"url": collector.url}})
            names = {"traced:ask", "traced:write", "traced:read", "traced:later"}
            collector.until(lambda: names <= {span.name for span in collector.spans})
        finally:
            server.close()
        asked = headers_of(collector, "/from-python")
        spans = {name: collector.span(name) for name in names}
        assert asked["traceparent"] == f"00-{TRACE}-{spans['traced:ask'].span_id.hex()}-01"
        assert spans["traced:write"].parent_span_id == spans["traced:ask"].span_id
        assert spans["traced:read"].parent_span_id == spans["traced:write"].span_id
        later = spans["traced:later"]
        assert later.trace_id.hex() != TRACE
        [link] = later.links
        assert (link.trace_id.hex(), link.span_id) == (TRACE, spans["traced:read"].parent_span_id)
