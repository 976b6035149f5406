"""The text of a Transition, put together from parts that are encoded once for everybody.

A result's part (value, log lines, journal) is kept with the result, so one write that reaches a thousand
subscribers is encoded once; what differs from socket to socket are a query id and two versions.
Specified in sync-and-http 1.4 and 1.11.
"""

from __future__ import annotations

import base64
import logging
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import orjson

from parabola.functions.outcomes.failures import MISSING, SYSTEM_ERROR_TEXT, FunctionFailure, new_request_id
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.frames import SharedText
from parabola.server.sync.messages import json_string
from parabola.values.encoding import decode, dumps
from parabola.values.texts import repaired

__all__ = [
    "CHUNK_BYTES",
    "Version",
    "chunk_texts",
    "error_data_json",
    "query_pieces",
    "removed_pieces",
    "short_transition_text",
    "transition_text",
    "unwritable",
    "version_text",
    "visible_log_lines",
]

_log: Final = logging.getLogger(__name__)

CHUNK_BYTES: Final = 5_000_000
"""Larger Transitions are cut for clients that take chunks, into pieces of at most this many UTF-8 bytes."""


class Version(NamedTuple):
    """Where a socket stands. Compares part by part in this order, which is never needed: use each part."""

    query_set: int = 0
    identity: int = 0
    ts: int = 0


_latest_head: tuple[FunctionResult | None, tuple[Version, Version, int, bool] | None, bytes] = (
    None,
    None,
    b"",
)
"""What the newest message had in common with the next one, as a rule."""


@lru_cache(maxsize=1024)
def version_text(version: Version) -> bytes:
    """The wire form of a version. Each is written twice on a socket, and many sockets stand at the same
    one.
    """
    ts = base64.b64encode(struct.pack("<Q", version.ts))
    return b'{"querySet":%d,"identity":%d,"ts":"%b"}' % (version.query_set, version.identity, ts)


def query_pieces(query_id: int, result: FunctionResult, redacted: bool) -> tuple[bytes, SharedText]:
    """QueryUpdated or QueryFailed. Everything behind the query id is shared by all who get this result."""
    if result.error is None:
        shared = result.memo(("updated", redacted), _redacted_updated if redacted else _updated)
        return b'{"type":"QueryUpdated","queryId":%d,' % query_id, shared
    shared = result.memo(("failed", redacted), _redacted_failed if redacted else _failed)
    return b'{"type":"QueryFailed","queryId":%d,' % query_id, shared


def unwritable(result: FunctionResult) -> FunctionResult:
    """The failure that stands for a result which cannot be written, made once. Call it where that is
    caught.
    """

    def make(result: FunctionResult) -> FunctionResult:
        request_id = result.request_id or new_request_id()
        _log.exception("An answer cannot be written [Request ID: %s]", request_id)
        return FunctionResult(error=FunctionFailure(SYSTEM_ERROR_TEXT), request_id=request_id)

    return result.memo("unwritable", make)


def removed_pieces(query_id: int) -> tuple[bytes]:
    """QueryRemoved."""
    return (b'{"type":"QueryRemoved","queryId":%d}' % query_id,)


def transition_text(
    start: Version,
    end: Version,
    modifications: Sequence[Sequence[bytes]],
    skew_ms: int | None,
    server_ns: int,
) -> list[bytes]:
    """The whole message in pieces to be written one after the other; large results are not copied."""
    head = b'{"type":"Transition","startVersion":%b,"endVersion":%b,"modifications":[' % (
        version_text(start),
        version_text(end),
    )
    skew = b"null" if skew_ms is None else b"%d" % skew_ms
    tail = b'],"clientClockSkew":%b,"serverTs":%d}' % (skew, server_ns)
    pieces = [head]
    for modification in modifications:
        if len(pieces) > 1:
            pieces.append(b",")
        pieces.extend(modification)
    pieces.append(tail)
    return pieces


def short_transition_text(
    start: Version,
    end: Version,
    query_id: int,
    result: FunctionResult,
    redacted: bool,
    skew_ms: int | None,
    server_ns: int,
) -> bytes:
    """The same message in one piece, of one result. What clients have in common is put together once."""
    global _latest_head
    key = (start, end, query_id, redacted)
    latest = _latest_head
    if latest[0] is result and latest[1] == key:
        head = latest[2]
    else:
        head = b'{"type":"Transition","startVersion":%b,"endVersion":%b,"modifications":[%b],' % (
            version_text(start),
            version_text(end),
            b"".join(query_pieces(query_id, result, redacted)),
        )
        _latest_head = (result, key, head)
    if skew_ms is None:
        return b'%b"clientClockSkew":null,"serverTs":%d}' % (head, server_ns)
    return b'%b"clientClockSkew":%d,"serverTs":%d}' % (head, skew_ms, server_ns)


def chunk_texts(text: bytes) -> list[bytes]:
    """The TransitionChunk messages that together carry `text`; no cut falls inside a character."""
    cuts = [0]
    while len(text) - cuts[-1] > CHUNK_BYTES:
        cut = cuts[-1] + CHUNK_BYTES
        while text[cut] & 0xC0 == 0x80:  # a continuation byte: the character began before
            cut -= 1
        cuts.append(cut)
    cuts.append(len(text))
    total = len(cuts) - 1
    return [
        b'{"type":"TransitionChunk","chunk":%b,"partNumber":%d,"totalParts":%d,"transitionId":"%d"}'
        % (orjson.dumps(text[cuts[part] : cuts[part + 1]].decode()), part, total, len(text))
        for part in range(total)
    ]


def error_data_json(data: object) -> bytes:
    """A ConvexError's data as canonical JSON, in which every number has its fraction."""
    return dumps(decode(data))


def visible_log_lines(result: FunctionResult, redacted: bool) -> list[str]:
    """The log lines as a client may see them: `[LEVEL] text`, none at all with redaction."""
    if redacted:
        return []
    return [repaired(str(line)) for line in result.log_lines]


def _updated(result: FunctionResult, redacted: bool = False) -> SharedText:
    return SharedText(
        b'"value":%b,"logLines":%b,"journal":%b}'
        % (
            result.value_json,
            orjson.dumps(visible_log_lines(result, redacted)),
            orjson.dumps(result.journal),
        )
    )


def _redacted_updated(result: FunctionResult) -> SharedText:
    return _updated(result, redacted=True)


def _failed(result: FunctionResult, redacted: bool = False) -> SharedText:
    error = result.error
    assert error is not None
    text = error.render(result.request_id or new_request_id(), redacted=redacted)
    data = b"" if error.data is MISSING else b'"errorData":%b,' % error_data_json(error.data)
    return SharedText(
        b'"errorMessage":%b,%b"logLines":%b,"journal":%b}'
        % (
            json_string(text),
            data,
            orjson.dumps(visible_log_lines(result, redacted)),
            orjson.dumps(result.journal),
        )
    )


def _redacted_failed(result: FunctionResult) -> SharedText:
    return _failed(result, redacted=True)
