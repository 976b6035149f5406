"""How a value reads in an error text: `1.0`, `"x"`, `{a: [1.0, 2.0]}` (semantics 4.2)."""

from __future__ import annotations

import math
from base64 import b64encode
from typing import Any, Final

from parabola.values.int64 import Int64

__all__ = ["display", "display_float", "display_string"]

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def display(value: Any) -> str:
    """The text of a value: objects with sorted keys, floats always with a fraction or exponent."""
    kind = type(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is float or kind is int:
        return display_float(float(value))
    if kind is Int64:
        return str(value.value)
    if isinstance(value, str):
        return display_string(value)
    if isinstance(value, bytes):
        return f'b"{b64encode(value).decode()}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(display, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {display(value[name])}' for name in sorted(value))}}}"
    return repr(value)


def display_float(number: float) -> str:
    """`1.0`, `-0.0`, `1e16`, `5e-5`, `NaN`, `inf`: the shortest text that reads back the same."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    mantissa, exponent, power = repr(number).partition("e")
    return f"{mantissa}e{int(power)}" if exponent else mantissa


def display_string(text: str) -> str:
    """A string in double quotes, its quotes, backslashes and control characters escaped."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_display_character, text))}"'


def _display_character(character: str) -> str:
    escaped = _ESCAPES.get(character)
    if escaped is not None:
        return escaped
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
