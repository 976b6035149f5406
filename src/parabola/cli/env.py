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
from parabola.cli.quiet_command import QuietCommand
from parabola.cli.target import AdminKey, DeploymentUrl, Target
from parabola.values.errors import BadRequest, NotFound
from parabola.values.text_files import NotUtf8, decode_text

__all__ = ["env"]

env = typer.Typer(
    help="List, set and remove environment variables, which functions read as env.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The variable's name.")]


@env.command("list")
def list_variables(url: DeploymentUrl = None, admin_key: AdminKey = None) -> None:
    """Print all variables as lines of a [b].env[/b] file, which [b]env set --from-file[/b] reads."""
    variables = _client(url, admin_key).call("_system/cli/queryEnvironmentVariables:default", {})
    for variable in variables:
        typer.echo(dotenv_line(variable["name"], variable["value"]))
    if not variables:
        console.print("There are no environment variables.", style="dim")


@env.command("get")
def get_variable(name: Name, url: DeploymentUrl = None, admin_key: AdminKey = None) -> None:
    """Print one variable's value."""
    found = _client(url, admin_key).call("_system/cli/queryEnvironmentVariables:get", {"name": name})
    if found is None:
        raise NotFound(f"There is no environment variable {name}. Set it with: parabola env set {name} VALUE")
    typer.echo(found["value"])


@env.command("set", cls=QuietCommand, context_settings={"ignore_unknown_options": True})
def set_variable(
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
    url: DeploymentUrl = None,
    admin_key: AdminKey = None,
) -> None:
    """Set a variable, or many. Queries that read them run again by themselves."""
    if from_file is not None:
        if name is not None:
            raise BadRequest("Give either a variable or --from-file, not both.")
        variables = read_dotenv(from_file)
        _change(_client(url, admin_key), variables)
        show_success(f"set {', '.join(variables) or 'nothing: the file has no variables'}")
        return
    if name is None:
        raise BadRequest("Name a variable: parabola env set NAME VALUE, or a file: --from-file .env")
    name, equals, rest = name.partition("=")
    if equals and value is not None:
        raise BadRequest(f"{name} is given two values. Write parabola env set {name} VALUE, or {name}=VALUE.")
    text = rest if equals else _standard_input() if value is None else value
    _change(_client(url, admin_key), {name: text})
    show_success(f"set {name}")


@env.command("remove")
def remove_variable(name: Name, url: DeploymentUrl = None, admin_key: AdminKey = None) -> None:
    """Remove a variable."""
    _change(_client(url, admin_key), {name: None})
    show_success(f"removed {name}")


def _client(url: str | None, admin_key: str | None) -> AdminClient:
    return AdminClient(Target.find(url, admin_key))


def _standard_input() -> str:
    try:
        return decode_text(sys.stdin.buffer.read()).rstrip("\r\n")
    except NotUtf8 as error:
        raise BadRequest(f"The standard input {error}") from None


def _change(client: AdminClient, variables: Mapping[str, str | None]) -> None:
    changes: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in variables.items()]
    client.post("/api/update_environment_variables", {"changes": changes})
