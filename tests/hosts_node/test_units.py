"""The parts of the TypeScript host by themselves, in Node's own test runner (`make test-js`)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hosts_node.driver import FOLDER
from parabola.hosts import node

FILES = sorted((FOLDER / "unit").glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_unit(file: Path) -> None:
    command = [node.node_executable(), *node.FLAGS, "--test-reporter=spec", str(file)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
