"""`parabola admin-key`: make a key that admits to a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parabola.cli.instance import Instance
from parabola.project import DATA_FOLDER

__all__ = ["admin_key"]


def admin_key(
    instance_name: Annotated[
        str | None, typer.Option(envvar="INSTANCE_NAME", help="The deployment's instance name.")
    ] = None,
    instance_secret: Annotated[
        str | None, typer.Option(envvar="INSTANCE_SECRET", help="Its instance secret, 64 hex characters.")
    ] = None,
    data: Annotated[
        Path, typer.Option(help="Where name and secret are kept when they are not given.")
    ] = Path(DATA_FOLDER),
) -> None:
    """Print a new admin key of a deployment, from its name and secret. Nothing is written."""
    from parabola.services.sign_in.admin_keys import make_admin_key

    instance = Instance.known(data, instance_name, instance_secret)
    typer.echo(make_admin_key(instance.name, instance.secret))
