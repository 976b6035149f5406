"""Configuration files: any option of a server but secrets, in TOML, by the name of its flag."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from parabola.cli.options.option_kinds import FILE, FOLDER
from parabola.cli.options.server_options import OPTIONS, ServerOption
from parabola.values.errors import BadRequest

__all__ = ["COMMANDS", "read_command_options", "read_config"]

COMMANDS: Final = frozenset(
    {"deploy", "run", "data", "logs", "audit", "env", "import", "export", "codegen", "admin-key"}
)
"""Commands whose options are in a table of that name."""


def read_config(path: Path) -> dict[str, Any]:
    """The texts of the options in a file, by name; folders are those beside the file.

    Raises `BadRequest`, which names the file, the key and what it takes.
    """
    content = _content(path)
    return {name: _text(path, name, value) for name, value in content.items() if not _is_command(name, value)}


def read_command_options(path: Path) -> dict[str, Any]:
    """The options of other commands than those that start a server: a table for each, by the names of flags.

    Raises `BadRequest`, which names the file and the key, for secrets.
    """
    content = _content(path)
    return {name: _table(path, value) for name, value in content.items() if _is_command(name, value)}


def _is_command(name: str, value: Any) -> bool:
    return isinstance(value, dict) and name in COMMANDS


def _table(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):  # a command of a command: [env.set]
            read[name] = _table(path, value)
        elif name in ("admin-key", "instance-secret"):
            raise _refused(
                path, f"{name} is a secret, which files like this are no place for. Use {name}-file"
            )
        else:
            read[name.replace("-", "_")] = value
    return read


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _refused(path, f"it cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refused(path, f"it is no TOML: {error}") from None


def _text(path: Path, name: str, value: Any) -> Any:
    option = OPTIONS.get(name)
    if option is None:
        near = difflib.get_close_matches(name.replace("_", "-"), OPTIONS, 1)
        hint = f" Did you mean {near[0]}?" if near else " `parabola serve --help` lists what there is."
        raise _refused(path, f"there is no option {name}.{hint}")
    if option.is_secret:
        raise _refused(
            path,
            f"{name} is a secret, which files like this are no place for. "
            f"Set {option.environment} in the environment instead",
        )
    if type(value) not in option.kind.in_file:
        raise _refused(path, f"{name} is {_shown(value)}; {_wanted(option)}")
    if isinstance(value, bool):
        return value
    try:
        option.read(str(value))
    except ValueError as error:
        raise _refused(path, f"{name} is {_shown(value)}; {error}") from None
    return str(path.parent / value) if option.kind in (FILE, FOLDER) else str(value)


def _wanted(option: ServerOption) -> str:
    if bool in option.kind.in_file:
        return "give true or false"
    if str not in option.kind.in_file:
        return f"give {option.range}" if option.range else "give a whole number"
    if option.kind.choices:
        return f"give {' or '.join(option.kind.choices)}"
    return "give a text in quotes" if option.kind.in_file == (str,) else f"give {option.range}"


def _shown(value: Any) -> str:
    return (
        f'"{value}"'
        if isinstance(value, str)
        else str(value).lower()
        if value in (True, False)
        else str(value)
    )


def _refused(path: Path, why: str) -> BadRequest:
    return BadRequest(f"{path}: {why}.".replace("?.", "?").replace("..", "."), code="InvalidConfiguration")
