"""`parabola run`: call one function and print what it returns."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

from parabola.cli.json_text import json_text
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.cli.options.completed_names import function_names
from parabola.values.errors import BadRequest
from parabola.values.text_files import NotUtf8, decode_text

__all__ = ["run"]


@with_target
def run(
    target: ChosenTarget,
    function: Annotated[
        str,
        typer.Argument(help="The function, for example [b]tasks:create[/b].", autocompletion=function_names),
    ],
    args: Annotated[str, typer.Argument(help='Its arguments as a JSON object: \'{"text": "milk"}\'.')] = "{}",
    identity: Annotated[
        str | None, typer.Option(help="Act as this user: the identity's attributes as a JSON object.")
    ] = None,
    component: Annotated[
        str | None, typer.Option(help="The component whose function it is, for example [b]mailer/queue[/b].")
    ] = None,
) -> None:
    """Call a query, mutation or action, internal ones too, and print its result as JSON."""
    arguments = _object(args, "The arguments")
    user = None if identity is None else _object(identity, "The identity")
    client = target.client(user)
    typer.echo(json_text(client.call(_normalize(function), arguments, component=component), indent=2))


def _object(text: str, what: str) -> dict[str, Any]:
    try:  # it may come from a file: "$(cat arguments.json)"
        text = decode_text(os.fsencode(text))
    except NotUtf8 as error:
        raise BadRequest(f"The text of {what[0].lower()}{what[1:]} {error}") from None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadRequest(
            f'{what} must be a JSON object such as \'{{"text": "milk"}}\', but {text!r} is not JSON: {error}.'
        ) from None
    if not isinstance(value, dict):
        raise BadRequest(f'{what} must be a JSON object such as \'{{"text": "milk"}}\', not {text}.')
    return value


def _normalize(function: str) -> str:
    """`api.tasks.list`, `tasks.list` and `convex/tasks.py:list` name `tasks:list` too."""
    if ":" not in function and "." in function and not function.endswith((".py", ".ts", ".js")):
        for root in ("api.", "internal."):
            function = function.removeprefix(root)
        module, _, name = function.removeprefix("convex.").rpartition(".")
        return f"{module.replace('.', '/')}:{name}"
    return function.removeprefix("convex/")
