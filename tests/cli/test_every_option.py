"""Every option of every command comes from a flag, a variable, or a file; secrets from files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from parabola.cli.application import VARIABLE_PREFIX, application
from parabola.cli.options.config_file import COMMANDS, read_command_options
from parabola.values.errors import BadRequest

SECRETS = {"admin_key", "instance_secret"}
AT_ONCE = {"help", "version", "config", "install_completion", "show_completion"}
CANDIDATES = ("7", "7h", "asc", "json", "csv", "ERROR", "300", "0", "40000", "3GB", "value", "true")
Path_ = tuple[str, ...]


def commands(group: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


ALL = [
    (path, command, option)
    for path, command in commands(typer.main.get_command(application()))
    for option in command.params
    if option.param_type_name == "option" and option.name not in AT_ONCE
]
every_option = pytest.mark.parametrize(
    ("path", "command", "option"), ALL, ids=[f"{' '.join(path)} {option.name}" for path, _, option in ALL]
)


def prefix_of(path: Path_) -> str:
    return "_".join((VARIABLE_PREFIX, *path)).upper().replace("-", "_")


def got(path: Path_, command: Any, option: Any, folder: Path, *words: str, **how: Any) -> Any:
    """What the command would get for an option."""
    rows = folder / "rows.jsonl"
    rows.write_text("{}")
    required = [
        part
        for each in command.params
        if each.required and each.name != option.name
        for part in ([each.opts[0], str(rows)] if each.param_type_name == "option" else [str(rows)])
    ]
    more = ["list"] if hasattr(command, "commands") else []
    given = [*words, *required, *more]
    with command.make_context(path[-1], given, auto_envvar_prefix=prefix_of(path), **how) as context:
        return context.params[option.name]


def another_value(path: Path_, command: Any, option: Any, folder: Path) -> tuple[str, Any]:
    """A text that changes what the command gets, and what it gets then: by the flag."""
    before = None if option.required else got(path, command, option, folder)
    if option.is_flag:
        return ("false" if before else "true"), not before
    for text in (*CANDIDATES, str(folder / "rows.jsonl")):
        try:
            value = got(path, command, option, folder, option.opts[0], text)
        except Exception:  # typer's and click's own, whichever typer is there: the option takes no such text
            continue
        if value != before:
            return text, value
    raise AssertionError(f"no value was found for {option.name}")


@every_option
def test_a_variable_says_the_same_as_a_flag(
    path: Path_, command: Any, option: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, value = another_value(path, command, option, tmp_path)
    monkeypatch.setenv(option.envvar or f"{prefix_of(path)}_{option.name.upper()}", text)
    assert got(path, command, option, tmp_path) == value


@every_option
def test_a_file_says_the_same_unless_it_is_a_secret(
    path: Path_, command: Any, option: Any, tmp_path: Path
) -> None:
    if path[0] not in COMMANDS:
        return  # those that start a server have a file of another form: see test_server_options
    text, value = another_value(path, command, option, tmp_path)
    flag = option.name.replace("_", "-")
    file = tmp_path / "parabola.toml"
    file.write_text(f"[{'.'.join(path)}]\n{flag} = {text if option.is_flag else repr(text)}\n")
    if option.name in SECRETS:
        with pytest.raises(BadRequest, match=f"{flag} is a secret"):
            read_command_options(file)
        assert f"{option.name}_file" in [each.name for each in command.params]
        return
    options = read_command_options(file)
    for part in path:
        options = options[part]
    assert got(path, command, option, tmp_path, default_map=options) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[export]\nincude-file-storage = true", "include-file-storage"),
        ("[env.set]\nfrom-fil = 'x'", "from-file"),
        ("[env.sett]\nyes = true", "env has no option sett"),
    ],
)
def test_what_no_command_has_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "parabola.toml").write_text(text)
    done = CliRunner().invoke(application(), ["--config", str(tmp_path / "parabola.toml"), "data"])
    assert isinstance(done.exception, BadRequest)
    assert why in str(done.exception)


def test_a_variable_with_the_version_of_an_image_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARABOLA_VERSION", "1.2.0")
    done = CliRunner().invoke(application(), ["env", "--help"], auto_envvar_prefix=VARIABLE_PREFIX)
    assert done.exit_code == 0
    assert "Usage" in done.output
