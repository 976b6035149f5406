"""The command's entry point: which commands there are, and how their errors are shown."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import parabola
from parabola.cli import (
    admin_key,
    archive_export,
    archive_import,
    codegen,
    data,
    deploy,
    dev,
    env,
    logs,
    run,
    serve,
)
from parabola.cli.console import show_error
from parabola.project import ProjectError
from parabola.values.errors import ParabolaError

__all__ = ["application", "main", "options"]

application = typer.Typer(
    name="parabola",
    help="The Convex reactive backend, written in Python.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

application.command("dev")(dev.dev)
application.command("serve")(serve.serve)
application.command("deploy")(deploy.deploy)
application.command("run")(run.run)
application.command("data")(data.data)
application.command("logs")(logs.logs)
application.add_typer(env.env, name="env")
application.command("import")(archive_import.archive_import)
application.command("export")(archive_export.archive_export)
application.command("codegen")(codegen.codegen)
application.add_typer(admin_key.admin_key, name="admin-key")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(parabola.__version__)
        raise typer.Exit


@application.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """The Convex reactive backend, written in Python."""


def main() -> None:
    """Run the command line. A foreseen failure ends with its sentence and status 1, never with a
    traceback.
    """
    try:
        application()
    except (ParabolaError, ProjectError) as error:
        show_error(str(error))
        sys.exit(1)
    except BrokenPipeError:  # `parabola data | head`
        sys.stderr.close()
        sys.exit(1)
