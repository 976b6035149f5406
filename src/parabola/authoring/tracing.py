"""Which trace an action belongs to, for those whom it asks (W3C Trace Context)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

__all__ = ["enter_trace", "trace_headers"]

_headers: Final[ContextVar[Mapping[str, str]]] = ContextVar("trace_headers")


def trace_headers() -> dict[str, str]:
    """The headers by which a service that an action asks learns that this is one trace: `traceparent`, and
    `tracestate` where there is one. Empty where the server makes no traces, and in queries and mutations.

        await client.get("https://api.example.com/", headers=trace_headers())

    Libraries that OpenTelemetry instruments send them by themselves.
    """
    return dict(_headers.get({}))


def enter_trace(headers: Mapping[str, str]) -> None:
    """What is done from here on, in this context, belongs to a trace. The server's."""
    _headers.set(headers)
    if "opentelemetry" in sys.modules:  # somebody's code makes spans itself, or has a library that does
        try:
            from opentelemetry.context import attach
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError:
            return
        attach(TraceContextTextMapPropagator().extract(headers))
