"""What a function may know of the request that called it."""

from __future__ import annotations

from aiohttp.test_utils import make_mocked_request

from parabola.functions.outcomes.traces import TraceContext
from parabola.server.app import create_app
from parabola.server.http.request_context import request_context
from server.fake_backend import messages_backend

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def asked(**headers: str) -> TraceContext | None:
    app = create_app(messages_backend())
    return request_context(make_mocked_request("POST", "/api/query", {"Host": "h", **headers}, app=app)).trace


def test_a_request_names_the_trace_that_it_belongs_to():
    place = asked(traceparent=PARENT, tracestate="vendor=1")
    assert place == TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True, "vendor=1")
    assert place.parent == PARENT


def test_what_names_none_is_no_error():
    assert asked() is asked(traceparent="nonsense") is asked(tracestate="vendor=1") is None
