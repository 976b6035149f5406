"""A plain command line of `parabola serve` means what the library that reads command lines makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from parabola.cli.options.option_kinds import BACKUP_TIMES, FILE, FOLDER, SIZE, SWITCH, TEXT
from parabola.cli.options.plain_options import plain_options
from parabola.cli.options.server_command import server_command
from parabola.cli.options.server_options import OPTIONS, ServerOption

NO_VARIABLES = {option.environment: "" for option in OPTIONS.values()}


def value_of(option: ServerOption, number: int) -> str:
    if option.kind is SWITCH:
        return ["false", "true"][number % 2]
    if option.kind.choices:
        return option.kind.choices[number % len(option.kind.choices)]
    if option.kind in (TEXT, FILE, FOLDER):
        return f"value {number}"
    if option.kind is BACKUP_TIMES:
        return f"0{number}:00"
    least = int(option.least or 0) + (option.least is not None and option.least % 1 > 0)
    step = 2**20 if option.kind is SIZE else 1
    return str(
        least if option.most is not None and least + number * step > option.most else least + number * step
    )


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[list[str], dict[str, str], list[str]]:
    """Arguments, variables, and lines of a file: any options at any of these places, in any order."""
    arguments: list[str] = []
    variables: dict[str, str] = {}
    lines: list[str] = []
    for option in draw(st.lists(st.sampled_from(list(OPTIONS.values())), unique_by=lambda each: each.name)):
        places = draw(st.sets(st.sampled_from(["flag", "variable", "file"]), min_size=1))
        texts = [value_of(option, draw(st.integers(0, 9))) for _ in range(3)]
        if "flag" in places:
            if option.kind is SWITCH:
                arguments.append(f"--{option.name}")
            elif draw(st.booleans()):
                arguments.append(f"--{option.name}={texts[0]}")
            else:
                arguments += [f"--{option.name}", texts[0]]
        if "variable" in places:
            variables[option.environment] = texts[1]
        if "file" in places and not option.is_secret:
            is_text = str in option.kind.in_file
            lines.append(f'{option.name} = "{texts[2]}"' if is_text else f"{option.name} = {texts[2]}")
    return arguments, variables, lines


def explained(arguments: list[str], variables: Mapping[str, str]) -> dict[str, Any]:
    got: dict[str, Any] = {}

    def take(values: Mapping[str, Any]) -> None:
        got.update(values)

    app = typer.Typer()
    app.command()(server_command(take))
    done = CliRunner(env={**NO_VARIABLES, **variables}).invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return got


@settings(max_examples=60, deadline=None)
@given(command_lines())
def test_it_means_the_same(line: tuple[list[str], dict[str, str], list[str]]) -> None:
    arguments, variables, lines = line
    with NamedTemporaryFile("w", suffix=".toml") as file:
        if lines:
            Path(file.name).write_text("\n".join(lines))
            arguments = [*arguments, "--config", file.name]
        assert plain_options(arguments, variables) == explained(arguments, variables)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--port"],
        ["--port", "--host"],
        ["--port", "x"],
        ["--port=-1"],
        ["--port", "1", "--port", "2"],
        ["--por", "1"],
        ["port", "1"],
        ["--redact-logs-to-client=true"],
        ["--host="],
        ["-p", "1"],
        ["--"],
    ],
)
def test_what_is_not_plain_is_left_to_the_library(arguments: list[str]) -> None:
    assert plain_options(arguments, {}) is None


def test_variables_that_concern_every_command_are_left_to_it_too() -> None:
    assert plain_options([], {"PARABOLA_CONFIG": "some.toml"}) is None
    assert plain_options([], {"PARABOLA_PORT": "many"}) is None
