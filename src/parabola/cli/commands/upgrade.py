"""`parabola upgrade --check`: what this version would make of the data of an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parabola._version import __version__
from parabola.cli.console import console, show_success
from parabola.cli.json_text import json_text
from parabola.cli.server import event_loop
from parabola.project import DATA_FOLDER

if TYPE_CHECKING:
    from parabola.database.upkeep.upgrade_check import FoundData

__all__ = ["upgrade"]


def upgrade(
    check: Annotated[
        bool, typer.Option("--check", help="Say what an upgrade would do, and change nothing.")
    ] = False,
    data: Annotated[Path, typer.Option(help="The data directory.")] = Path(DATA_FOLDER),
    database: Annotated[
        str | None,
        typer.Option(
            envvar="PARABOLA_DATABASE",
            help="The log that several servers share, as for [b]serve[/b]; else it is the data directory.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What was found, as JSON.")] = False,
) -> None:
    """Say whether this version opens the data that another one has left, and what to do first.

    Also what its first start would change, and whether there is a way back. Ends with status 1 where it
    cannot open it.

    The data itself is brought up to date by the first start of a server.
    """
    if not check:
        raise typer.BadParameter(
            "Give --check. Parabola is upgraded by what has installed it (`pip install --upgrade parabola`), "
            "and the data by the next start of the server."
        )
    told = event_loop.run(_of_log(database)) if database is not None else _of_directory(data)
    if json:
        typer.echo(json_text(told))
        return
    show_success(f"Parabola {__version__} opens {told['place']}")
    for line in _words(told, data):
        console.print(f"  {line}", soft_wrap=False)


def _of_directory(data: Path) -> dict[str, Any]:
    from parabola.database.store.sqlite import LAYOUT_VERSION
    from parabola.database.upkeep.upgrade_check import look_at_data

    found: FoundData = look_at_data(data)
    return {
        "version": __version__,
        "place": str(data),
        "kind": "node" if found.is_node else "server",
        "layout": found.layout,
        "layoutOfThisVersion": LAYOUT_VERSION,
        "newestCommit": found.newest_ts,
        "adds": list(found.missing),
        "changesLayout": found.changes_layout,
        "wayBack": not found.changes_layout,
    }


async def _of_log(address: str) -> dict[str, Any]:
    from parabola.database.shared_log.postgres.tables import LAYOUT, layout_in

    found = await layout_in(address)
    return {
        "version": __version__,
        "place": "the shared log",
        "kind": "log",
        "layout": found,
        "layoutOfThisVersion": LAYOUT,
        "newestCommit": None,
        "adds": [],
        "changesLayout": False,
        "wayBack": True,
    }


def _words(told: dict[str, Any], data: Path) -> list[str]:
    layout, ours = told["layout"], told["layoutOfThisVersion"]
    lines = []
    if told["changesLayout"]:
        lines.append(f"Layout {layout} becomes layout {ours} with the first start.")
        lines.append("Way back: none but a backup: earlier versions cannot open it any more.")
    else:
        lines.append(f"Layout {layout}, as this version has it: the files stay as they are.")
        lines.append("Way back: start the version of before on the same data.")
    if told["adds"]:
        lines.append(f"Added with the first start: {', '.join(told['adds'])}.")
    if told["kind"] == "node":
        lines.append("It is the copy of a node: look at the log, too, with --database.")
    if told["kind"] == "log":
        lines.append("Nodes can be upgraded one after the other; back up each node's files elsewhere.")
    else:
        lines.append(f"First: parabola backup PLACE --data {data}")
        lines.append("Then stop the server, upgrade, and start it on the same data.")
    return lines
