"""Reading the lines that a host writes: each is a message, or somebody's fault.

A host runs user code, and user code finds ways to be in what the host writes: half a character, a value a
thousand levels deep, bytes written past the host. So a line is never trusted. What names a run costs that
run; what names none is noise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from parabola.database.transaction_state import TransactionState
from parabola.functions.processes.host_messages import Done, UnreadableMessage, Usage

__all__ = ["after_noise", "named_in", "read_line", "read_plain_end", "shown"]

HEAD_BYTES: Final = 128
"""How much of a line is looked at to find out whom it is about."""

_HEAD: Final = re.compile(rb'\s*\{\s*"type"\s*:\s*"\w{1,32}"\s*,\s*"id"\s*:\s*(\d{1,15})\s*[,}]')
_BEGIN: Final = b'{"type":"'
_END: Final = b'{"type":"done",'
_NULL: Final = b"null"


class _PlainEnd(Struct, frozen=True, gc=False, tag="done", forbid_unknown_fields=True):
    """A `done` message. Values in it are left to orjson, which reads numbers in its own way."""

    id: int
    result: Raw = Raw(_NULL)
    logs: Raw = Raw(_NULL)
    usage: Usage | None = None
    state: TransactionState | None = None


_decoder: Final = Decoder(_PlainEnd)


def _read(text: bytes) -> Any:
    return None if text == _NULL else orjson.loads(text)


def read_plain_end(line: bytes) -> Done | None:
    """The `done` message in a line, read in one step; None where that is not enough (`read_line`)."""
    if not line.startswith(_END):
        return None
    try:
        end = _decoder.decode(line)
        result, logs = _read(bytes(end.result)), _read(bytes(end.logs))
    except (DecodeError, UnicodeError, RecursionError, ValueError):
        return None
    if logs is not None and type(logs) is not list:
        return None
    return Done(end.id, result, logs, end.usage, end.state)


def read_line(line: bytes) -> Mapping[str, Any]:
    """The object in a line, for `host_message`. Raises `UnreadableMessage`."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UnreadableMessage(str(error), named_in(line)) from None
    if type(message) is not dict or type(message.get("type")) is not str:
        raise UnreadableMessage("it is not an object with a type")
    return message


def named_in(line: bytes) -> int | None:
    """The id of the run that a line is about, as far as its beginning tells: `type` and `id` come first."""
    found = _HEAD.match(line[:HEAD_BYTES])
    return None if found is None else int(found[1])


def after_noise(line: bytes) -> bytes | None:
    """What follows bytes that somebody wrote past the host, if it may be a message."""
    begin = line.find(_BEGIN, 1)
    return None if begin < 0 else line[begin:]


def shown(line: bytes) -> str:
    """The beginning of a line for the log: one line of printable characters."""
    return ascii(line[:200].decode("utf-8", "replace"))
