"""The headers of W3C Trace Context, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.outcomes.traces import MAX_STATE_LENGTH, TraceContext, read_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


@given(
    hexadecimal(32), hexadecimal(16), st.booleans(), st.text(st.characters(codec="ascii", categories=["L"]))
)
def test_what_is_written_is_read(trace_id: str, span_id: str, is_sampled: bool, state: str) -> None:
    place = TraceContext(trace_id, span_id, is_sampled, state)
    headers = place.headers()
    assert read_trace(headers["traceparent"], headers.get("tracestate", "")) == place


@given(st.text())
def test_nothing_that_comes_is_an_error(text: str) -> None:
    assert read_trace(text, text) is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-1",
    ],
)
def test_what_is_no_such_header_begins_a_trace_of_its_own(header: str) -> None:
    assert read_trace(header) is None


def test_later_versions_of_the_standard_are_read_as_far_as_they_are_known() -> None:
    assert read_trace(f"cc-{TRACE}-{SPAN}-03-what-the-future-brings") == TraceContext(TRACE, SPAN, True)
    assert read_trace(f"00-{TRACE}-{SPAN}-02") == TraceContext(TRACE, SPAN, False)


@pytest.mark.parametrize("state", ["a=b\r\nc: d", "é=1", "x" * (MAX_STATE_LENGTH + 1)])
def test_a_state_that_cannot_be_passed_on_is_left_out(state: str) -> None:
    assert read_trace(f"00-{TRACE}-{SPAN}-01", state) == TraceContext(TRACE, SPAN, True)
