"""`parabola import`: bring a file into tables."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import console, show_success
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.values.errors import BadRequest

__all__ = ["archive_import"]

PART_BYTES: Final = 5 * 1024 * 1024
MAX_PARTS: Final = 9999
POLL_SECONDS: Final = 0.2
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Format(StrEnum):
    """What the file holds."""

    csv = "csv"
    jsonLines = "jsonLines"
    jsonArray = "jsonArray"
    zip = "zip"


_SUFFIXES: Final = {
    ".csv": Format.csv,
    ".jsonl": Format.jsonLines,
    ".json": Format.jsonArray,
    ".zip": Format.zip,
}


@with_target
def archive_import(
    target: ChosenTarget,
    path: Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False)],
    table: Annotated[
        str | None, typer.Option(help="The table to import into; a zip archive names its own.")
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="What the file holds, where its name does not say it.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Add to the documents that are there.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the documents of the imported tables.")
    ] = False,
    replace_all: Annotated[
        bool,
        typer.Option("--replace-all", help="Replace everything: other tables are deleted, or emptied."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete documents without asking.")] = False,
    component: Annotated[str | None, typer.Option(help="The component to import into.")] = None,
) -> None:
    """Import CSV, JSON lines, a JSON array, or a zip archive made by [b]export[/b].

    Tables change when everything is there, all at once; with [b]--append[/b] document by document.
    """
    client = target.client()
    wanted = {
        "tableName": table,
        "componentPath": component,
        "mode": _mode(append, replace, replace_all),
        "format": _format(path, format).value,
    }
    upload_token, parts = _upload(client, path)
    finished = {"import": wanted, "uploadToken": upload_token, "partTokens": parts}
    id = client.post("/api/import/finish_upload", finished)["importId"]
    state = _watch(client, id)
    if state["state"] == "waiting_for_confirmation":
        _confirm(client, id, state, yes)
        client.post("/api/perform_import", {"importId": id})
        state = _watch(client, id)
    if state["state"] == "failed":
        raise BadRequest(state["error_message"])
    show_success(f"Imported {int(state['num_rows_written']):,} documents from {path}")


def _mode(append: bool, replace: bool, replace_all: bool) -> str:
    if append + replace + replace_all > 1:
        raise BadRequest("Give one of --append, --replace and --replace-all, not several.")
    if append:
        return "append"
    if replace:
        return "replace"
    return "replaceAll" if replace_all else "requireEmpty"


def _format(path: Path, given: Format | None) -> Format:
    format = given or _SUFFIXES.get(path.suffix)
    if format is None:
        raise BadRequest(
            f"The name of {path} does not say what it holds. Give --format: {', '.join(Format)}."
        )
    return format


def _upload(client: AdminClient, path: Path) -> tuple[str, list[str]]:
    """The token of the upload, and the tokens of its parts."""
    size = path.stat().st_size
    part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))
    token = client.post("/api/import/start_upload", {})["uploadToken"]
    parts: list[str] = []
    with path.open("rb") as file, console.status(f"Uploading {path}") as status:
        if file.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
            file.seek(0)
        while content := file.read(part_bytes):
            query = urlencode({"uploadToken": token, "partNumber": len(parts) + 1})
            parts.append(client.post_bytes(f"/api/import/upload_part?{query}", content))
            status.update(f"Uploading {path}: {file.tell() / size:.0%}")
    return token, parts


def _watch(client: AdminClient, id: str) -> dict[str, Any]:
    """Show how far the import is until it ends or waits; its state then."""
    shown = 0
    with console.status("Looking through the file") as status:
        while True:
            state: dict[str, Any] = client.call("_system/cli/queryImport", {"importId": id})["state"]
            for line in state.get("checkpoint_messages", ())[shown:]:
                shown += 1
                show_success(line)
            if state["state"] not in ("uploaded", "in_progress"):
                return state
            status.update(state.get("progress_message") or "Looking through the file")
            time.sleep(POLL_SECONDS)


def _confirm(client: AdminClient, id: str, state: dict[str, Any], yes: bool) -> None:
    """Show what would change, and ask where documents would be deleted."""
    summary = state.get("message_to_confirm", "")
    # The server words it for the official command line.
    console.print(summary.replace("`npx convex import`", "`parabola import`"), markup=False)
    if yes or not state.get("require_manual_confirmation", True):
        return
    agreed = sys.stdin.isatty() and typer.confirm("Perform the import?", default=True, err=True)
    if not agreed:
        client.post("/api/cancel_import", {"importId": id})
        raise BadRequest(
            "The import was canceled; nothing has changed."
            if sys.stdin.isatty()
            else "The import would delete documents. Give --yes to confirm that; nothing has changed."
        )
