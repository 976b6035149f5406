"""`parabola restore`: a data directory from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parabola.cli.commands.backup import Credentials, FileStorage, Place, files_of
from parabola.cli.console import console, show_success
from parabola.cli.server import event_loop
from parabola.cli.store_credentials import take_credentials

if TYPE_CHECKING:
    from parabola.services.backups.moment import Moment
    from parabola.services.backups.restore import Restored

__all__ = ["restore"]


def restore(
    place: Place,
    data: Annotated[Path, typer.Option(help="The data directory to make; empty, or not there yet.")],
    at: Annotated[
        str | None,
        typer.Option(
            help="The moment to restore, where the place has a log of what was committed: "
            "2026-05-04T13:30:00Z, 13:30 (today), '2 hours ago', 'yesterday 18:00'. Times without a zone are "
            "those of this machine.",
            show_default=False,
        ),
    ] = None,
    backup: Annotated[
        str | None,
        typer.Option(
            help="One backup by its name, without the log that goes on from it.", show_default=False
        ),
    ] = None,
    paused: Annotated[
        bool, typer.Option("--paused", help="Run no function until somebody resumes the deployment.")
    ] = False,
    file_storage: FileStorage = None,
    credentials: Credentials = None,
) -> None:
    """Restore the newest state that a place has, or an earlier one, into an empty directory.

    All of it is checked first; a damaged one is refused.
    """
    from parabola.cli.said_time import read_time
    from parabola.services.backups.moment import Moment, chosen_backup, chosen_moment, in_words
    from parabola.services.backups.place import backup_place
    from parabola.services.backups.restore import restore_backup

    if at is not None and backup is not None:
        raise typer.BadParameter("Give --at or --backup, not both.")
    at_ts = None if at is None else read_time(at)
    take_credentials(credentials)

    async def run() -> tuple[Moment, Restored]:
        kept = backup_place(place)
        if backup is None:
            moment = await chosen_moment(kept, at_ts)
        else:
            moment = Moment(await chosen_backup(kept, backup))
        files = None if file_storage is None else files_of(file_storage, data / "files")
        with console.status("Restoring"):
            made = await restore_backup(
                kept, moment, data.absolute(), files, paused=paused, say=console.print
            )
        return moment, made

    moment, made = event_loop.run(run())
    show_success(f"Restored {moment.manifest.name} into {data}, as of {in_words(made.newest_ts)}")
    if at_ts is not None and moment.reach_ts < at_ts:
        console.print(
            f"The place knows of nothing after {in_words(moment.reach_ts)}: that is the moment restored, and "
            f"not {in_words(at_ts)}.",
            style="yellow",
        )
    if made.missing:
        console.print(
            f"{len(made.missing):,} stored files had been deleted before they were copied, and are named by "
            f"the data as of this moment: {', '.join(made.missing[:3])}.",
            style="yellow",
        )
    if paused:
        console.print("No function runs before `parabola resume`.", style="dim")
    elif at_ts is not None:
        console.print(
            "What was scheduled for a time that has passed since then runs when the server starts; with "
            "--paused nothing runs before you have looked.",
            style="dim",
        )
    console.print(
        "The instance's secret is in no backup: start with the one that the deployment had, by "
        "INSTANCE_SECRET or --instance-secret-file, or admin keys and upload URLs of before are not taken.",
        style="dim",
    )
