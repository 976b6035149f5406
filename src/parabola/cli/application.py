"""The command line as a whole: which commands there are, each imported only where it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

import parabola
from parabola.cli.options.config_file import read_command_options
from parabola.values.errors import BadRequest
from parabola.values.near_names import did_you_mean

__all__ = ["COMMANDS", "VARIABLE_PREFIX", "application"]

VARIABLE_PREFIX: Final = "PARABOLA"
"""Options that name no variable have `PARABOLA_<COMMAND>_<OPTION>`, which their help shows."""

COMMANDS: Final[Mapping[str, str]] = {
    "init": "init",
    "dev": "dev",
    "serve": "serve",
    "deploy": "deploy",
    "run": "run",
    "data": "data",
    "logs": "logs",
    "audit": "audit",
    "env": "env",
    "import": "archive_import",
    "export": "archive_export",
    "dashboard": "dashboard",
    "codegen": "codegen",
    "pause": "pause",
    "resume": "resume",
    "backup": "backup",
    "restore": "restore",
    "upgrade": "upgrade",
    "admin-key": "admin_key",
    "nodes": "nodes",
    "promote": "promote",
    "demote": "demote",
}
"""The commands, in the order of their help, and the module that each is named after in Python."""


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands. Whoever knows which one is wanted saves the time of importing
    the others.
    """
    app = typer.Typer(
        name="parabola",
        help="The Convex reactive backend, written in Python.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(_options)
    for name in names:
        module = COMMANDS[name]
        command: Any = getattr(import_module(f"parabola.cli.commands.{module}"), module)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


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


def _options(
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
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            # Deployments set PARABOLA_VERSION to what they install, as the tag of an image.
            allow_from_autoenv=False,
            help="Print the version and end.",
        ),
    ] = False,
) -> None:
    """The Convex reactive backend, written in Python."""
