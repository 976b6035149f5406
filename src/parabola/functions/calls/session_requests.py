"""Mutations that take effect once however often a client sends them (semantics §5.6).

A mutation of the sync protocol carries a session and a request id. Its result is stored under that pair in
the transaction of the mutation itself, so that either both are there or neither. Sending it again answers
with the stored result and the original commit timestamp, if it is the same call by the same caller: the pair
alone is no proof of that.

Results are kept for two weeks, for clients that were asleep. Those of mutations that wrote nothing protect
only a client that has been answered and sends again all the same, so they go after an hour.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import orjson
from msgspec import UNSET, Struct, UnsetType

from parabola.database.model.system_rows import SystemRow
from parabola.functions.calls.calling import Call
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine
from parabola.functions.outcomes.results import FunctionResult
from parabola.values.encoding import resolve_commit_ts

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction

__all__ = [
    "ANSWERED_ALREADY",
    "INDEX",
    "TABLE",
    "SessionRequest",
    "SessionResult",
    "call_digest",
    "store_result",
    "stored_result",
]

TABLE: Final = "_session_requests"
INDEX: Final = "by_session"


class SessionResult(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_session_requests`: JSON texts of what a mutation came to and of its log lines."""

    session_id: str
    request_id: float
    call: str | UnsetType = UNSET
    """Digest of the call. Rows of older versions do not have it."""
    result: str
    log_lines: str
    wrote_nothing: bool | UnsetType = UNSET
    """There, and true, where the mutation wrote nothing."""


ANSWERED_ALREADY: Final = FunctionFailure(
    "A mutation with this session and request id has been run already, with another function, other "
    "arguments or for another user, so its result is not shown here. Nothing was run now. A client must not "
    "use a request id twice in one session; sign in again as the user who sent it to see what became of it."
)


class SessionRequest(Struct, frozen=True):
    """The pair that names a mutation across reconnects."""

    session_id: str
    request_id: int


def call_digest(call: Call) -> str:
    """Tells a call from every other one: who calls, what, with which arguments. Raises `CallRefused`."""
    digest = hashlib.sha256()
    for part in (
        call.identity.caller.encode(),
        str(call.name).encode(),
        call.args.decode(str(call.name)).json,
    ):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


async def stored_result(
    transaction: Transaction, request: SessionRequest, call: Call
) -> FunctionResult | None:
    """The result of this mutation if it has been committed. The look-up is part of the read set.

    Where the pair belongs to another call the result says so and nothing else.
    """
    document = await transaction.find_system(TABLE, INDEX, request.session_id, float(request.request_id))
    if document is None:
        return None
    row = SessionResult.of(document)
    if not _is_of(row, call):
        return FunctionResult(error=ANSWERED_ALREADY, ts=document.ts, request_id=call.request.request_id)
    return FunctionResult(
        value_json=resolve_commit_ts(row.result.encode(), document.ts),
        log_lines=tuple(LogLine.from_json(line) for line in orjson.loads(row.log_lines)),
        ts=document.ts,
    )


def _is_of(row: SessionResult, call: Call) -> bool:
    """True if a stored result is that of a call. Rows of older versions do not say."""
    if isinstance(row.call, UnsetType):
        return True
    try:
        return row.call == call_digest(call)
    except CallRefused:
        return False


async def store_result(
    transaction: Transaction,
    request: SessionRequest,
    call: Call,
    value_json: bytes,
    lines: tuple[LogLine, ...],
) -> None:
    """Write the result beside what the mutation wrote."""
    row = SessionResult(
        session_id=request.session_id,
        request_id=float(request.request_id),
        call=call_digest(call),
        result=value_json.decode(),
        log_lines=orjson.dumps([line.to_json() for line in lines]).decode() if lines else "[]",
        wrote_nothing=UNSET if transaction.has_changes else True,
    )
    await transaction.insert_system(TABLE, row.fields())
