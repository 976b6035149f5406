"""Data files beside Python modules: texts and bytes that functions read as resources of their package.

They travel as modules do, by path and text. What is no UTF-8 is written in base64 behind a prefix.
"""

from __future__ import annotations

import base64
import re
from typing import Final

__all__ = ["DataFileError", "check_data_path", "data_of", "is_data_path", "written"]

_PREFIX: Final = "data:;base64,"
_SEGMENT: Final = re.compile(r"[^/\\\x00-\x1f\x7f]{1,255}\Z")
_CODE: Final = (".py", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")


class DataFileError(ValueError):
    """A path or a content that no data file has."""


def is_data_path(path: str) -> bool:
    """Whether a path below the functions folder is that of data: its name has an ending, and not of code."""
    return "." in path.rpartition("/")[2] and not path.endswith(_CODE)


def check_data_path(path: str) -> None:
    """Raise `DataFileError` for a path that leads elsewhere, or that no file system has."""
    parts = path.split("/")
    if not all(_SEGMENT.match(part) and part.strip(".") and not part.startswith(".") for part in parts):
        raise DataFileError(f"{path!r} is not the path of a data file.")


def written(content: bytes) -> str:
    """The text that stands for the content of a data file."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = _PREFIX
    return text if not text.startswith(_PREFIX) else _PREFIX + base64.b64encode(content).decode("ascii")


def data_of(text: str) -> bytes:
    """The content that a text stands for. Raises `DataFileError` for one that `written` has not made."""
    if not text.startswith(_PREFIX):
        return text.encode("utf-8")
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError as error:
        raise DataFileError(f"the data cannot be read: {error}") from None
