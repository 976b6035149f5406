"""`parabola logs`: follow, look up and search what the functions of a deployment log and how they fail."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer
from rich.console import Console

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import print_hanging
from parabola.cli.function_lines import lines_of
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.functions.outcomes.execution_history import LogSearch
from parabola.values.errors import NotFound

__all__ = ["logs"]

_MOST: Final = 10_000
_HOW_FAR_BACK: Final = (
    "It keeps what functions log and how they fail, as far back as --log-history of the server allows."
)
_PASTED: Final = re.compile(r"\[?Request ID:\s*(\w+)\]?")


class Level(StrEnum):
    """The lowest level of lines that are shown."""

    debug = "DEBUG"
    info = "INFO"
    log = "LOG"
    warn = "WARN"
    error = "ERROR"


@with_target
def logs(
    target: ChosenTarget,
    history: Annotated[
        int, typer.Option(min=0, max=_MOST, help="How many of the latest entries to begin with.")
    ] = 0,
    request_id: Annotated[
        str | None, typer.Option(help="Find what ran under this request id, and end.", show_default=False)
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(help="Only this function, or this module: [b]tasks:create[/b], [b]tasks[/b]."),
    ] = None,
    level: Annotated[
        Level | None,
        typer.Option(help="Only entries with a line of this level or above; failures are errors."),
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line, successes too.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until Ctrl-C.")] = True,
) -> None:
    """Print log lines and errors of functions as they come, or from the log that the server keeps."""
    client = target.client()
    given = {"function": function, "level": level and level.value}
    wanted = {name: text for name, text in given.items() if text is not None}
    if request_id is not None:
        pasted = _PASTED.search(request_id)
        id = pasted[1] if pasted else request_id.strip()
        found = _search(client, _MOST, requestId=id, **wanted)
        if not found:
            raise NotFound(f"The log has nothing under the request id {id}. {_HOW_FAR_BACK}")
        _print(found, jsonl, with_success=True)
        return
    search = LogSearch(function=function, level=level and level.value)
    cursor = _read(client, 0)["newCursor"]
    if history:
        _print(_search(client, history, **wanted), jsonl)
    while follow:
        try:
            more = _read(client, cursor)
        except KeyboardInterrupt:
            return
        _print([entry for entry in more["entries"] if search.finds(entry)], jsonl)
        cursor = more["newCursor"]


def _search(client: AdminClient, limit: int, **wanted: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = client.get(f"/api/parabola/logs?{urlencode({'limit': limit, **wanted})}")[
        "entries"
    ]
    return entries


def _read(client: AdminClient, cursor: float) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/api/stream_function_logs?cursor={cursor!r}")
    return answer


def _print(entries: list[dict[str, Any]], jsonl: bool, *, with_success: bool = False) -> None:
    output = Console(highlight=False, soft_wrap=True)
    for entry in entries:
        if jsonl:
            typer.echo(json.dumps(entry, ensure_ascii=False))
        else:
            for line in lines_of(entry, with_success=with_success, with_id=True):
                print_hanging(output, line, 11)
