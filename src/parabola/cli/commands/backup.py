"""`parabola backup`: make, list and verify backups of a whole deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from parabola.cli.console import console, show_success
from parabola.cli.server import event_loop
from parabola.cli.store_credentials import take_credentials
from parabola.project import DATA_FOLDER
from parabola.values.errors import Overloaded

if TYPE_CHECKING:
    from parabola.services.backups.backup import FilesOf
    from parabola.services.backups.keeping import Keeping
    from parabola.services.backups.manifest import Manifest
    from parabola.services.backups.moment import Moment

__all__ = ["Credentials", "FileStorage", "Place", "backup", "files_of"]

Place = Annotated[
    str, typer.Argument(help="Where backups are: a directory, or a URL such as s3://bucket/prefix.")
]
FileStorage = Annotated[
    str | None,
    typer.Option(
        envvar="PARABOLA_FILE_STORAGE",
        help="The object store that keeps uploaded files, as for [b]serve[/b]; else they are in the data "
        "directory.",
        show_default=False,
    ),
]
Credentials = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        envvar="PARABOLA_FILE_STORAGE_CREDENTIALS",
        help="A file like .env with the variables of object stores, such as AWS_ACCESS_KEY_ID.",
        show_default=False,
    ),
]


class _PlaceFirst(TyperGroup):
    """`backup PLACE` makes one; what is the name of another command is that command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["make", *args]
        return super().resolve_command(ctx, args)


backup = typer.Typer(
    cls=_PlaceFirst,
    help="Make a backup of a whole deployment, in a directory or an object store: "
    "[b]parabola backup PLACE[/b].",
    no_args_is_help=True,
)


@backup.command("make")
def make(
    place: Place,
    data: Annotated[Path, typer.Option(help="The data directory.")] = Path(DATA_FOLDER),
    file_storage: FileStorage = None,
    credentials: Credentials = None,
    continuous: Annotated[
        bool,
        typer.Option("--continuous", help="Go on with a log of every commit, a second behind, until Ctrl-C."),
    ] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Drop all but so many of the newest.", show_default=False)
    ] = None,
    keep_days: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Drop all but those of the last 24 hours and the last one of each of so many days.",
            show_default=False,
        ),
    ] = None,
    keep_weeks: Annotated[
        int | None, typer.Option(min=1, help="The same with weeks, besides.", show_default=False)
    ] = None,
) -> None:
    """Back a deployment up, while its server runs or not: documents, functions, variables, schedules, files.

    The instance's secret is not in it: keep it elsewhere. [b]make[/b] need not be said.
    """
    from parabola.services.backups.backup import make_backup
    from parabola.services.backups.keeping import Keeping, drop_old
    from parabola.services.backups.place import backup_place

    take_credentials(credentials)
    files = files_of(file_storage, data / "files")
    keeping = Keeping(keep, keep_days, keep_weeks)
    if continuous:
        event_loop.run(_follow(data, place, files, keeping))
        return

    async def run() -> tuple[Manifest, list[Manifest]]:
        kept = backup_place(place)
        made = await make_backup(data, kept, files, say=console.print)
        return made, [] if keeping.is_all else await drop_old(kept, keeping, datetime.now(UTC))

    made, dropped = event_loop.run(run())
    show_success(f"Made the backup {made.name}: {_size(made)}")
    for each in dropped:
        console.print(f"dropped {each.name}", style="dim")


@backup.command("list")
def list_backups(place: Place, credentials: Credentials = None) -> None:
    """List the backups of a place, oldest first, and how far their logs go."""
    from parabola.services.backups.backup import find_backups
    from parabola.services.backups.moment import in_words, no_backup
    from parabola.services.backups.place import backup_place
    from parabola.services.backups.segment import SegmentName, find_segments

    take_credentials(credentials)

    async def run() -> tuple[list[Manifest], dict[str, list[SegmentName]]]:
        kept = backup_place(place)
        found = await find_backups(kept)
        if not found:
            raise no_backup(kept)
        chains = {manifest.chain: manifest for manifest in found if manifest.chain}
        return found, {chain: await find_segments(kept, chain) for chain in chains}

    found, logs = event_loop.run(run())
    for manifest in found:
        typer.echo(f"{manifest.name}  {_size(manifest)}")
    for pieces in logs.values():
        if pieces:
            console.print(
                f"and every commit from {in_words(pieces[0].after_ts)} to {in_words(pieces[-1].last_ts)}",
                style="dim",
            )


@backup.command("verify")
def verify(
    place: Place,
    name: Annotated[str | None, typer.Argument(help="Which one; else the newest.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Restore the database, too, into a folder that is removed again.")
    ] = False,
    credentials: Credentials = None,
) -> None:
    """See that every part of a backup is there, and is what it was."""
    from parabola.services.backups.backup import find_backups
    from parabola.services.backups.moment import chosen_backup, followed
    from parabola.services.backups.place import backup_place
    from parabola.services.backups.restore import verify_backup

    take_credentials(credentials)

    async def run() -> list[Moment]:
        kept = backup_place(place)
        chosen = await find_backups(kept) if every else [await chosen_backup(kept, name)]
        moments = []
        for manifest in chosen:
            with console.status(f"Reading {manifest.name}"):
                moments.append(moment := await followed(kept, manifest))
                await verify_backup(kept, moment, deep=deep)
        return moments

    for moment in event_loop.run(run()):
        log = f", with its log of {_counted(len(moment.pieces), 'piece')}" if moment.pieces else ""
        show_success(f"{moment.manifest.name} is whole: {_size(moment.manifest)}{log}")


async def _follow(data: Path, place: str, files: FilesOf, keeping: Keeping) -> None:
    """Keep the log of a data directory that another process serves, until this one is told to end."""
    import asyncio
    import time

    from parabola.database.store.high_mark import HighMark
    from parabola.services.backups.continuous import NOTED_SECONDS, PIECE_SECONDS, ContinuousBackup
    from parabola.services.backups.keeping import drop_old
    from parabola.services.backups.moment import in_words
    from parabola.services.backups.place import backup_place

    kept = backup_place(place)
    log = ContinuousBackup(data, kept, files, lambda: HighMark(data).ts, time.time_ns, say=console.print)
    try:
        await log.begin()
        if not keeping.is_all:
            await drop_old(kept, keeping, datetime.now(UTC))
        show_success(f"Keeping the log up to now, {in_words(log.reached_ts)}; Ctrl-C ends it")
        noted = 0.0
        while True:
            try:
                await log.step()
                if time.monotonic() - noted > NOTED_SECONDS:
                    await log.note()
                    noted = time.monotonic()
            except Overloaded as error:
                console.print(f"{error} The log is {log.lag_seconds:,.0f} s behind.", style="yellow")
            await asyncio.sleep(PIECE_SECONDS)
    finally:
        await log.close()
        console.print(f"The log has everything up to {in_words(log.reached_ts)}.", style="dim")


def files_of(url: str | None, directory: Path) -> FilesOf:
    """Where stored files are, by their owner: in the object store at a URL, or in a directory."""
    from parabola.services.files.file_places import file_store

    return partial(file_store, url, directory)


def _size(manifest: Manifest) -> str:
    parts = [_counted(manifest.documents, "document")]
    if manifest.files:
        parts.append(_counted(len(manifest.files), "file"))
    return f"{', '.join(parts)}, {manifest.database.size / 1e6:,.1f} MB"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
