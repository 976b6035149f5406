"""Commands that start a server: flags, environment variables and a file come to them as one value.

A flag goes before a variable, that before the file, and that before the default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from parabola.cli.options.config_file import read_config
from parabola.cli.options.option_kinds import SWITCH
from parabola.cli.options.server_options import OPTIONS, ServerOption

__all__ = ["server_command"]

_CONFIG: Final = "config"


def server_command(command: Callable[..., None], *, dev: bool = False) -> Callable[..., None]:
    """`command(values, ...)` as a command with the options of a server, by name in `values`.

    With `dev` it has those that a server on the developer's machine needs.
    """
    rows = [option for option in OPTIONS.values() if option.in_dev or not dev]
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def with_options(**given: Any) -> None:
        given.pop(_CONFIG)
        values = {option.name: given.pop(option.parameter) for option in rows}
        command(values, **given)

    parameters = [*own, _config_parameter(), *map(_parameter, rows)]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def _parameter(option: ServerOption) -> inspect.Parameter:
    how: dict[str, Any] = {
        "envvar": option.environment,
        "help": option.help,
        "rich_help_panel": option.group,
        "show_default": option.unset or True,
    }
    if option.kind is SWITCH:
        return _keyword(option.parameter, bool, typer.Option(f"--{option.name}", **how), option.default)

    def read(text: Any) -> Any:
        try:
            return option.read(str(text))
        except ValueError as error:
            raise typer.BadParameter(f"{error}, not {text}.") from None

    how |= {"parser": read, "metavar": option.kind.metavar}
    default = None if option.default is None else option.kind.write(option.default)
    return _keyword(option.parameter, str | None, typer.Option(f"--{option.name}", **how), default)


def _config_parameter() -> inspect.Parameter:
    def read(context: typer.Context, path: Path | None) -> Path | None:
        if path is not None:
            texts = {OPTIONS[name].parameter: text for name, text in read_config(path).items()}
            context.default_map = {**(context.default_map or {}), **texts}
        return path

    how = typer.Option(
        "--config",
        envvar="PARABOLA_CONFIG",
        metavar="FILE",
        callback=read,
        is_eager=True,
        show_default="none",
        help="A TOML file with any of these options but secrets, such as port = 8000.",
    )
    return _keyword(_CONFIG, Path | None, how, None)


def _keyword(name: str, kind: Any, how: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, how]
    )
