"""Traces and logs by OpenTelemetry, made from what the execution log says of calls that have ended.

Where they go, how many and under which name is told by the standard's own environment variables. Spans are
made by a thread of their own, after the fact: a call waits for none of it. Imported where it is asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.outcomes.traces import TraceContext
from parabola.services.observability.counted_exporter import CountedExporter
from parabola.services.observability.observations import Gauge
from parabola.services.observability.trace_ids import (
    nested_span_id_of,
    span_id_of,
    trace_id_of,
    trace_id_of_request,
)
from parabola.values.errors import BadRequest

try:
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Decision
    from opentelemetry.trace import (
        Link,
        NonRecordingSpan,
        SpanContext,
        SpanKind,
        Status,
        StatusCode,
        TraceFlags,
        TraceState,
        set_span_in_context,
    )
except ImportError as missing:
    raise BadRequest(
        "OpenTelemetry needs more packages: pip install parabola[otel].", code="OpenTelemetryUnavailable"
    ) from missing

if TYPE_CHECKING:
    from parabola.functions.calls.execution import Execution
    from parabola.functions.outcomes.execution_log import ExecutionEntry, ExecutionLog
    from parabola.functions.outcomes.logs import LogLine
    from parabola.functions.outcomes.traces import NestedCall

__all__ = ["OpenTelemetry", "is_disabled", "trace_gauges"]

MOST_WAITING: Final = 8192
"""Entries that may wait for the thread; what comes then is dropped, and counted."""
_LAST_SECONDS: Final = 2.0
"""How long the end of a server waits for the last spans to be taken."""
_SCOPE: Final = "parabola"
_SEVERITIES: Final = {"DEBUG": 5, "INFO": 9, "LOG": 9, "WARN": 13, "ERROR": 17}
_KINDS: Final = {
    "SyncWorker": SpanKind.SERVER,
    "HttpApi": SpanKind.SERVER,
    "HttpEndpoint": SpanKind.SERVER,
    "Cron": SpanKind.CONSUMER,
    "Scheduler": SpanKind.CONSUMER,
}

_log: Final = logging.getLogger(__name__)


def is_disabled() -> bool:
    """Whether the standard's variable says that nothing is to be done."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


class OpenTelemetry:
    """Tells of all that an execution log is told, until closed."""

    def __init__(self, log: ExecutionLog, clock: Callable[[], int], attributes: Mapping[str, str]) -> None:
        """`clock` is the log's, in nanoseconds. `attributes` are what the server knows of itself; what the
        variables say goes before. Raises `BadRequest` for variables that ask for what is not there.
        """
        self._clock = clock
        given = _given_attributes()
        own = {"service.name": "parabola", **attributes}
        own = {name: value for name, value in own.items() if name not in given}
        resource = Resource.create().merge(Resource(own))
        self.dropped = 0
        """Entries of which nothing was told: the thread could not keep up."""
        self._ids = _GivenIds()
        self._spans = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        exporter = _exporter("TRACES", "trace_exporter", "OTLPSpanExporter")
        self._makes_spans = exporter is not None
        self._outlets: list[CountedExporter] = []
        if exporter is not None:
            self._spans.add_span_processor(BatchSpanProcessor(self._counted(exporter, "traces")))
        self._tracer = self._spans.get_tracer(_SCOPE)
        self._records = LoggerProvider(resource=resource, shutdown_on_exit=False)
        exporter = _exporter("LOGS", "_log_exporter", "OTLPLogExporter")
        self._makes_records = exporter is not None
        if exporter is not None:
            outlet = self._counted(exporter, "logs")
            self._records.add_log_record_processor(BatchLogRecordProcessor(outlet))
        self._logger = self._records.get_logger(_SCOPE)
        self._waiting: queue.Queue[ExecutionEntry | None] = queue.Queue(MOST_WAITING)
        self._has_failed = False
        self._undo = log.listen(self._put)
        self._thread = threading.Thread(target=self._tell_all, name="parabola-otel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell of what waits, if it is taken soon. Blocking."""
        self._undo()
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=_LAST_SECONDS)
        self._thread.join(_LAST_SECONDS)
        last = threading.Thread(target=self._shut_down, daemon=True)
        last.start()
        last.join(_LAST_SECONDS)

    def _counted(self, exporter: Any, signal: str) -> Any:
        self._outlets.append(CountedExporter(exporter, signal))
        return self._outlets[-1]

    def _shut_down(self) -> None:
        self._spans.shutdown()
        self._records.shutdown()

    @property
    def lost(self) -> dict[str, float]:
        """Spans and records that nobody has taken, by what they are."""
        return {outlet.signal: float(outlet.lost) for outlet in self._outlets}

    # What calls ask for

    def now(self) -> float:
        """The clock of the log, in seconds since the epoch."""
        return self._clock() / 1e9

    def place(self, execution: Execution) -> TraceContext:
        """Where in a trace a function is: what it calls and schedules comes from there."""
        attempt, given = execution.attempt, execution.attempt.request.trace
        trace_id = trace_id_of_request(attempt.request.request_id) if given is None else given.trace_id
        name = str(attempt.call.name)
        span_id = (
            span_id_of(attempt.execution_id)
            if execution.place < 0
            else nested_span_id_of(attempt.execution_id, execution.place)
        )
        is_sampled = self._makes_spans and self._is_sampled(given, trace_id, name)
        return TraceContext(trace_id, span_id, is_sampled, "" if given is None else given.state)

    # What is made of entries

    def _put(self, entry: ExecutionEntry) -> None:
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self.dropped += 1

    def _tell_all(self) -> None:
        while (entry := self._waiting.get()) is not None:
            try:
                self._tell(entry)
            except Exception:
                if not self._has_failed:
                    _log.exception("What has become of %s could not be told", entry.identifier)
                self._has_failed = True

    def _tell(self, entry: ExecutionEntry) -> None:
        trace_id, span_id = trace_id_of(entry), span_id_of(entry.execution_id)
        if self._makes_records:
            where = set_span_in_context(NonRecordingSpan(_context(trace_id, span_id)), Context())
            for record in _records_of(entry, where):
                self._logger.emit(record)
        if not (self._makes_spans and entry.kind == "Completion"):
            return
        name = entry.identifier
        if not self._is_sampled(entry.trace, trace_id, name):
            return
        parent: SpanContext | None
        if entry.parent_execution_id is not None:
            parent = _context(trace_id, span_id_of(entry.parent_execution_id), entry.trace)
        else:
            parent = None if entry.trace is None else _remote(entry.trace)
        self._span(
            name,
            trace_id,
            span_id,
            parent,
            SpanKind.INTERNAL if entry.parent_execution_id else _KINDS.get(entry.caller, SpanKind.INTERNAL),
            entry.timestamp - entry.execution_time,
            entry.timestamp,
            _attributes_of(entry),
            None if entry.error is None else entry.error.message,
            "" if entry.error is None else entry.error.text(),
            [] if entry.cause is None or entry.parent_execution_id else [Link(_remote(entry.cause))],
        )
        for place, call in enumerate(entry.nested):
            caller = span_id if call.caller < 0 else nested_span_id_of(entry.execution_id, call.caller)
            self._span(
                call.identifier,
                trace_id,
                nested_span_id_of(entry.execution_id, place),
                _context(trace_id, caller, entry.trace),
                SpanKind.INTERNAL,
                call.began,
                max(call.began, call.ended),
                _attributes_of_call(entry, call),
                None if call.error is None else call.error.partition("\n")[0],
                call.error or "",
                [],
            )

    def _is_sampled(self, given: TraceContext | None, trace_id: str, name: str) -> bool:
        """What the sampler says of the outermost call of a trace here: the others go with it."""
        around = None if given is None else set_span_in_context(NonRecordingSpan(_remote(given)), Context())
        result = self._spans.sampler.should_sample(around or Context(), int(trace_id, 16), name)
        return result.decision is Decision.RECORD_AND_SAMPLE

    def _span(
        self,
        name: str,
        trace_id: str,
        span_id: str,
        parent: SpanContext | None,
        kind: SpanKind,
        began: float,
        ended: float,
        attributes: dict[str, Any],
        failure: str | None,
        stack: str,
        links: list[Link],
    ) -> None:
        self._ids.give(trace_id, span_id)
        around = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
        span = self._tracer.start_span(
            name,
            context=around,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=int(began * 1e9),
            record_exception=False,
        )
        if failure is not None:
            span.set_status(Status(StatusCode.ERROR, failure))
            type_, colon, _ = failure.removeprefix("Uncaught ").partition(":")
            told = {"exception.message": failure, "exception.stacktrace": stack}
            told["exception.type"] = type_ if colon and type_.isidentifier() else "Error"
            span.add_event("exception", told, timestamp=int(ended * 1e9))
        span.end(int(ended * 1e9))


def trace_gauges(telling: OpenTelemetry) -> list[Gauge]:
    """What `/metrics` tells of it."""
    return [
        Gauge(
            "parabola_otel_dropped_calls_total",
            "Calls of which no trace was made, since there were too many at once.",
            lambda: float(telling.dropped),
            is_counter=True,
        ),
        Gauge(
            "parabola_otel_lost_total",
            "Spans and log records that no collector has taken.",
            lambda: telling.lost,
            is_counter=True,
            label="signal",
        ),
    ]


class _GivenIds(IdGenerator):
    """The ids that are known already."""

    def __init__(self) -> None:
        self._trace_id = self._span_id = 0

    def give(self, trace_id: str, span_id: str) -> None:
        """The ids of the next span."""
        self._trace_id, self._span_id = int(trace_id, 16), int(span_id, 16)

    def generate_trace_id(self) -> int:
        return self._trace_id

    def generate_span_id(self) -> int:
        return self._span_id


def _context(trace_id: str, span_id: str, given: TraceContext | None = None) -> SpanContext:
    """The place of a span of this server that is made."""
    state = TraceState() if given is None else TraceState.from_header([given.state])
    return SpanContext(int(trace_id, 16), int(span_id, 16), False, TraceFlags(TraceFlags.SAMPLED), state)


def _remote(place: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.is_sampled else TraceFlags.DEFAULT)
    state = TraceState.from_header([place.state])
    return SpanContext(int(place.trace_id, 16), int(place.span_id, 16), True, flags, state)


def _attributes_of(entry: ExecutionEntry) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "code.function.name": entry.identifier,
        "parabola.function.kind": entry.udf_type,
        "parabola.function.runtime": entry.runtime,
        "parabola.request_id": entry.request_id,
        "parabola.execution_id": entry.execution_id,
        "parabola.caller": entry.caller,
        "parabola.identity": entry.identity_type,
        "parabola.user_seconds": entry.user_execution_time,
    }
    if entry.component_path:
        attributes["parabola.component"] = entry.component_path
    if entry.retries:
        attributes["parabola.retries"] = entry.retries
    if entry.is_rerun:
        attributes["parabola.rerun"] = True
    if entry.scheduled_function_id is not None:
        attributes["parabola.scheduled_function_id"] = entry.scheduled_function_id
    if entry.udf_type == "HttpAction":
        method, _, route = entry.identifier.partition(" ")
        attributes |= {"http.request.method": method, "http.route": route}
        if entry.success_status is not None and entry.success_status.isdecimal():
            attributes["http.response.status_code"] = int(entry.success_status)
    used = entry.usage_stats
    for name in (
        "databaseReadDocuments",
        "databaseReadBytes",
        "databaseWriteDocuments",
        "databaseWriteBytes",
    ):
        if used.get(name):
            attributes[f"parabola.{name}"] = int(used[name])
    return attributes


def _attributes_of_call(entry: ExecutionEntry, call: NestedCall) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "code.function.name": call.identifier,
        "parabola.function.kind": call.udf_type,
        "parabola.request_id": entry.request_id,
    }
    if call.component_path:
        attributes["parabola.component"] = call.component_path
    return attributes


def _records_of(entry: ExecutionEntry, where: Context) -> Iterator[LogRecord]:
    """What a call has written, and how it failed."""
    for line in entry.log_lines:
        ms = line.timestamp or int(entry.timestamp * 1000)
        yield _record(entry, ms, line.level, " ".join(line.messages), where, line)
    if entry.kind == "Completion" and entry.error is not None:
        yield _record(entry, int(entry.timestamp * 1000), "ERROR", entry.error.text().rstrip("\n"), where)


def _record(
    entry: ExecutionEntry, ms: int, level: str, text: str, where: Context, line: LogLine | None = None
) -> LogRecord:
    nested = line is not None and line.udf_path is not None
    component = line.component_path if nested and line is not None else entry.component_path
    attributes: dict[str, Any] = {
        "code.function.name": line.udf_path if nested and line is not None else entry.identifier,
        "parabola.function.kind": entry.udf_type,
        "parabola.request_id": entry.request_id,
    }
    if component:
        attributes["parabola.component"] = component
    return LogRecord(
        timestamp=ms * 1_000_000,
        context=where,
        severity_text="INFO" if level == "LOG" else level,
        severity_number=SeverityNumber(_SEVERITIES[level]),
        body=text,
        attributes=attributes,
    )


def _given_attributes() -> set[str]:
    """Which attributes of the resource the variables name."""
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    names = {pair.partition("=")[0].strip() for pair in given.split(",")}
    return names | ({"service.name"} if os.environ.get("OTEL_SERVICE_NAME") else set())


def _exporter(signal: str, module: str, name: str) -> Any:
    """What sends a signal, by `OTEL_TRACES_EXPORTER` or `OTEL_LOGS_EXPORTER`; None for nothing."""
    wanted = os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip() or "otlp"
    if wanted == "none":
        return None
    if wanted != "otlp":
        raise BadRequest(
            f"OTEL_{signal}_EXPORTER is {wanted!r}. There are otlp and none.", code="UnknownExporter"
        )
    protocol = (
        os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL")
        or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    packages = {"http/protobuf": "http", "grpc": "grpc"}
    if protocol not in packages:
        raise BadRequest(
            f"There is no protocol {protocol!r} here, but http/protobuf, and grpc where its package is.",
            code="UnknownProtocol",
        )
    try:
        found = importlib.import_module(f"opentelemetry.exporter.otlp.proto.{packages[protocol]}.{module}")
    except ImportError:
        raise BadRequest(
            "For the protocol grpc: pip install opentelemetry-exporter-otlp-proto-grpc.",
            code="OpenTelemetryUnavailable",
        ) from None
    return getattr(found, name)()
