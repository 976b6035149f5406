"""`parabola env`: the environment variables of a deployment."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import console, show_success
from parabola.cli.quiet_command import QuietCommand
from parabola.cli.target import AdminKey, DeploymentUrl, Target
from parabola.values.errors import BadRequest, NotFound

__all__ = ["env"]

env = typer.Typer(
    help="List, set and remove environment variables, which functions read as env.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The variable's name.")]


@env.command("list")
def list_variables(url: DeploymentUrl = None, admin_key: AdminKey = None) -> None:
    """Print all variables as [b]NAME=value[/b]."""
    variables = _client(url, admin_key).call("_system/cli/queryEnvironmentVariables:default", {})
    for variable in variables:
        typer.echo(f"{variable['name']}={variable['value']}")
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
    name: Annotated[str, typer.Argument(help="The variable's name, or [b]NAME=value[/b] in one.")],
    value: Annotated[
        str | None, typer.Argument(help="Its value, also one that begins with -; without it, standard input.")
    ] = None,
    url: DeploymentUrl = None,
    admin_key: AdminKey = None,
) -> None:
    """Set a variable. Queries that read it run again by themselves."""
    name, equals, rest = name.partition("=")
    if equals and value is not None:
        raise BadRequest(f"{name} is given two values. Write parabola env set {name} VALUE, or {name}=VALUE.")
    text = rest if equals else sys.stdin.read().rstrip("\n") if value is None else value
    _change(_client(url, admin_key), name, text)
    show_success(f"set {name}")


@env.command("remove")
def remove_variable(name: Name, url: DeploymentUrl = None, admin_key: AdminKey = None) -> None:
    """Remove a variable."""
    _change(_client(url, admin_key), name, None)
    show_success(f"removed {name}")


def _client(url: str | None, admin_key: str | None) -> AdminClient:
    return AdminClient(Target.find(url, admin_key))


def _change(client: AdminClient, name: str, value: str | None) -> None:
    change: dict[str, Any] = {"name": name, "value": value}
    client.post("/api/update_environment_variables", {"changes": [change]})
