"""What functions log and how they fail, as lines on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.text import Text

from parabola.values.texts import displayable

__all__ = ["lines_of"]

_COLORS: Final = {"ERROR": "red", "WARN": "yellow", "DEBUG": "dim"}


def lines_of(entry: Mapping[str, Any]) -> Iterator[Text]:
    """The lines of one entry of the execution log (its JSON form); none for a call that said nothing."""
    clock = time.strftime("%H:%M:%S", time.localtime(entry["timestamp"]))
    head = (f"  {clock} ", "dim"), (f"{entry['identifier']} ", "bold")
    for line in entry["logLines"]:
        text = line if isinstance(line, str) else _text(line)
        level = text.partition("]")[0].removeprefix("[")
        yield Text.assemble(*head, (displayable(text), _COLORS.get(level, "")))
    if entry.get("error"):
        yield Text.assemble(*head, ("✗ ", "bold red"), (displayable(str(entry["error"]).rstrip()), "red"))


def _text(line: Mapping[str, Any]) -> str:
    cut = " (truncated due to length)" if line["isTruncated"] else ""
    return f"[{line['level']}] {' '.join(line['messages'])}{cut}"
