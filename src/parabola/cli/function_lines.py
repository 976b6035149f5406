"""What functions log and how they fail, as lines on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.text import Text

from parabola.values.texts import displayable

__all__ = ["lines_of"]

_COLORS: Final = {"ERROR": "red", "WARN": "yellow", "DEBUG": "dim"}


def lines_of(
    entry: Mapping[str, Any], *, with_success: bool = False, with_id: bool = False
) -> Iterator[Text]:
    """The lines of one entry of the execution log (its JSON form); none for a call that said nothing, unless
    its success is to be told. Failures may be told with their request id.
    """
    head = (f"  {_clock(entry['timestamp'])} ", "dim"), (f"{entry['identifier']} ", "bold")
    for line in entry["logLines"]:
        text = line if isinstance(line, str) else _text(line)
        level = text.partition("]")[0].removeprefix("[")
        yield Text.assemble(*head, (displayable(text), _COLORS.get(level, "")))
    if entry.get("error"):
        first, *frames = displayable(str(entry["error"]).rstrip()).split("\n")
        id = (f" [Request ID: {entry['requestId']}]" if with_id else "", "dim")
        rest = ("".join(f"\n{frame}" for frame in frames), "red")
        yield Text.assemble(*head, ("✗ ", "bold red"), (first, "red"), id, rest)
    elif with_success and entry["kind"] == "Completion":
        yield Text.assemble(*head, ("✓ ", "bold green"), f"after {entry['executionTime'] * 1000:.0f} ms")


def _clock(seconds: float) -> str:
    """The local time; with its date if that is another day."""
    then, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d %H:%M:%S", then)


def _text(line: Mapping[str, Any]) -> str:
    cut = " (truncated due to length)" if line["isTruncated"] else ""
    return f"[{line['level']}] {' '.join(line['messages'])}{cut}"
