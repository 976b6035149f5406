"""`parabola promote`: a server that is alone becomes the first node of a shared log, while it serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parabola.cli.console import console, show_success
from parabola.cli.moving import move
from parabola.cli.options.chosen_target import ChosenTarget, Yes, with_target
from parabola.cli.secret_files import read_secret_file
from parabola.values.errors import BadRequest

__all__ = ["promote"]


@with_target
def promote(
    target: ChosenTarget,
    database: Annotated[
        str | None,
        typer.Argument(
            help="The log to be: an empty database, such as postgresql://user@host/database.",
            show_default=False,
        ),
    ] = None,
    database_file: Annotated[
        Path | None,
        typer.Option(help="A file with that address and nothing else, for one with a password in it."),
    ] = None,
    node: Annotated[str, typer.Option(help="The name of the server among the nodes to come.")] = "first",
    file_storage: Annotated[
        str | None,
        typer.Option(help="The object store of all nodes, if the server has none: s3://bucket/prefix."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Make a server the first node of a log in PostgreSQL, which other servers can then share.

    It goes on serving while its data are copied; all wait for the end of it, for some seconds. Nothing
    has changed if it fails.
    """
    if (database is None) == (database_file is None):
        raise BadRequest(
            "Give the address of an empty database of PostgreSQL, as it is or with --database-file."
        )
    if database_file is not None:
        database = read_secret_file(database_file, "address of the database", "InvalidDatabaseAddress")
    target.confirm("begin a shared log with the data", yes)
    body = {"database": database, "node": node, "fileStorage": file_storage}
    move(target.client(), "/api/parabola/promote", body, to_node=True)
    show_success(f"The server is node {node} now.")
    storage = "" if file_storage is None else f" --file-storage {file_storage}"
    console.print(
        f"\n  Start it from now on with --node {node}{storage} and the same address in PARABOLA_DATABASE or "
        "--database-file.\n  Other servers join with that address, the same instance name and secret, and an "
        "empty data directory."
    )
