"""What an action tells others of the trace that it belongs to."""

from __future__ import annotations

import contextvars
import sys

import pytest
from opentelemetry.trace import get_current_span

from parabola import trace_headers
from parabola.authoring.tracing import enter_trace

HEADERS = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "a=1"}


def test_headers_are_those_of_the_action_and_of_nobody_else() -> None:
    context = contextvars.copy_context()
    context.run(enter_trace, HEADERS)
    assert context.run(trace_headers) == HEADERS
    assert trace_headers() == {}


def test_instrumented_libraries_know_the_trace() -> None:
    context = contextvars.copy_context()
    context.run(enter_trace, HEADERS)
    span = context.run(get_current_span).get_span_context()
    assert (f"{span.trace_id:032x}", f"{span.span_id:016x}") == ("ab" * 16, "cd" * 8)


def test_nothing_is_imported_for_those_who_have_no_such_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry")
    context = contextvars.copy_context()
    context.run(enter_trace, HEADERS)
    assert context.run(trace_headers) == HEADERS
    assert not context.run(get_current_span).get_span_context().is_valid
