"""The README's app, copied from the README: it works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from server_process import ServerProcess
from tasks_example import ROOT

FILE = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)


@pytest.fixture
def readme_app(tmp_path: Path) -> Path:
    """A project with every file that the README shows."""
    files = FILE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [name for name, _ in files] == ["convex/schema.py", "convex/notes.py", "tests/test_notes.py"]
    for name, text in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_app_of_the_readme_is_served_and_its_commands_work(readme_app: Path) -> None:
    server = ServerProcess(readme_app, "dev", "--port", "0", "--site-port", "0").start()
    try:
        server.wait_for_output("3 functions ready")
        assert server.cli("run", "notes:add", '{"text": "it works"}').returncode == 0
        assert "it works" in server.cli("data", "notes").stdout
    finally:
        server.close()


def test_the_test_of_the_readme_passes(readme_app: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider", "tests"],
        cwd=readme_app,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
