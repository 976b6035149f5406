"""mypy and pyright, as an author runs them over a project: what each says, by file and line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from node_packages import PACKAGES, node_environment

__all__ = ["CHECKERS", "Complaint", "check", "mypy", "mypy_cache", "pyright"]

CHECKERS = ("mypy", "pyright")
_LINE = re.compile(r"(?P<file>[^:\n]+):(?P<line>\d+): error: (?P<text>.*)")
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Complaint:
    """An error that a checker reports."""

    file: str
    line: int
    text: str


def check(checker: str, project: Path, *paths: str) -> list[Complaint]:
    """The errors that a checker finds in files or folders of a project, in its strictest common setting."""
    return mypy(project, *paths) if checker == "mypy" else pyright(project, *paths)


def mypy(project: Path, *paths: str) -> list[Complaint]:
    """`mypy --strict`, for the oldest Python."""
    options = ["--strict", "--explicit-package-bases", "--python-version=3.11", "--no-error-summary"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file=",
            *options,
            f"--cache-dir={mypy_cache('strict')}",
            *paths,
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [
        Complaint(match["file"], int(match["line"]), match["text"]) for match in _LINE.finditer(done.stdout)
    ]


def mypy_cache(settings: str) -> Path:
    """Where projects that are checked with the same settings share what mypy has made of the packages that
    they import: most of the time of a run. Each process that runs tests has its own.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    return _ROOT / ".mypy_cache" / "projects" / settings / worker


def pyright(project: Path, *paths: str) -> list[Complaint]:
    """Pyright in strict mode, for the oldest Python. The test is skipped where it is not installed."""
    program = PACKAGES / "pyright" / "index.js"
    if not program.exists():
        pytest.skip("the npm packages of the tests are not installed")
    settings = {"include": list(paths), "pythonVersion": "3.11", "typeCheckingMode": "strict"}
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        ["node", str(program), "--pythonpath", sys.executable, "--outputjson"],
        cwd=project,
        capture_output=True,
        text=True,
        env=node_environment(),
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [
        Complaint(
            str(Path(one["file"]).relative_to(project.resolve())),
            one["range"]["start"]["line"] + 1,
            one["message"],
        )
        for one in json.loads(done.stdout)["generalDiagnostics"]
        if one["severity"] == "error"
    ]
