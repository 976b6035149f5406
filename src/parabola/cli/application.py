"""The command's entry point: which commands there are, and how their errors are shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

import parabola
from parabola.cli import (
    admin_key,
    archive_export,
    archive_import,
    audit,
    codegen,
    data,
    deploy,
    dev,
    env,
    init,
    logs,
    run,
    serve,
)
from parabola.cli.config_file import read_command_options
from parabola.cli.console import show_error
from parabola.project import ProjectError
from parabola.values.errors import BadRequest, ParabolaError
from parabola.values.near_names import did_you_mean

__all__ = ["VARIABLE_PREFIX", "application", "main", "options"]

VARIABLE_PREFIX: Final = "PARABOLA"
"""Options that name no variable have `PARABOLA_<COMMAND>_<OPTION>`, which their help shows."""

application = typer.Typer(
    name="parabola",
    help="The Convex reactive backend, written in Python.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

application.command("init")(init.init)
application.command("dev")(dev.dev)
application.command("serve")(serve.serve)
application.command("deploy")(deploy.deploy)
application.command("run")(run.run)
application.command("data")(data.data)
application.command("logs")(logs.logs)
application.command("audit")(audit.audit)
application.add_typer(env.env, name="env")
application.command("import")(archive_import.archive_import)
application.command("export")(archive_export.archive_export)
application.command("codegen")(codegen.codegen)
application.add_typer(admin_key.admin_key, name="admin-key")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(parabola.__version__)
        raise typer.Exit


def _read_commands(context: typer.Context, path: Path | None) -> Path | None:
    if path is not None:
        options = read_command_options(path)
        _check_names(path, context.command, options)
        context.default_map = {**(context.default_map or {}), **options}
    return path


def _check_names(path: Path, command: Any, options: Mapping[str, Any]) -> None:
    """Raise `BadRequest` for what a file says of a command that has no such option."""
    commands: Mapping[str, Any] = getattr(command, "commands", {})
    known = {param.name for param in command.params}
    for name, value in options.items():
        if name in commands and isinstance(value, dict):
            _check_names(path, commands[name], value)
        elif name not in known:
            flag = name.replace("_", "-")
            near = did_you_mean(flag, [each.replace("_", "-") for each in (*known, *commands)])
            raise BadRequest(
                f"{path}: {command.name} has no option {flag}.{near}", code="InvalidConfiguration"
            )


@application.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            envvar="PARABOLA_CONFIG",
            metavar="FILE",
            callback=_read_commands,
            is_eager=True,
            show_default=False,
            help="A TOML file with options of commands in tables of their names, such as [b]\\[export][/b].",
        ),
    ] = None,
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
        application(auto_envvar_prefix=VARIABLE_PREFIX)
    except (ParabolaError, ProjectError) as error:
        show_error(str(error))
        sys.exit(1)
    except BrokenPipeError:  # `parabola data | head`
        sys.stderr.close()
        sys.exit(1)
