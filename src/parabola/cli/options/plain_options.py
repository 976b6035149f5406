"""The options of `parabola serve` from a plain command line, without the library that explains command lines.

That library and what it prints with take 10 MB, in a process that lives for months, and a tenth of a second
of its start. What is not plain is left to it: help, a mistake, a name cut short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from parabola.cli.options.option_kinds import SWITCH
from parabola.cli.options.server_options import OPTIONS

__all__ = ["plain_options"]

_ELSEWHERE: Final = ("PARABOLA_CONFIG", "_PARABOLA_COMPLETE")
"""Variables that concern the command line as a whole."""


def plain_options(arguments: Sequence[str], variables: Mapping[str, str]) -> dict[str, Any] | None:
    """The values of all options of a server by name, from flags, variables, and the file of `--config`.

    None where anything is not as plain as that. Raises `BadRequest` for what a file says.
    """
    if any(name in variables for name in _ELSEWHERE):
        return None
    given = _flags(arguments)
    if given is None:
        return None
    file = given.pop("config", None)
    texts: Mapping[str, Any] = {}
    if file is not None:
        from parabola.cli.options.config_file import read_config

        texts = read_config(Path(file))
    values: dict[str, Any] = {}
    for name, option in OPTIONS.items():
        text = given.get(name) or variables.get(option.environment) or texts.get(name)
        if text is None:
            values[name] = option.default
        elif isinstance(text, bool):
            values[name] = text
        else:
            try:
                values[name] = option.read(text)
            except ValueError:
                return None
    return values


def _flags(arguments: Sequence[str]) -> dict[str, str] | None:
    """The texts of `--name text`, `--name=text` and switches; None for anything else."""
    given: dict[str, str] = {}
    rest = list(reversed(arguments))
    while rest:
        flag, has_text, text = rest.pop().partition("=")
        name = flag.removeprefix("--")
        option = OPTIONS.get(name)
        if name == flag or name in given or (option is None and name != "config"):
            return None
        if option is not None and option.kind is SWITCH:
            if has_text:
                return None
            text = "true"
        elif not has_text:
            text = rest.pop() if rest else ""
            if text.startswith("-"):
                return None
        if not text:
            return None
        given[name] = text
    return given
