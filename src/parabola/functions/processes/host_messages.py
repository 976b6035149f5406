"""Reading what a host says: each line is a message of the right shape, or somebody's fault.

A host runs user code, and user code finds ways to be in what the host writes: half a character, a value a
thousand levels deep, bytes written past the host. So a line is never trusted. What names a run costs that
run; what names none is noise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

import orjson

Message = dict[str, Any]

HEAD_BYTES: Final = 128
"""How much of a line is looked at to find out whom it is about."""

_HEAD: Final = re.compile(rb'\s*\{\s*"type"\s*:\s*"\w{1,32}"\s*,\s*"id"\s*:\s*(\d{1,15})\s*[,}]')
_BEGIN: Final = b'{"type":"'


class UnreadableMessage(Exception):
    """A line is no message, or one of the wrong shape. `id` is the run or analysis that it names."""

    def __init__(self, why: str, id: int | None = None) -> None:
        super().__init__(why)
        self.id = id


def read_message(line: bytes) -> Message:
    """The message in a line. Raises `UnreadableMessage`."""
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


# --------------------------------------------------------------------------------------- shapes


def check_shape(message: Message) -> None:
    """Raise `UnreadableMessage` unless a message has what its type needs, of the right types.

    Messages of other types and fields that nobody reads are left alone.
    """
    check = _CHECKS.get(message["type"])
    if check is not None:
        id = message.get("id")
        if type(id) is not int:
            raise UnreadableMessage(f"a {message['type']} has no id")
        wrong = check(message)
        if wrong is not None:
            raise UnreadableMessage(f"{wrong} of a {message['type']} cannot be that", id)


def _syscall(message: Message) -> str | None:
    calls = message.get("calls")
    if type(calls) is not list:
        return "`calls`"
    for call in calls:
        if type(call) is not dict or type(call.get("call")) is not int or type(call.get("op")) is not str:
            return "one of the `calls`"
        args = call.get("args")
        if args is not None and type(args) is not dict:
            return "the arguments"
    if not _is_time(message.get("userMs")):
        return "`userMs`"
    return _logs(message)


def _logs(message: Message) -> str | None:
    logs = message.get("logs")
    return None if logs is None or type(logs) is list else "`logs`"


def _report(message: Message) -> str | None:
    """What `done` and `failed` share."""
    usage = message.get("usage")
    if usage:
        if type(usage) is not dict:
            return "`usage`"
        if not _is_time(usage.get("userMs")):
            return "`userMs`"
        if not _are_names(usage.get("envRead")) or not _are_names(usage.get("unawaited")):
            return "one of the names in `usage`"
    return _logs(message)


def _failed(message: Message) -> str | None:
    error = message.get("error")
    if type(error) is not dict:
        return "`error`"
    return _report(message)


def _log(message: Message) -> str | None:
    return None if type(message.get("lines")) is list else "`lines`"


def _response_head(message: Message) -> str | None:
    status, headers = message.get("status"), message.get("headers")
    if type(status) is not int or not 200 <= status <= 599:
        return "`status`"
    if type(headers) is not list:
        return "`headers`"
    for pair in headers:
        if type(pair) is not list or len(pair) != 2 or not all(type(text) is str for text in pair):
            return "one of the `headers`"
        name, value = pair
        if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
            return f"the header {name[:64]!a}"
    return None


_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE: Final = re.compile(r"[^\x00\r\n]*\Z")


def _response_chunk(message: Message) -> str | None:
    data = message.get("data")
    return None if type(data) is str and data.isascii() else "`data`"


def _request_taken(message: Message) -> str | None:
    count = message.get("bytes")
    return None if type(count) is int and count >= 0 else "`bytes`"


def _analysis(message: Message) -> str | None:
    return None if type(message.get("result")) is dict else "`result`"


def _id_only(message: Message) -> str | None:
    return None


def _is_time(value: Any) -> bool:
    """Milliseconds, or nothing."""
    return value is None or (type(value) in _NUMBERS and 0 <= value < inf)


def _are_names(names: Any) -> bool:
    return not names or (type(names) is list and all(type(each) is str for each in names))


_NUMBERS: Final = frozenset((int, float))


_CHECKS: Final[Mapping[str, Callable[[Message], str | None]]] = {
    "syscall": _syscall,
    "log": _log,
    "done": _report,
    "failed": _failed,
    "responseHead": _response_head,
    "responseChunk": _response_chunk,
    "responseEnd": _id_only,
    "requestTaken": _request_taken,
    "analysis": _analysis,
    "stalled": _id_only,
    "free": _id_only,
}
