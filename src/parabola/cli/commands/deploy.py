"""`parabola deploy`: push the Python functions of this project to a deployment."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import console, show_success, show_warning
from parabola.cli.index_names import index_warnings
from parabola.cli.options.chosen_target import ChosenTarget, Yes, with_target
from parabola.cli.push_report import describe
from parabola.cli.target import Target
from parabola.project import Project
from parabola.project_components import collect_components
from parabola.services.deploys.large_indexes import LARGE_INDEXES
from parabola.values.errors import BadRequest, UserError

__all__ = ["deploy"]

_LARGE_TABLE: Final = 100_000
"""Documents from which on the making of an index is asked about, as `npx convex deploy` does."""
_LARGE_TABLE_VARIABLE: Final = "CONVEX_MIN_DOCUMENTS_FOR_INDEX_BACKFILL_WARNING"


@with_target
def deploy(
    chosen: ChosenTarget,
    project: Annotated[Path, typer.Option(help="The project's directory.")] = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")] = False,
    message: Annotated[str | None, typer.Option(help="A note to keep with this deployment.")] = None,
    yes: Yes = False,
    skip_large_indexes_check: Annotated[
        bool,
        typer.Option(
            "--skip-large-indexes-check",
            help="Do not ask before an index over a large table is made or removed.",
        ),
    ] = False,
) -> None:
    """Push the Python modules of [b]convex/[/b]. The push takes effect as a whole or not at all."""
    sources = Project.at(project)
    target = chosen.find(project)
    chosen.confirm_over_local("replace the functions", yes or dry_run)
    modules = sources.python_modules()
    data = sources.data_files()
    components = collect_components(sources)
    for sentence in (*data.left_out, *components.left_out):
        show_warning(sentence)
    body: dict[str, Any] = {
        "modules": [module.to_json() for module in (*modules, *data.files)],
        "definitions": [each.to_json() for each in components.definitions],
        "dryRun": dry_run,
        "message": message,
        "largeTable": _large_table(),
    }
    try:
        answer = _push(target, body)
    except UserError as error:
        if error.code != LARGE_INDEXES:
            raise
        _confirm(str(error), skip=skip_large_indexes_check or dry_run)
        answer = _push(target, {**body, "largeTable": None})
    for line in describe(answer):
        console.print(f"  {line}", markup=False)
    texts = {module.path: module.source for module in modules}
    for warning in index_warnings(sources, texts, answer.get("schema")):
        show_warning(warning)
    show_success(f"{'Checked against' if dry_run else 'Deployed to'} {target.url}")


def _push(target: Target, body: dict[str, Any]) -> Any:
    with console.status(f"Deploying to {target.url} …"):
        return AdminClient(target).post("/api/parabola/push", body)


def _large_table() -> int:
    text = os.environ.get(_LARGE_TABLE_VARIABLE, "")
    return int(text) if text.isdecimal() else _LARGE_TABLE


def _confirm(what: str, *, skip: bool) -> None:
    """Ask whether the indexes of large tables are meant. Raises `BadRequest` when they are not, or when there
    is nobody to ask.
    """
    show_warning(what)
    if skip:
        return
    if not sys.stdin.isatty():
        raise BadRequest(
            "There is nobody to ask whether that is meant, so nothing has changed. Give "
            "--skip-large-indexes-check to confirm it.",
            code="NotConfirmed",
        )
    if not typer.confirm("Go on?", default=False, err=True):
        raise BadRequest("Nothing has changed.", code="NotConfirmed")
