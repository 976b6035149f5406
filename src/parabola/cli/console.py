"""How the command speaks: results on standard output, everything said about them on standard error."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from parabola.values.texts import displayable

__all__ = ["console", "note", "show_error", "show_failure", "show_success", "show_warning"]

console = Console(stderr=True, highlight=False, soft_wrap=True)


def show_error(message: str) -> None:
    """Say what went wrong, as the last thing before ending."""
    console.print(Text.assemble(("✗ ", "bold red"), displayable(message)))


def note(label: str, text: str) -> None:
    """One line of a list of facts: a label and what it is about."""
    console.print(Text.assemble((f"  {label:<14}", "dim"), text))


def show_success(message: str) -> None:
    """A step of a long-running command that went well, with the time of day."""
    console.print(Text.assemble((f"  {_now()} ", "dim"), ("✓ ", "bold green"), message))


def show_warning(message: str) -> None:
    """Something that went well and is still not as it should be."""
    console.print(Text.assemble((f"  {_now()} ", "dim"), ("! ", "bold yellow"), displayable(message)))


def show_failure(message: str, consequence: str = "") -> None:
    """A step of a long-running command that failed, and what that means for what is running."""
    console.print(Text.assemble((f"  {_now()} ", "dim"), ("✗ ", "bold red"), displayable(message)))
    if consequence:
        console.print(Text.assemble((f"             {consequence}", "dim")))


def _now() -> str:
    return time.strftime("%H:%M:%S")
