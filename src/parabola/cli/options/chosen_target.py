"""The options by which a command is told which deployment it is for, and what it says of that before it acts.

A command for the server that runs here says nothing. For any other deployment it names it first; and what
deletes or replaces something there asks, for it may not be the one that was meant.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import console
from parabola.cli.target import KEY_VARIABLE, URL_VARIABLE, Target, read_key
from parabola.values.errors import BadRequest

__all__ = ["ChosenTarget", "Yes", "with_target"]

KEY_FILE_VARIABLE: Final = "PARABOLA_ADMIN_KEY_FILE"

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_OPTIONS: Final[dict[str, Any]] = {
    "url": Annotated[
        str | None,
        typer.Option(
            "--url",
            help=f"The deployment's URL, else {URL_VARIABLE}, in the environment or in .env.local, else the "
            "server that runs in this project.",
            show_default=False,
        ),
    ],
    "admin_key": Annotated[
        str | None,
        typer.Option(
            "--admin-key",
            help=f"An admin key of that deployment, else {KEY_VARIABLE}. Others may see it in the list of "
            "processes; a file keeps it to you.",
            show_default=False,
        ),
    ],
    "admin_key_file": Annotated[
        Path | None,
        typer.Option(
            "--admin-key-file",
            envvar=KEY_FILE_VARIABLE,
            help="A file with the key and nothing else.",
            show_default=False,
        ),
    ],
}


class ChosenTarget:
    """The deployment that a command is for. It is looked for, and told of, when it is first needed."""

    def __init__(self, url: str | None, admin_key: str | None, admin_key_file: Path | None) -> None:
        self._url = url
        self._key = read_key(admin_key, admin_key_file)
        self._found: Target | None = None

    def find(self, directory: Path | None = None) -> Target:
        """The deployment; `directory` is where the project is. Raises what `Target.find` does."""
        if self._found is None:
            self._found = Target.find(self._url, self._key, directory)
            _announce(self._found)
        return self._found

    def client(self, identity: dict[str, Any] | None = None) -> AdminClient:
        """For calls to it, as the user with these attributes if there are any."""
        return AdminClient(self.find(), identity)

    def confirm(self, what: str, yes: bool) -> None:
        """Ask before `what` is done to another deployment than the one that runs here, unless that was named
        by --url. Raises `BadRequest` when it is not to be done, or nobody can be asked.
        """
        target = self.find()
        if yes or target.is_local or self._url is not None:
            return
        if not sys.stdin.isatty():
            raise BadRequest(
                f"This would {what} at {target.url}, from {target.source}, and there is nobody to ask. Give "
                "--yes to confirm that, or name the deployment with --url.",
                code="NotConfirmed",
            )
        if not typer.confirm(f"This will {what} at {target.url}. Go on?", default=False, err=True):
            raise BadRequest("Nothing has changed.", code="NotConfirmed")

    def confirm_over_local(self, what: str, yes: bool) -> None:
        """The same, but only where another server runs here, which may be the one that was meant."""
        if self.find().local_url is not None:
            self.confirm(what, yes)


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """`command(target, ...)` as a command with the options that choose a `ChosenTarget`."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def with_options(**given: Any) -> None:
        command(ChosenTarget(*(given.pop(name) for name in _OPTIONS)), **given)

    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + added
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def _announce(target: Target) -> None:
    if target.is_local:
        return
    there = f"→ {target.url}, from {target.source}"
    if target.local_url is not None:
        console.print(f"{there}; not the server that runs here, {target.local_url}", style="yellow")
    else:
        console.print(there, style="dim")
