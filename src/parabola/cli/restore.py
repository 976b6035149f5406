"""`parabola restore`: a data directory from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parabola.cli import event_loop
from parabola.cli.backup import Credentials, FileStorage, Place, files_of
from parabola.cli.console import console, show_success
from parabola.cli.store_credentials import take_credentials

if TYPE_CHECKING:
    from parabola.services.backups.manifest import Manifest

__all__ = ["restore"]


def restore(
    place: Place,
    data: Annotated[Path, typer.Option(help="The data directory to make; empty, or not there yet.")],
    backup: Annotated[
        str | None, typer.Option(help="Which backup; else the newest.", show_default=False)
    ] = None,
    file_storage: FileStorage = None,
    credentials: Credentials = None,
) -> None:
    """Restore a backup into an empty place. All of it is checked first; a damaged one is refused."""
    from parabola.services.backups.place import backup_place
    from parabola.services.backups.restore import chosen_backup, restore_backup

    take_credentials(credentials)

    async def run() -> Manifest:
        kept = backup_place(place)
        manifest = await chosen_backup(kept, backup)
        files = None if file_storage is None else files_of(file_storage, data / "files")
        await restore_backup(kept, manifest, data.absolute(), files, say=console.print)
        return manifest

    manifest = event_loop.run(run())
    show_success(f"Restored {manifest.name} into {data}")
    console.print(
        "The instance's secret is in no backup: start with the one that the deployment had, by "
        "INSTANCE_SECRET or --instance-secret-file, or admin keys and upload URLs of before are not taken.",
        style="dim",
    )
