"""Messages to the engine as JSON, whatever user code has put into them.

What is a value is checked where it is handed in (`values.normalization`). The rest are names, texts and
numbers that user code may choose: table names, header values, what an exception says. A message that cannot
be written is its function's mistake, and is reported as such; it never goes missing.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_HOST_MESSAGE_BYTES
from parabola.values.sizes import humanize
from parabola.values.texts import is_well_formed, repaired

__all__ = ["MAX_LEVELS", "Json", "UnwritableMessage", "encode_message", "mended"]

Json = dict[str, Any]

MAX_LEVELS: Final = 200
"""Levels of a message that is mended; more cannot be written."""
_LARGEST_INTEGER: Final = 2**63


class UnwritableMessage(BadRequest):
    """A message cannot be written. Change what is named in it."""


def encode_message(message: Json) -> bytes:
    """The JSON of a message. Raises `UnwritableMessage`."""
    try:
        text = orjson.dumps(message)
    except Exception as error:
        raise UnwritableMessage(_problem(message) or f"{type(error).__name__}: {error}.") from None
    if len(text) > MAX_HOST_MESSAGE_BYTES:
        raise UnwritableMessage(
            f"{humanize(len(text))} are too much for one message, which may have "
            f"{humanize(MAX_HOST_MESSAGE_BYTES)}."
        )
    return text


def mended(message: Json) -> Json:
    """The same message with texts repaired and what cannot be written left out; a report that is too long
    becomes a failure.
    """
    plain: Json = _plain(message, 0)
    try:
        if len(orjson.dumps(plain)) <= MAX_HOST_MESSAGE_BYTES:
            return plain
    except TypeError:
        pass
    if message["type"] not in ("done", "failed"):
        return {"type": "log", "id": message.get("id"), "lines": []}
    text = f"What the function returned, threw or logged is larger than {humanize(MAX_HOST_MESSAGE_BYTES)}."
    return {
        "type": "failed",
        "id": message["id"],
        "error": {"message": text},
        "kind": "user",
        "logs": [],
        "usage": {},
    }


def _is(value: Any, kind: type) -> bool:
    """Whether it is one by its type; what it says of its class may be a lie, or raise."""
    return issubclass(type(value), kind)


def _plain(value: Any, level: int) -> Any:
    if value is None or type(value) in (bool, float, orjson.Fragment):
        return value
    if _is(value, str):
        return repaired(str.__str__(value))
    if _is(value, dict):
        if level >= MAX_LEVELS:
            return None
        return {
            repaired(str.__str__(name)): _plain(item, level + 1)
            for name, item in dict.items(value)
            if _is(name, str)
        }
    if _is(value, list) or _is(value, tuple):
        items = list.__iter__(value) if _is(value, list) else tuple.__iter__(value)
        return None if level >= MAX_LEVELS else [_plain(item, level + 1) for item in items]
    if _is(value, int) and int.__abs__(value) < _LARGEST_INTEGER:
        return int.__int__(value)
    return None


def _problem(message: Json) -> str | None:
    """What is wrong with a message that cannot be written, as far as its parts tell."""
    level: list[Any] = [message]
    levels = 0
    while level and levels <= MAX_LEVELS:
        levels += 1
        below: list[Any] = []
        for container in level:
            if _is(container, dict):
                members = [*dict.keys(container), *dict.values(container)]
            else:
                kind = list if _is(container, list) else tuple
                members = list(kind.__iter__(container))
            for member in members:
                if _is(member, str):
                    text = str.__str__(member)
                    if not is_well_formed(text):
                        return f"String {_shown(text)} is not valid Unicode: it has a lone surrogate"
                elif _is(member, dict) or _is(member, list) or _is(member, tuple):
                    below.append(member)
                elif _is(member, int) and int.__abs__(member) >= _LARGEST_INTEGER:
                    return "A number is out of range: it takes more than 64 bits."
        level = below
    return "It is too nested: more levels than a message can have." if level else None


def _shown(text: str) -> str:
    text = ascii(text)
    return text if len(text) <= 200 else text[:200] + "..."
