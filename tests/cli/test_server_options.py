"""The options of a server: one table, of which flags, variables, files, help and reference tell the same."""

from __future__ import annotations

import dataclasses
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from parabola.cli.options.config_file import read_config
from parabola.cli.options.option_kinds import BACKUP_TIMES, FILE, FOLDER, SIZE, SWITCH, TEXT, TIME
from parabola.cli.options.server_command import server_command
from parabola.cli.options.server_options import DEFAULTS, OPTIONS, ServerOption, options_from
from parabola.values.errors import BadRequest

ROOT = Path(__file__).parents[2]
FLOORS = ("database", "functions", "services", "server")
every_option = pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)


def value_of(option: ServerOption, number: int) -> str:
    """A value that the option takes, another one for each number."""
    if option.kind is SWITCH:
        return ["false", "true"][number % 2]
    if option.kind.choices:
        return option.kind.choices[number % len(option.kind.choices)]
    if option.kind in (TEXT, FILE, FOLDER):
        return f"value-{number}"
    if option.kind is BACKUP_TIMES:
        return f"{number + 1}h"
    least = int(option.least or 0)
    step = 2**20 if option.kind is SIZE else 1
    return str(least + (number % 2 if option.most == 1 else number) * step + (least != option.least))


def given_values(
    tmp_path: Path, arguments: list[str], env: Mapping[str, str], file: str = ""
) -> dict[str, Any]:
    """What a command gets."""
    got: dict[str, Any] = {}

    def take(values: Mapping[str, Any]) -> None:
        got.update(values)

    app = typer.Typer()
    app.command()(server_command(take))
    config = tmp_path / "parabola.toml"
    config.write_text(file)
    names = [option.environment for option in OPTIONS.values()]
    result = CliRunner(env={**dict.fromkeys(names), **env}).invoke(app, [*arguments, "--config", str(config)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return got


# The table


def test_every_setting_of_every_floor_has_one_option() -> None:
    places = [option.place for option in OPTIONS.values()]
    assert len(set(places)) == len(places)
    assert {place for place in places if "." in place} == {
        f"{floor}.{field.name}" for floor in FLOORS for field in dataclasses.fields(getattr(DEFAULTS, floor))
    }


def test_names_are_used_once() -> None:
    assert len({option.environment for option in OPTIONS.values()}) == len(OPTIONS)


@every_option
def test_a_default_is_in_its_range_and_reads_as_it_is_written(option: ServerOption) -> None:
    if option.default is not None and option.kind is not SWITCH:
        assert option.read(option.kind.write(option.default)) == option.default


@given(st.sampled_from([SIZE, TIME]), st.integers(0, 2**50))
def test_sizes_and_times_read_as_they_are_written(kind: Any, number: int) -> None:
    assert kind.read(kind.write(number)) == number


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SIZE, "500MB", 500 * 2**20),
        (SIZE, "1.5g", 1.5 * 2**30),
        (SIZE, "7b", 7),
        (SIZE, "10 KiB", 10 * 2**10),
        (TIME, "90", 90.0),
        (TIME, "0.5s", 0.5),
        (TIME, "30m", 1800.0),
        (TIME, "14D", 14 * 86400.0),
    ],
)
def test_units(kind: Any, text: str, value: float) -> None:
    assert kind.read(text) == value


@pytest.mark.parametrize(
    ("kind", "text"), [(SIZE, "5X"), (SIZE, ""), (SIZE, "-1"), (TIME, "1w"), (TIME, "inf")]
)
def test_what_is_no_size_and_no_time_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match="give a number of"):
        kind.read(text)


# Where values come from


@every_option
def test_a_flag_goes_before_a_variable_and_that_before_the_file(option: ServerOption, tmp_path: Path) -> None:
    of_flag, of_variable, of_file = (value_of(option, number) for number in (3, 2, 5))
    quoted = of_file if option.kind in (SWITCH,) or str not in option.kind.in_file else f'"{of_file}"'
    file = "" if option.is_secret else f"{option.name} = {quoted}"
    flag = [f"--{option.name}"] if option.kind is SWITCH else [f"--{option.name}", of_flag]

    def read(text: str) -> Any:
        return option.read(text)

    def got(arguments: list[str], env: Mapping[str, str], file: str = "") -> Any:
        return given_values(tmp_path, arguments, env, file)[option.name]

    assert got([], {}) == option.default
    assert got(flag, {option.environment: of_variable}, file) == read(
        "true" if option.kind is SWITCH else of_flag
    )
    assert got([], {option.environment: of_variable}, file) == read(of_variable)
    if not option.is_secret:
        assert got([], {}, file) == (tmp_path / of_file if option.kind in (FILE, FOLDER) else read(of_file))


@every_option
def test_a_value_reaches_the_place_that_the_table_names(option: ServerOption) -> None:
    value = option.read(value_of(option, 1))
    found: Any = options_from({option.name: value})
    for part in option.place.split("."):
        found = getattr(found, part)
    assert found == value


# What is refused


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("port = 70000", "port is 70000; give 0 to 65535"),
        ('port = "x"', 'port is "x"; give 0 to 65535'),
        ("port = true", "port is true; give 0 to 65535"),
        ("host = 1", "host is 1; give a text in quotes"),
        ('keep-history = "1s"', 'keep-history is "1s"; give 5m to 365d'),
        ('query-cache = "much"', 'query-cache is "much"; give a number of bytes'),
        ('redact-logs-to-client = "yes"', 'redact-logs-to-client is "yes"; give true or false'),
        ('kep-history = "1h"', "there is no option kep-history. Did you mean keep-history?"),
        ("[caches]\nquery-cache = 1", "there is no option caches."),
        (
            'instance-secret = "00"',
            "instance-secret is a secret, which files like this are no place for. Set INSTANCE",
        ),
        ("port =", "it is no TOML"),
    ],
)
def test_a_file_says_what_is_wrong_with_it(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(BadRequest) as refused:
        read_config(path)
    assert str(refused.value).startswith(f"{path}: {why}")
    assert "00" not in str(refused.value).removeprefix(str(path)) or "secret" not in text


def test_a_port_that_kubernetes_has_set_after_a_service_is_refused_with_what_to_do() -> None:
    (port,) = (each for each in OPTIONS.values() if each.name == "port")
    with pytest.raises(ValueError, match="enableServiceLinks: false"):
        port.read("tcp://10.0.0.1:3210")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"no\.toml: it cannot be read: No such file"):
        read_config(tmp_path / "no.toml")


@every_option
def test_a_value_out_of_range_is_refused(option: ServerOption) -> None:
    beyond = [] if option.most is None else [option.most + 1]
    if option.least:
        beyond.append(option.least - 1 if option.least > 1 else 0)
    for number in beyond:
        with pytest.raises(ValueError, match=f"give {option.range}"):
            option.read(f"{number:.0f}")


# What is told of them


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_help_lists_every_option_in_eighty_columns(command: str) -> None:
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    shown = subprocess.run(
        [sys.executable, "-m", "parabola", command, "--help"], capture_output=True, text=True, env=environment
    ).stdout
    assert max(map(len, shown.splitlines())) == 80
    for option in OPTIONS.values():
        there = option.in_dev or command == "serve"
        assert (f" --{option.name} " in shown) == there, option.name
        assert (f" {option.environment}]" in shown) == there, option.name
        assert not there or option.group in shown


def test_the_reference_is_drawn_from_the_table() -> None:
    drawn = runpy.run_path(str(ROOT / "tools" / "settings_page.py"))["page"]()
    page = ROOT / "docs" / "reference" / "settings.md"
    assert page.read_text() == drawn, "Run: python tools/settings_page.py"
