"""JSON as commands print it: whole numbers without a fraction, as JavaScript and `npx convex` write them."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["json_text"]

_WRITTEN_OUT: Final = 1e21
"""From here on JavaScript writes a number with an exponent, and so does Python."""


def json_text(value: Any, indent: int | None = None) -> str:
    """The JSON of a value that was read from JSON, where every number may have become a float."""
    return json.dumps(_whole(value), indent=indent, ensure_ascii=False)


def _whole(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if abs(value) < _WRITTEN_OUT and value.is_integer() else value
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value
