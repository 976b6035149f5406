"""Traces that calls belong to (W3C Trace Context, level 1), and the calls within a transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["MAX_STATE_LENGTH", "NestedCall", "TraceContext", "read_trace"]

MAX_STATE_LENGTH: Final = 512
"""Characters of a `tracestate` that are passed on, as the standard asks for at least."""
_PARENT: Final = re.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE: Final = re.compile("[ -~]*")
_SAMPLED: Final = 1


class TraceContext(NamedTuple):
    """A place in a trace: the span that caused what is done now."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    is_sampled: bool = True
    state: str = ""
    """What those before have to say, as it came: `tracestate`."""

    @property
    def parent(self) -> str:
        """The header `traceparent` that says this."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"

    def headers(self) -> dict[str, str]:
        """The headers that say this to whoever is called."""
        state = {"tracestate": self.state} if self.state else {}
        return {"traceparent": self.parent, **state}


@dataclass(slots=True)
class NestedCall:
    """A call in the transaction of another. Times are seconds since the epoch."""

    identifier: str
    udf_type: str
    component_path: str
    caller: int
    """The place of the call that made it among those of the same transaction; -1: the outermost one."""
    began: float
    ended: float = 0.0
    error: str | None = None


def read_trace(parent: str, state: str = "") -> TraceContext | None:
    """The place that `traceparent` and `tracestate` name; None for what is no such header, which begins a
    trace of its own as if nothing had come.
    """
    match = _PARENT.fullmatch(parent.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    if len(state) > MAX_STATE_LENGTH or not _STATE.fullmatch(state):
        state = ""
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), state)
