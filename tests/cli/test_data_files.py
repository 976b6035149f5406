"""Data files beside modules are read as resources, reload in `dev`, and travel with `deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parabola.project import Project
from parabola.testing import open_backend
from parabola.values.limits import MAX_DATA_BYTES, MAX_DATA_FILE_BYTES
from server_process import ServerProcess

FUNCTIONS = """
from importlib.resources import files
from parabola import QueryCtx, SyncActionCtx, action, query

SYSTEM = files(__package__).joinpath("prompts", "system-prompt.txt").read_text()


@query
async def prompt(ctx: QueryCtx) -> str:
    return SYSTEM


@query
async def table(ctx: QueryCtx) -> str:
    folder = files(f"{__package__}.prompts")
    return ",".join(f"{each.name}:{len(each.read_bytes())}" for each in folder.iterdir() if each.is_file())


@action
def lazily(ctx: SyncActionCtx) -> str:
    return (files(__package__) / "prompts" / "system-prompt.txt").read_text(encoding="utf-8")


@query
async def missing(ctx: QueryCtx) -> str:
    return files(__package__).joinpath("none.txt").read_text()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app" / "convex" / "prompts").mkdir(parents=True)
    (tmp_path / "app" / "convex" / "m.py").write_text(FUNCTIONS)
    (tmp_path / "app" / "convex" / "prompts" / "system-prompt.txt").write_text("Be good.", encoding="utf-8")
    (tmp_path / "app" / "convex" / "prompts" / "weights.bin").write_bytes(bytes(range(256)))
    return tmp_path / "app"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that sees nothing of the project."""
    (tmp_path / "elsewhere").mkdir()
    server = ServerProcess(tmp_path / "elsewhere", "serve", "--port", "0", "--site-port", "0").start()
    yield server
    server.close()


def test_they_travel_with_a_deploy_and_outlive_a_restart(project: Path, elsewhere: ServerProcess) -> None:
    def deploy() -> str:
        to = ("--url", elsewhere.url, "--admin-key", elsewhere.admin_key)
        return elsewhere.cli("deploy", "--project", str(project), *to).stderr

    said = deploy()
    assert "+ file prompts/system-prompt.txt" in said
    assert "+ module m.py" in said
    assert elsewhere.call("query", "m:prompt") == "Be good."
    assert elsewhere.call("query", "m:table") == "system-prompt.txt:8,weights.bin:256"
    assert elsewhere.call("action", "m:lazily") == "Be good."
    (project / "convex" / "prompts" / "system-prompt.txt").write_text("Be better.")
    (project / "convex" / "prompts" / "weights.bin").unlink()
    said = deploy()
    assert "~ file prompts/system-prompt.txt" in said
    assert "- file prompts/weights.bin" in said
    assert elsewhere.call("query", "m:prompt") == "Be better."
    elsewhere.terminate()
    elsewhere.start()
    assert elsewhere.call("action", "m:lazily") == "Be better."
    assert elsewhere.call("query", "m:table") == "system-prompt.txt:10"


def test_dev_follows_them(project: Path) -> None:
    server = ServerProcess(project, "dev", "--port", "0", "--site-port", "0").start()
    try:
        server.wait_for_output("functions ready")
        assert server.call("query", "m:prompt") == "Be good."
        (project / "convex" / "prompts" / "system-prompt.txt").write_text("Be better.")
        server.wait_for_output("~prompts/system-prompt.txt")
        assert server.call("query", "m:prompt") == "Be better."
        since = len(server.output())
        (project / "convex" / "prompts" / "system-prompt.txt").unlink()
        said = server.wait_for_output("goes on serving", since)
        assert "convex/m.py:5" in said
        assert "No data file 'prompts/system-prompt.txt' was deployed" in said
        assert server.call("query", "m:prompt") == "Be better."
    finally:
        server.close()


async def test_tests_read_them_and_are_told_of_one_that_is_not_there(project: Path) -> None:
    async with open_backend(project / "convex") as backend:
        assert await backend.query("m:prompt") == "Be good."
        with pytest.raises(Exception, match=r"No data file 'none\.txt' was deployed\. There are: prompts/"):
            await backend.query("m:missing")


async def test_a_read_beside_the_module_is_told_of_the_way(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("import pathlib\npathlib.Path('/nowhere/none.txt').read_text()\n")
    with pytest.raises(Exception, match=r"importlib\.resources\.files\(__package__\)"):
        async with open_backend(tmp_path):
            pass


def test_what_is_no_data_stays(project: Path) -> None:
    for name in ("_generated/x.txt", ".env", "a.ts", "tsconfig.json", "prompts/.hidden", "__pycache__/m.pyc"):
        (project / "convex" / name).parent.mkdir(exist_ok=True)
        (project / "convex" / name).write_text("")
    kept = [file.path for file in Project.at(project).data_files().files]
    assert kept == ["prompts/system-prompt.txt", "prompts/weights.bin"]
    (project / "convex" / "m.py").unlink()
    assert Project.at(project).data_files().files == ()


def test_what_is_too_large_is_said_to_stay(project: Path, elsewhere: ServerProcess) -> None:
    (project / "convex" / "huge.bin").write_bytes(bytes(MAX_DATA_FILE_BYTES + 1))
    to = ("--url", elsewhere.url, "--admin-key", elsewhere.admin_key)
    said = elsewhere.cli("deploy", "--project", str(project), *to).stderr
    assert "convex/huge.bin is not deployed: data files may have 4 MiB, and it has 4,194,305 bytes." in said
    assert "+ file huge.bin" not in said
    (project / "convex" / "huge.bin").unlink()
    for number in range(MAX_DATA_BYTES // MAX_DATA_FILE_BYTES + 1):
        (project / "convex" / f"large_{number}.bin").write_bytes(bytes(MAX_DATA_FILE_BYTES))
    left_out = Project.at(project).data_files().left_out
    assert left_out[0].startswith("convex/large_4.bin is not deployed: data files may have 16 MiB together")
