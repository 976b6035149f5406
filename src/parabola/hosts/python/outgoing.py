"""Messages to the engine as JSON, whatever user code has put into them.

What is a value is checked where it is handed in (``values.normalization``). The rest are names, texts and
numbers that user code may choose: table names, header values, what an exception says. A message that cannot
be written is its function's mistake, and is reported as such; it never goes missing.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from parabola.values.errors import BadRequest
from parabola.values.sizes import humanize
from parabola.values.texts import is_well_formed, repaired

Json = dict[str, Any]

MAXIMUM_LINE_BYTES: Final = 64 * 1024 * 1024
"""The longest message (docs/host-protocol.md)."""
MAXIMUM_LEVELS: Final = 200
"""Levels of a message that is mended; more cannot be written."""
_LARGEST_INTEGER: Final = 2**63


class UnwritableMessage(BadRequest):
    """A message cannot be written. Change what is named in it."""


def encode_message(message: Json) -> bytes:
    """The JSON of a message. Raises ``UnwritableMessage``."""
    try:
        text = orjson.dumps(message)
    except TypeError as error:
        raise UnwritableMessage(_problem(message) or f"{error}.") from None
    if len(text) > MAXIMUM_LINE_BYTES:
        raise UnwritableMessage(
            f"{humanize(len(text))} are too much for one message, which may have "
            f"{humanize(MAXIMUM_LINE_BYTES)}."
        )
    return text


def mended(message: Json) -> Json:
    """The same message with texts repaired and what cannot be written left out; a report that is too long
    becomes a failure."""
    plain: Json = _plain(message, 0)
    try:
        if len(orjson.dumps(plain)) <= MAXIMUM_LINE_BYTES:
            return plain
    except TypeError:
        pass
    if message["type"] not in ("done", "failed"):
        return {"type": "log", "id": message.get("id"), "lines": []}
    text = f"What the function returned, threw or logged is larger than {humanize(MAXIMUM_LINE_BYTES)}."
    return {
        "type": "failed",
        "id": message["id"],
        "error": {"message": text},
        "kind": "user",
        "logs": [],
        "usage": {},
    }


def _plain(value: Any, level: int) -> Any:
    if isinstance(value, str):
        return repaired(str.__str__(value))
    if isinstance(value, dict):
        if level >= MAXIMUM_LEVELS:
            return None
        return {
            repaired(str.__str__(name)): _plain(item, level + 1)
            for name, item in dict.items(value)
            if isinstance(name, str)
        }
    if isinstance(value, (list, tuple)):
        return None if level >= MAXIMUM_LEVELS else [_plain(item, level + 1) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LARGEST_INTEGER:
        return None
    return value if value is None or type(value) in (bool, int, float, orjson.Fragment) else None


def _problem(message: Json) -> str | None:
    """What is wrong with a message that cannot be written, as far as its parts tell."""
    level: list[Any] = [message]
    levels = 0
    while level and levels <= MAXIMUM_LEVELS:
        levels += 1
        below: list[Any] = []
        for container in level:
            members = container
            if isinstance(container, dict):
                members = [*container, *container.values()]
            for member in members:
                if isinstance(member, str):
                    if not is_well_formed(member):
                        return f"String {_shown(member)} is not valid Unicode: it has a lone surrogate"
                elif isinstance(member, (dict, list, tuple)):
                    below.append(member)
                elif isinstance(member, int) and abs(member) >= _LARGEST_INTEGER:
                    return "A number is out of range: it takes more than 64 bits."
        level = below
    return "It is too nested: more levels than a message can have." if level else None


def _shown(text: str) -> str:
    text = ascii(text)
    return text if len(text) <= 200 else text[:200] + "..."
