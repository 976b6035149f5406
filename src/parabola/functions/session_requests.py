"""Mutations that take effect once however often a client sends them (semantics §5.6).

A mutation of the sync protocol carries a session and a request id. Its result is stored under that pair in
the transaction of the mutation itself, so that either both are there or neither. Sending it again answers
with the stored result and the original commit timestamp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from parabola.functions.logs import LogLine
from parabola.functions.results import FunctionResult
from parabola.values.encoding import resolve_commit_ts

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction

TABLE = "_session_requests"
INDEX = "by_session"
RETENTION_DAYS = 14
"""Days after which a stored result may be removed (semantics §13)."""


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """The pair that names a mutation across reconnects."""

    session_id: str
    request_id: int


async def stored_result(transaction: Transaction, request: SessionRequest) -> FunctionResult | None:
    """The result of this mutation if it has been committed. The look-up is part of the read set."""
    document = await transaction.find_system(TABLE, INDEX, request.session_id, float(request.request_id))
    if document is None:
        return None
    row = document.value
    return FunctionResult(
        value_json=resolve_commit_ts(row["result"].encode(), document.ts),
        log_lines=tuple(LogLine.from_json(line) for line in orjson.loads(row["logLines"])),
        ts=document.ts,
    )


async def store_result(
    transaction: Transaction, request: SessionRequest, value_json: bytes, lines: tuple[LogLine, ...]
) -> None:
    """Write the result beside what the mutation wrote."""
    await transaction.insert_system(
        TABLE,
        {
            "sessionId": request.session_id,
            "requestId": float(request.request_id),
            "result": value_json.decode(),
            "logLines": orjson.dumps([line.to_json() for line in lines]).decode() if lines else "[]",
        },
    )
