"""Names of traces and spans, the same wherever they are needed: in spans, in records, in what is sent on.

A call belongs to the trace that its request names. Without one its request id makes a trace, so that all that
a request has caused is in one, and whoever has the id from an error finds it.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from parabola.functions.outcomes.execution_log import ExecutionEntry

__all__ = ["nested_span_id_of", "span_id_of", "trace_id_of", "trace_id_of_request"]

_PROCESS: Final = secrets.token_bytes(16)
"""Two servers in one trace number their executions alike."""


def trace_id_of(entry: ExecutionEntry) -> str:
    """The trace of a call."""
    return trace_id_of_request(entry.request_id) if entry.trace is None else entry.trace.trace_id


def trace_id_of_request(request_id: str) -> str:
    """The trace of a request that names none: 32 hexadecimal digits."""
    return blake2b(request_id.encode("utf-8", "replace"), digest_size=16).hexdigest()


def span_id_of(execution_id: str) -> str:
    """The span of an execution of this process: 16 hexadecimal digits."""
    return blake2b(execution_id.encode(), digest_size=8, key=_PROCESS).hexdigest()


def nested_span_id_of(execution_id: str, place: int) -> str:
    """The span of a call in the transaction of an execution, by its place among these."""
    return span_id_of(f"{execution_id}/{place}")
