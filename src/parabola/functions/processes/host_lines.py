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

from parabola.functions.processes.host_messages import UnreadableMessage

__all__ = ["after_noise", "named_in", "read_line", "shown"]

HEAD_BYTES: Final = 128
"""How much of a line is looked at to find out whom it is about."""

_HEAD: Final = re.compile(rb'\s*\{\s*"type"\s*:\s*"\w{1,32}"\s*,\s*"id"\s*:\s*(\d{1,15})\s*[,}]')
_BEGIN: Final = b'{"type":"'


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
