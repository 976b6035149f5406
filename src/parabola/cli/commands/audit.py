"""`parabola audit`: what functions wrote into the audit log, and what they go on to write."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from parabola.cli.console import print_hanging
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.values.texts import displayable

__all__ = ["audit"]


@with_target
def audit(
    target: ChosenTarget,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest lines.")] = 20,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the lines that functions wrote into the audit log (`log.audit` and `ctx.audit`)."""
    client = target.client()
    answer = client.get(f"/api/stream_audit_log?limit={limit}")
    _print(answer["entries"], jsonl)
    while follow:
        try:
            answer = client.get(f"/api/stream_audit_log?cursor={answer['newCursor']}")
        except KeyboardInterrupt:
            return
        _print(answer["entries"], jsonl)


def _print(entries: list[dict[str, Any]], jsonl: bool) -> None:
    output = Console(highlight=False, soft_wrap=True)
    for entry in entries:
        if jsonl:
            typer.echo(json.dumps(entry, ensure_ascii=False))
            continue
        when = datetime.fromtimestamp(entry["timestamp"] / 1000).astimezone()
        line = Text(f"{when:%Y-%m-%d %H:%M:%S}", style="dim")
        line.append(f" {entry['function']}", style="not dim bold")
        if entry["status"] == "failure":
            line.append(" (failed)", style="not dim red")
        line.append(f" {displayable(json.dumps(entry['body'], ensure_ascii=False))}", style="not dim")
        print_hanging(output, line, 2)
