"""`parabola env`: the environment variables of a deployment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import console, show_success
from parabola.cli.dotenv_lines import dotenv_line, read_dotenv
from parabola.cli.options.chosen_target import ChosenTarget, Yes, with_target
from parabola.cli.options.quiet_command import QuietCommand
from parabola.values.errors import BadRequest, NotFound
from parabola.values.text_files import NotUtf8, decode_text

__all__ = ["env"]

env = typer.Typer(
    help="List, set and remove environment variables, which functions read as env.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The variable's name.")]


@env.command("list")
@with_target
def list_variables(target: ChosenTarget) -> None:
    """Print all variables as lines of a [b].env[/b] file, which [b]env set --from-file[/b] reads."""
    variables = target.client().call("_system/cli/queryEnvironmentVariables:default", {})
    for variable in variables:
        typer.echo(dotenv_line(variable["name"], variable["value"]))
    if not variables:
        console.print("There are no environment variables.", style="dim")


@env.command("get")
@with_target
def get_variable(target: ChosenTarget, name: Name) -> None:
    """Print one variable's value."""
    found = target.client().call("_system/cli/queryEnvironmentVariables:get", {"name": name})
    if found is None:
        raise NotFound(f"There is no environment variable {name}. Set it with: parabola env set {name} VALUE")
    typer.echo(found["value"])


@env.command("set", cls=QuietCommand, context_settings={"ignore_unknown_options": True})
@with_target
def set_variable(
    target: ChosenTarget,
    name: Annotated[
        str | None,
        typer.Argument(help="The variable's name, or [b]NAME=value[/b] in one.", show_default=False),
    ] = None,
    value: Annotated[
        str | None, typer.Argument(help="Its value, also one that begins with -; without it, standard input.")
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option(help="Set all variables of a [b].env[/b] file instead, or none of them.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Set a variable, or many. Queries that read them run again by themselves."""
    if from_file is not None:
        if name is not None:
            raise BadRequest("Give either a variable or --from-file, not both.")
        variables = read_dotenv(from_file)
        _set(target, variables, yes)
        show_success(f"set {', '.join(variables) or 'nothing: the file has no variables'}")
        return
    if name is None:
        raise BadRequest("Name a variable: parabola env set NAME VALUE, or a file: --from-file .env")
    name, equals, rest = name.partition("=")
    if equals and value is not None:
        raise BadRequest(f"{name} is given two values. Write parabola env set {name} VALUE, or {name}=VALUE.")
    text = rest if equals else _standard_input() if value is None else value
    _set(target, {name: text}, yes)
    show_success(f"set {name}")


@env.command("remove")
@with_target
def remove_variable(target: ChosenTarget, name: Name, yes: Yes = False) -> None:
    """Remove a variable."""
    target.confirm(f"remove the variable {name}", yes)
    _change(target.client(), {name: None})
    show_success(f"removed {name}")


def _set(target: ChosenTarget, variables: Mapping[str, str], yes: bool) -> None:
    """Set variables; it is asked first where values would be replaced elsewhere."""
    client = target.client()
    there = client.call("_system/cli/queryEnvironmentVariables:default", {})
    old = {variable["name"]: variable["value"] for variable in there}
    replaced = [name for name, value in variables.items() if name in old and old[name] != value]
    if replaced:
        target.confirm(f"replace the value of {', '.join(replaced)}", yes)
    _change(client, variables)


def _standard_input() -> str:
    try:
        return decode_text(sys.stdin.buffer.read()).rstrip("\r\n")
    except NotUtf8 as error:
        raise BadRequest(f"The standard input {error}") from None


def _change(client: AdminClient, variables: Mapping[str, str | None]) -> None:
    changes: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in variables.items()]
    client.post("/api/update_environment_variables", {"changes": changes})
