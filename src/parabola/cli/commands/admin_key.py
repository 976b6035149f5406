"""`parabola admin-key`: make, list and revoke the keys that admit to a deployment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from parabola.cli.console import console, show_success
from parabola.cli.instance import Instance, read_secret
from parabola.cli.options.chosen_target import ChosenTarget, Yes, with_target
from parabola.project import DATA_FOLDER
from parabola.values.errors import BadRequest

__all__ = ["admin_key"]

admin_key = typer.Typer(help="Make, list and revoke admin keys.", invoke_without_command=True)


@admin_key.callback()
def make_key(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Whose key it is, for [b]admin-key list[/b].")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="A key that may only look.")] = False,
    instance_name: Annotated[
        str | None, typer.Option(envvar="INSTANCE_NAME", help="The deployment's instance name.")
    ] = None,
    instance_secret: Annotated[
        str | None, typer.Option(envvar="INSTANCE_SECRET", help="Its instance secret, 64 hex characters.")
    ] = None,
    instance_secret_file: Annotated[
        Path | None,
        typer.Option(envvar="PARABOLA_INSTANCE_SECRET_FILE", help="A file with the secret and nothing else."),
    ] = None,
    data: Annotated[
        Path, typer.Option(help="Where name and secret are kept when they are not given.")
    ] = Path(DATA_FOLDER),
) -> None:
    """Print a new admin key of a deployment, from its name and secret. Nothing is written.

    [b]list[/b] and [b]revoke[/b] ask the deployment itself.
    """
    if context.invoked_subcommand is not None:
        return
    from parabola.services.sign_in.admin_keys import make_admin_key

    secret = read_secret(instance_secret, instance_secret_file)
    instance = Instance.known(data, instance_name, secret)
    typer.echo(make_admin_key(instance.name, instance.secret, name=name, read_only=read_only))


@admin_key.command("list")
@with_target
def list_keys(target: ChosenTarget) -> None:
    """List the keys that were used, with their ids and names."""
    keys = target.client().get("/api/parabola/admin_keys")["keys"]
    for key in keys:
        typer.echo(_line(key))
    if not keys:
        console.print("No admin key was used yet.", style="dim")


@admin_key.command("revoke")
@with_target
def revoke_keys(
    target: ChosenTarget,
    key_id: Annotated[
        str | None, typer.Argument(help="The id of a key, from [b]admin-key list[/b].", show_default=False)
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All keys that were made until now, whoever has them.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Take a key no more, or none of those that there are. The instance's secret stays as it is."""
    if every == (key_id is not None):
        raise BadRequest("Give the id of a key, from `parabola admin-key list`, or --all.")
    target.confirm("revoke every admin key" if every else f"revoke the admin key {key_id}", yes)
    client = target.client()
    client.post("/api/parabola/admin_keys/revoke", {"all": True} if every else {"keyId": key_id})
    if every:
        show_success("revoked all keys that were made until now; make new ones with: parabola admin-key")
    else:
        show_success(f"revoked {key_id}")


def _line(key: dict[str, Any]) -> str:
    parts = [key["keyId"], key["name"] or "(no name)"]
    if key["issuedAt"]:
        parts.append(f"made {_date(key['issuedAt'])}")
    if key["isReadOnly"]:
        parts.append("read only")
    if key["isRevoked"]:
        parts.append(f"revoked {_date(key['revokedAt'])}" if key["revokedAt"] else "revoked")
    elif key["lastUsedAt"]:
        parts.append(f"last used {_date(key['lastUsedAt'])}")
    return "  ".join(parts)


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
