"""What is shipped: the wheel, installed where nothing of this checkout can be seen."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from server_process import ServerProcess
from tasks_example import ROOT, copy_functions

pytestmark = pytest.mark.e2e

SHIPPED = {".py", ".mjs", ".js", ".css", ".svg", ".md", ".typed", ".sql", ".html", ".txt"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout, with the build tools of the environment of the tests."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory)]
    subprocess.run([*command, str(ROOT)], check=True)
    (built,) = directory.glob("parabola-*.whl")
    return built


def test_the_wheel_has_everything_the_checkout_has(wheel: Path) -> None:
    package = ROOT / "src"
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("parabola/")}
    sources = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix in SHIPPED
    }
    assert shipped >= sources
    assert "parabola/dashboard/static/index.html" in shipped
    assert "parabola/dashboard/static/licenses.md" in shipped
    assert not {name for name in shipped if "/node_modules/" in name or name.endswith((".pyc", ".d.ts"))}


def test_an_installed_wheel_serves(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    begun = subprocess.run(
        [str(python), "-m", "parabola", "init", "begun"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "+ convex/schema.py" in begun.stderr
    assert "+ convex/_generated" in begun.stderr
    project = tmp_path / "project"
    project.mkdir()
    copy_functions(project)
    server = ServerProcess(project, "dev", "--port", "0", "--site-port", "0", python=str(python)).start()
    try:
        server.wait_for_output("functions ready")
        server.run("tasks:create", {"text": "from the wheel"})
        assert [task["text"] for task in server.run("tasks:list")] == ["from the wheel"]
    finally:
        server.close()
