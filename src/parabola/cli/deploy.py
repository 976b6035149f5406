"""`parabola deploy`: push the Python functions of this project to a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parabola.cli.admin_client import AdminClient
from parabola.cli.chosen_target import ChosenTarget, Yes, with_target
from parabola.cli.console import console, show_success, show_warning
from parabola.cli.index_names import index_warnings
from parabola.cli.push_report import describe
from parabola.project import Project

__all__ = ["deploy"]


@with_target
def deploy(
    chosen: ChosenTarget,
    project: Annotated[Path, typer.Option(help="The project's directory.")] = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")] = False,
    message: Annotated[str | None, typer.Option(help="A note to keep with this deployment.")] = None,
    yes: Yes = False,
) -> None:
    """Push the Python modules of [b]convex/[/b]. The push takes effect as a whole or not at all."""
    sources = Project.at(project)
    target = chosen.find(project)
    chosen.confirm_over_local("replace the functions", yes or dry_run)
    modules = sources.python_modules()
    body: dict[str, Any] = {
        "modules": [{"path": module.path, "source": module.source} for module in modules],
        "dryRun": dry_run,
        "message": message,
    }
    with console.status(f"Deploying to {target.url} …"):
        answer = AdminClient(target).post("/api/parabola/push", body)
    for line in describe(answer):
        console.print(f"  {line}", markup=False)
    texts = {module.path: module.source for module in modules}
    for warning in index_warnings(sources, texts, answer.get("schema")):
        show_warning(warning)
    show_success(f"{'Checked against' if dry_run else 'Deployed to'} {target.url}")
