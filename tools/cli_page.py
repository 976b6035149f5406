# ruff: noqa: E501  (texts of the page are wrapped as pages are)
"""The reference of the command line, drawn from the commands themselves.

python tools/cli_page.py           write docs/reference/command-line.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import typer

from parabola.cli.application import application
from parabola.cli.options.server_options import OPTIONS

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"
TARGET: Final = ("url", "admin_key", "admin_key_file")
"""Options of all commands that are for a deployment (`parabola.cli.options.chosen_target`)."""
SERVING: Final = frozenset(name.replace("-", "_") for name in OPTIONS)
HEAD: Final = """# Command line

`parabola COMMAND --help` says the same in the terminal.

Every option may also come from an environment variable: the one that is named below, or else `PARABOLA_<COMMAND>_<OPTION>`, such as
`PARABOLA_EXPORT_PATH`; or from a file in TOML, which is named with `--config` or `PARABOLA_CONFIG` and has a table for each command. A flag
goes before a variable, and that before the file.

A command ends with status 0 when it did what was asked, with 1 when it could not, after a sentence that says why, and with 2 when an
option or an argument makes no sense.
"""
WHICH: Final = """
## Which deployment

Commands that are for a deployment find the server that runs in the project. These options, or the variables `CONVEX_SELF_HOSTED_URL` and
`CONVEX_SELF_HOSTED_ADMIN_KEY`, also in `.env.local`, name another one; then the command says which, and asks before it replaces or deletes
something there.
"""


def page() -> str:
    """The text of the page."""
    root: Any = typer.main.get_command(application())
    parts = [HEAD, *_which_deployment(root.commands["run"])]
    parts += _table("option", "variable", (_option(each) for each in root.params))
    for name, command in root.commands.items():
        parts += _command(f"parabola {name}", command)
    return "".join(parts)


def _which_deployment(command: Any) -> Iterator[str]:
    yield WHICH
    yield from _table("option", "variable", (_option(each) for each in command.params if each.name in TARGET))
    yield "\n## For all commands\n"


def _command(name: str, command: Any, depth: int = 2) -> Iterator[str]:
    subcommands: dict[str, Any] = getattr(command, "commands", {})
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    names = {each.name for each in options}
    serves = "port" in names
    elsewhere = SERVING if serves else frozenset(TARGET)
    yield f"\n{'#' * depth} {name}\n"
    if options or not subcommands:
        usage = " ".join([name, *map(_argument_name, arguments), *(["[OPTIONS]"] if options else [])])
        yield f"\n```\n{usage}\n```\n"
    yield f"\n{_markdown(command.help or '')}\n"
    if serves:
        yield "\nIt has the [settings of a server](settings.md) as options, too.\n"
    elif names & elsewhere:
        yield "\nIt has the options that say [which deployment](#which-deployment) is meant.\n"
    says = ((f"`{_argument_name(each)}`", "", _markdown(each.help)) for each in arguments)
    yield from _table("argument", "", says)
    yield from _table("option", "variable", (_option(each) for each in options if each.name not in elsewhere))
    for sub, inner in subcommands.items():
        yield from _command(f"{name} {sub}", inner, depth + 1)


def _argument_name(argument: Any) -> str:
    name = argument.name.upper()
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> tuple[str, str, str]:
    flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
    default = option.default
    says = _markdown(option.help or "")
    if option.required:
        says += " Required."
    elif default not in (None, False, "", ()) and option.name != "config":
        says += f" Default: `{getattr(default, 'value', default)}`."
    return flags, f"`{option.envvar}`" if option.envvar else "", says


def _table(first: str, second: str, rows: Iterable[tuple[str, str, str]]) -> list[str]:
    """A table, without the second column where nothing is in it."""
    listed = list(rows)
    if not listed:
        return []
    wide = any(row[1] for row in listed)
    lines = [(first, second, ""), ("---",) * 3, *listed]
    return ["\n", *("| " + " | ".join(row if wide else (row[0], row[2])) + " |\n" for row in lines)]


def _markdown(text: str) -> str:
    """Rich's `[b]word[/b]` as code; lines of a paragraph as one."""
    coded = re.sub(r"\[b\](.*?)\[/b\]", lambda match: f"`{match[1]}`".replace("\\[", "["), text)
    return "\n\n".join(" ".join(part.split()) for part in coded.split("\n\n")).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
