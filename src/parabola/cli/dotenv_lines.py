"""Environment variables as lines of a `.env` file, written so that they can be read back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Final

from parabola.values.errors import BadRequest
from parabola.values.text_files import NotUtf8, decode_text

__all__ = ["dotenv_line", "parse_dotenv", "read_dotenv"]

_PLAIN: Final = re.compile(r"(?!['\"`\s])[^\r\n\\#\f\v]*(?<![\s'\"`])|")


def dotenv_line(name: str, value: str) -> str:
    """`NAME=value`, quoted where readers of such files would take the bare value for something else.

    Single quotes where that is enough: all readers agree about them. What needs an escape within is written
    as python-dotenv (and so `parabola env set --from-file`) reads it.
    """
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def parse_dotenv(text: str) -> dict[str, str]:
    """The variables of such a text, the last of each name; lines without a value are left out."""
    from dotenv import dotenv_values

    values: Mapping[str, str | None] = dotenv_values(stream=StringIO(text, newline=""), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a file. Raises `BadRequest` for one that cannot be read."""
    try:
        return parse_dotenv(decode_text(path.read_bytes()))
    except NotUtf8 as error:
        raise BadRequest(f"{path} {error}") from None
    except OSError as error:
        raise BadRequest(
            f"{path} cannot be read: {error.strerror}. Name a file with NAME=value lines."
        ) from None
