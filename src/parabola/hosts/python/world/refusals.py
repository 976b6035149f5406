"""Refusals of what only actions may do: a sentence that says what, where, and what to do instead."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Final, NoReturn

from parabola.values.errors import Forbidden

__all__ = ["CapabilityRefused", "refusal_text", "refuse", "user_files", "user_place"]

user_files: Final[dict[str, str]] = {}
"""Files of user code: from the name in code objects to the name to show (`convex/tasks.py`)."""


class CapabilityRefused(Forbidden):
    """Something that only actions may do."""

    default_code = "CapabilityRefused"


def refuse(what: str) -> NoReturn:
    """Raise `CapabilityRefused`; `what` was tried, like `open('notes.txt')` (js-runtime 5.2)."""
    raise CapabilityRefused(refusal_text(what, sys._getframe(1)))


def refusal_text(what: str, frame: FrameType | None) -> str:
    """The sentence for something tried at `frame` or in a library called by user code there."""
    place = user_place(frame)
    where = f" (File {place[0]}, line {place[1]}, in {place[2]}.)" if place else ""
    return f"Can't use {what} in queries and mutations. Please consider using an action.{where}"


def user_place(frame: FrameType | None, files: Mapping[str, str] = user_files) -> tuple[str, int, str] | None:
    """File, line and function of the innermost frame of user code."""
    while frame is not None:
        shown = files.get(frame.f_code.co_filename)
        if shown is not None:
            return shown, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back
    return None
