"""A collector of OpenTelemetry: it takes what the official messages can read, and keeps it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What has come, and a way to wait for more."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.records: list[LogRecord] = []
        self.resources: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        """Other requests: path and headers."""
        self._came = threading.Condition()
        self.url = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        with self._came:
            if path == "/v1/traces":
                traces = ExportTraceServiceRequest.FromString(body)
                for each in traces.resource_spans:
                    self.resources.append(values(each.resource.attributes))
                    self.spans += [span for scope in each.scope_spans for span in scope.spans]
            elif path == "/v1/logs":
                for logs in ExportLogsServiceRequest.FromString(body).resource_logs:
                    self.records += [record for scope in logs.scope_logs for record in scope.log_records]
            else:
                self.asked.append((path, headers))
            self.headers.append(headers)
            self._came.notify_all()

    def until(self, holds: Callable[[], bool]) -> None:
        """Blocking."""
        with self._came:
            assert self._came.wait_for(holds, timeout=30), (self.spans, self.records)

    def span(self, name: str, trace_id: str = "") -> Span:
        """The one of this name, in a trace if one is given."""
        [span] = [span for span in self.spans if span.name == name and span.trace_id.hex().endswith(trace_id)]
        return span


def values(attributes: Any) -> dict[str, Any]:
    """Attributes by their names."""
    found = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        found[each.key] = None if kind is None else getattr(each.value, kind)
    return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            collector.take(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
