"""How the command speaks: results on standard output, everything said about them on standard error."""

from __future__ import annotations

import time
from typing import Final

from rich.console import Console
from rich.text import Text

from parabola.values.texts import displayable

__all__ = ["console", "note", "print_hanging", "show_error", "show_failure", "show_success", "show_warning"]

_NARROWEST: Final = 20
"""Columns below which nothing is wrapped."""
_STEP: Final = 13
"""Columns before the text of a step: the time of day and a mark."""

console = Console(stderr=True, highlight=False, soft_wrap=True)


def print_hanging(output: Console, line: Text, indent: int) -> None:
    """Print a text; where a terminal is too narrow for it, words stay whole and what follows is indented."""
    if not output.is_terminal or output.width - indent < _NARROWEST:
        output.print(line)
        return
    head, body = line[:indent], line[indent:]
    for part in body.split("\n", allow_blank=True) or [body]:
        for wrapped in part.wrap(output, output.width - indent):
            wrapped.rstrip()
            output.print(Text.assemble(head, wrapped))
            head = Text(" " * indent)


def show_error(message: str) -> None:
    """Say what went wrong, as the last thing before ending."""
    print_hanging(console, Text.assemble(("✗ ", "bold red"), displayable(message)), 2)


def note(label: str, text: str) -> None:
    """One line of a list of facts: a label and what it is about."""
    print_hanging(console, Text.assemble((f"  {label:<14}", "dim"), text), 16)


def show_success(message: str) -> None:
    """A step of a long-running command that went well, with the time of day."""
    print_hanging(console, _step("✓ ", "bold green", message), _STEP)


def show_warning(message: str) -> None:
    """Something that went well and is still not as it should be."""
    print_hanging(console, _step("! ", "bold yellow", displayable(message)), _STEP)


def show_failure(message: str, consequence: str = "") -> None:
    """A step of a long-running command that failed, and what that means for what is running."""
    print_hanging(console, _step("✗ ", "bold red", displayable(message)), _STEP)
    if consequence:
        print_hanging(console, Text(" " * _STEP + consequence, "dim"), _STEP)


def _step(mark: str, style: str, text: str) -> Text:
    return Text.assemble((f"  {_now()} ", "dim"), (mark, style), text)


def _now() -> str:
    return time.strftime("%H:%M:%S")
