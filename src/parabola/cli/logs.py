"""`parabola logs`: follow what the functions of a deployment log and how they fail."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from parabola.cli.admin_client import AdminClient
from parabola.cli.function_lines import lines_of
from parabola.cli.target import AdminKey, DeploymentUrl, Target

__all__ = ["logs"]


def logs(
    history: Annotated[int, typer.Option(min=0, help="How many of the latest entries to begin with.")] = 0,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line, successes too.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until Ctrl-C.")] = True,
    url: DeploymentUrl = None,
    admin_key: AdminKey = None,
) -> None:
    """Print log lines and errors of functions as they come."""
    client = AdminClient(Target.find(url, admin_key))
    latest = _read(client, 0)
    _print(latest["entries"][-history:] if history else [], jsonl)
    cursor = latest["newCursor"]
    while follow:
        try:
            more = _read(client, cursor)
        except KeyboardInterrupt:
            return
        _print(more["entries"], jsonl)
        cursor = more["newCursor"]


def _read(client: AdminClient, cursor: float) -> dict[str, Any]:
    with client.open(f"/api/stream_function_logs?cursor={cursor!r}") as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def _print(entries: list[dict[str, Any]], jsonl: bool) -> None:
    output = Console(highlight=False, soft_wrap=True)
    for entry in entries:
        if jsonl:
            typer.echo(json.dumps(entry, ensure_ascii=False))
        else:
            for line in lines_of(entry):
                output.print(line)
