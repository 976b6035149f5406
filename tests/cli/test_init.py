"""`parabola init`: what it makes works as it is, in whatever folder, and nothing that is there is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node_packages import PACKAGES, node_environment
from parabola.cli.commands.init import init
from parabola.values.errors import BadRequest
from server_process import ServerProcess
from tasks_example import ROOT
from type_checkers import mypy_cache

SETTINGS = {"pyproject.toml", ".gitignore"}
PYTHON = {"convex/schema.py", "convex/notes.py", "tests/test_notes.py", "README.md"}
BESIDE = {"convex/greetings.py", "tests/test_greetings.py"}


def begin(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parabola", "init", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"},
    )


def files(directory: Path) -> set[str]:
    """What there is, without what is generated."""
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and not any(part.endswith("_generated") for part in path.parts)
    }


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", params=["python", "named", "typescript"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first project: where nothing was, where convex.json names the folder, beside TypeScript."""
    root = tmp_path_factory.mktemp("first") / "my app"
    if request.param != "python":
        root.mkdir()
    if request.param == "named":
        (root / "convex.json").write_text('{"functions": "src/functions/"}')
    if request.param == "typescript":
        (root / "convex").mkdir()
        (root / "convex" / "messages.ts").write_text("export {};")
    done = begin(root.parent, root.name)
    assert done.returncode == 0, done.stderr
    return root


def test_a_first_project_passes_its_own_test(project: Path) -> None:
    done = run(project, sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("checker", ["mypy", "pyright", "ruff"])
def test_a_first_project_passes_checkers_with_its_own_settings(checker: str, project: Path) -> None:
    if checker == "mypy":
        done = run(project, sys.executable, "-m", "mypy", f"--cache-dir={mypy_cache('first-project')}")
    elif checker == "ruff":
        done = run(project, sys.executable, "-m", "ruff", "check", "--no-cache", ".")
    else:
        program = PACKAGES / "pyright" / "index.js"
        if not program.exists():
            pytest.skip("the npm packages of the tests are not installed")
        command = ["node", str(program), "--pythonpath", sys.executable]
        done = subprocess.run(
            command, cwd=project, capture_output=True, text=True, check=False, env=node_environment()
        )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dev_pushes_a_first_project_and_what_was_said_can_be_done(project: Path) -> None:
    said = begin(project).stderr
    (call,) = (line for line in said.splitlines() if "parabola run" in line)
    function, _, rest = call.split("parabola run ")[1].partition(" ")
    server = ServerProcess(project, "dev", "--port", "0", "--site-port", "0").start()
    try:
        server.wait_for_output("ready in")
        arguments = rest.split("'")[1]
        assert server.cli("run", function, arguments).returncode == 0
    finally:
        server.close()


def test_the_readme_shows_the_same_files() -> None:
    readme = (ROOT / "README.md").read_text()
    for path in (ROOT / "src/parabola/cli/commands/first_project/python").rglob("*.py.txt"):
        assert path.read_text().replace("${functions}", "convex") in readme


def test_it_says_what_it_made_in_eighty_columns(tmp_path: Path) -> None:
    said = begin(tmp_path, "my-app").stderr
    for name in PYTHON | SETTINGS:
        assert f"  + {name}\n" in said
    assert "cd my-app\n" in said
    assert max(map(len, said.splitlines())) <= 80
    again = begin(tmp_path, "my-app")
    assert again.returncode == 0
    assert "nothing was made" in again.stderr


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(sorted(PYTHON | SETTINGS))), st.booleans(), st.booleans())
def test_what_is_there_is_kept_and_the_rest_is_made(there: set[str], ts: bool, other: bool) -> None:
    theirs = set(there) | ({"convex/messages.ts"} if ts else set()) | ({"convex/mine.py"} if other else set())
    with tempfile.TemporaryDirectory() as folder:
        for name in theirs:
            (Path(folder) / name).parent.mkdir(exist_ok=True)
            (Path(folder) / name).write_text(f"# {name}\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "parabola.cli.commands.init.write_declarations", lambda _: None
            )  # it starts a process
            init(Path(folder))
        for name in theirs:
            assert (Path(folder) / name).read_text() == f"# {name}\n"
        has_functions = other or (ts and any(name.startswith("convex/") for name in there))
        added = set() if has_functions else BESIDE if ts else PYTHON
        assert files(Path(folder)) == theirs | SETTINGS | added


def test_settings_that_are_kept_are_said_to_lack_something(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mypy]\nexplicit_package_bases = true\n")
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    said = begin(tmp_path).stderr
    assert 'For pytest, pyproject.toml wants asyncio_mode = "auto" below' in said
    assert "For mypy" not in said
    assert ".env.local may come to hold an admin key: name it in .gitignore." in said


@pytest.mark.parametrize("name", ["convex", "tests"])
def test_a_file_in_the_way_is_named_and_nothing_is_made(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(BadRequest, match=rf"{name} is a file, where a folder .* Nothing was made\."):
        init(tmp_path)
    assert files(tmp_path) == {name}
    with pytest.raises(BadRequest, match="is a file, where a folder"):
        init(tmp_path / name)


def test_a_disk_that_refuses_a_file_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keep.txt").write_text("")
    opened = Path.open

    def refuse(path: Path, *how: object, **more: object) -> object:
        if path.name == "pyproject.toml":
            raise OSError(28, "No space left on device", str(path))
        return opened(path, *how, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(
        BadRequest, match=r"pyproject.toml cannot be made: No space left .* Nothing was made\."
    ):
        init(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "keep.txt"]


def test_types_that_cannot_be_written_yet_are_no_failure(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "notes.py").write_text("def broken(:\n")  # one of ours by its name
    done = begin(tmp_path)
    assert done.returncode == 0
    assert "Types are not written yet" in done.stderr
