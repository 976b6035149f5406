"""`parabola export`: fetch all documents in a zip archive."""

from __future__ import annotations

import shutil
import time
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import console, show_success
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.values.errors import BadRequest

__all__ = ["archive_export"]

POLL_SECONDS: Final = 0.2
_COPY_BYTES: Final = 1024 * 1024


@with_target
def archive_export(
    target: ChosenTarget,
    path: Annotated[Path, typer.Option(help="The file to write, or a directory to write it into.")],
    include_file_storage: Annotated[
        bool, typer.Option("--include-file-storage", help="Stored files too.")
    ] = False,
) -> None:
    """Export all tables, as they are at one moment, into a zip archive that [b]import[/b] reads back."""
    if path.exists() and not path.is_dir():
        raise BadRequest(f"{path} is there already. Name another file.")
    if not path.absolute().parent.is_dir():
        raise BadRequest(f"There is no directory {path.parent}.")
    client = target.client()
    client.post(f"/api/export/request/zip?includeStorage={str(include_file_storage).lower()}", {})
    export = _watch(client)
    if export["state"] != "completed":
        raise BadRequest("The export failed; the server's log says why.")
    written = _fetch(client, str(int(export["start_ts"])), path)
    show_success(f"Exported to {written}")


def _watch(client: AdminClient) -> dict[str, Any]:
    """Show how far the export is until it ends."""
    with console.status("Exporting") as status:
        while True:
            export: dict[str, Any] = client.call("_system/cli/exports:getLatest", {})
            if export["state"] not in ("requested", "in_progress"):
                return export
            status.update(export.get("progress_message") or "Exporting")
            time.sleep(POLL_SECONDS)


def _fetch(client: AdminClient, ts: str, path: Path) -> Path:
    """Write the archive to `path`; a directory gets the name that the server gives it."""
    with console.status("Fetching the archive"), client.open(f"/api/export/zip/{ts}") as response:
        if path.is_dir():
            path /= Path(response.headers.get_filename() or f"snapshot_{ts}.zip").name
        unfinished = path.with_name(f"{path.name}.partial")
        try:
            with unfinished.open("wb") as file:
                shutil.copyfileobj(response, file, _COPY_BYTES)
                announced = response.headers["Content-Length"]
                if announced is not None and file.tell() != int(announced):
                    raise BadRequest("The connection broke before the whole archive was there. Try again.")
            unfinished.rename(path)
        except (ConnectionError, HTTPException):
            raise BadRequest("The connection broke before the whole archive was there. Try again.") from None
        except OSError as error:
            raise BadRequest(f"{path} cannot be written: {error}") from None
        finally:
            unfinished.unlink(missing_ok=True)
    return path
