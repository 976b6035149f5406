"""`npx convex import` and `npx convex export`, unmodified, and their twins of `parabola`."""

from __future__ import annotations

import json
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.convex_cli import RunningCommand
from free_port import free_port
from node_packages import node_environment
from parabola.cli.admin_client import AdminClient
from parabola.cli.target import Target
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 100
ROWS = 8000


class Project:
    """A directory with a server in it, and the official command line pointed at that."""

    def __init__(self, directory: Path, packages: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        # A fixed port: a client finds the server again after a restart.
        port = str(free_port())
        self.server = ServerProcess(directory, "serve", "--port", port, "--site-port", "0").start()
        self._packages = packages
        (directory / "node_modules").symlink_to(packages)
        (directory / "package.json").write_text(json.dumps({"dependencies": {"convex": "*"}}))

    def _command(self, runner: str, arguments: tuple[str | Path, ...]) -> list[str]:
        convex = {
            "node": ["node", str(self._packages / "convex" / "bin" / "main.js")],
            "bun": ["bunx", "--bun", "convex"],
        }
        return [*convex[runner], *map(str, arguments)]

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        node = node_environment()
        return {
            **{name: value for name, value in node.items() if not name.startswith("CONVEX_")},
            "PATH": f"{self._packages / '.bin'}{os.pathsep}{node['PATH']}",
            "CI": "1",
            "NO_COLOR": "1",
            "HOME": str(self.directory),
            "CONVEX_SELF_HOSTED_URL": self.server.url,
            "CONVEX_SELF_HOSTED_ADMIN_KEY": self.server.admin_key,
            **variables,
        }

    def convex(
        self, *arguments: str | Path, runner: str = "node", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """`npx convex ...`; whatever it ends with."""
        return subprocess.run(
            self._command(runner, arguments),
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
            env=self._environment(variables),
        )

    def start(self, *arguments: str | Path, **variables: str) -> RunningCommand:
        """Begin `npx convex ...`."""
        return RunningCommand(self._command("node", arguments), self.directory, self._environment(variables))

    def succeed(self, *arguments: str | Path, **variables: str) -> str:
        """`npx convex ...` that must succeed; what it says."""
        done = self.convex(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def fail(self, *arguments: str | Path) -> str:
        """`npx convex ...` that must end with status 1; what it says."""
        done = self.convex(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, name: str, content: str) -> Path:
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        return path

    def documents(self, table: str) -> list[dict[str, Any]]:
        """The documents of a table, oldest first."""
        command = ("data", table, "--order", "asc", "--limit", "10000", "--format", "jsonl")
        return [json.loads(line) for line in self.server.cli(*command).stdout.splitlines()]

    def values(self, table: str) -> list[dict[str, Any]]:
        """The documents without system fields."""
        return [{name: row[name] for name in row if name[0] != "_"} for row in self.documents(table)]


@pytest.fixture
def project_at(npm_packages: Path) -> Iterator[Callable[[Path], Project]]:
    projects: list[Project] = []

    def make(directory: Path) -> Project:
        projects.append(Project(directory, npm_packages))
        return projects[-1]

    yield make
    for project in projects:
        project.server.close()


@pytest.fixture
def project(tmp_path: Path, project_at: Callable[[Path], Project]) -> Project:
    return project_at(tmp_path / "project")


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_npx_convex_imports_each_format_in_each_mode(project: Project) -> None:
    pets = project.write("pets.jsonl", lines([{"name": f"pet {n}"} for n in range(300)]))
    # Many small parts, as a file of gigabytes has.
    said = project.succeed("import", "--table", "pets", pets, CONVEX_IMPORT_CHUNK_SIZE="1000")
    assert "pets      300       0" in said
    # Which of its two sentences the command line says depends on how soon it hears of the end.
    assert 'Imported 300 documents into "pets"' in said or 'Added 300 documents to table "pets"' in said
    assert 'Added 300 documents to table "pets".' in said
    said = project.fail("import", "--table", "pets", pets)
    assert (
        "Hit an error while importing:\nTable pets already exists. "
        "Please choose a new table name or use replace/append modes." in said
    )
    csv = project.write("pets.csv", "name,age\nRex,007\n")
    project.succeed("import", "--append", "--table", "pets", csv)
    assert project.values("pets")[-1] == {"name": "Rex", "age": 7}
    assert len(project.values("pets")) == 301
    array = project.write("pets.json", '[{"name": "Tom"}]')
    said = project.fail("import", "--replace", "--table", "pets", array)
    assert "Cannot prompt for input" in said
    assert len(project.values("pets")) == 301
    said = project.succeed("import", "--replace", "--yes", "--table", "pets", array)
    assert "pets        1     301" in said
    assert project.values("pets") == [{"name": "Tom"}]


def test_npx_convex_tells_what_is_wrong_with_a_file(project: Project) -> None:
    rows = project.write("rows.jsonl", '{"a": 1}\nnope\n')
    assert "Row 2 wasn't valid JSON" in project.fail("import", "--table", "t", rows)
    archive = project.write("archive.zip", "PK and nothing else")
    assert "isn't a valid zip archive" in project.fail("import", archive)
    assert "isn't a valid table name" in project.fail("import", "--table", "no spaces", rows)


KEEP_A_FILE = """
from parabola import ActionCtx, internal_action

@internal_action
async def keep(ctx: ActionCtx) -> str:
    return await ctx.storage.store(b"kept \\x00\\xff")
"""


def test_an_archive_goes_there_and_back_with_files_and_in_bun(
    project: Project, tmp_path: Path, project_at: Callable[[Path], Project]
) -> None:
    (project.directory / "convex").mkdir()
    (project.directory / "convex" / "files.py").write_text(KEEP_A_FILE)
    project.server.cli("deploy")
    stored = project.server.run("files:keep")
    rows = [{"n": 1.5, "big": {"$integer": "AQAAAAAAAAA="}, "raw": {"$bytes": "AP8="}}, {"n": None}]
    project.server.cli("import", "--table", "first", str(project.write("first.jsonl", lines([{"x": "y"}]))))
    project.server.cli("import", "--table", "second", str(project.write("second.jsonl", lines(rows))))
    said = project.succeed("export", "--path", project.directory, "--include-file-storage", runner="bun")
    assert "Downloaded snapshot export to" in said
    [archive] = project.directory.glob("snapshot_*.zip")
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None
        assert b'"big":1' in file.read("second/documents.jsonl")
        (name,) = [name for name in file.namelist() if name.startswith(f"_storage/{stored}")]
        assert file.read(name) == b"kept \x00\xff"
    other = project_at(tmp_path / "other")
    other.server.cli("import", "--table", "gone", str(project.write("gone.jsonl", lines([{}]))))
    said = other.succeed("import", "--replace-all", "--yes", archive, runner="bun")
    assert "Added 4 documents" in said
    for table in ("first", "second"):
        assert other.documents(table) == project.documents(table)
    assert other.server.cli("data").stdout.split() == ["first", "second"]
    other.server.cli("export", "--path", str(tmp_path / "again.zip"), "--include-file-storage")
    with zipfile.ZipFile(tmp_path / "again.zip") as again, zipfile.ZipFile(archive) as file:
        assert {name: again.read(name) for name in again.namelist()} == {
            name: file.read(name) for name in file.namelist()
        }


def test_parabola_import_asks_before_it_deletes(project: Project) -> None:
    path = str(project.write("rows.jsonl", lines([{"n": n} for n in range(3)])))
    done = project.server.cli("import", "--table", "t", path)
    assert "Imported 3 documents" in done.stderr
    refused = project.server.cli("import", "--table", "t", path, "--replace", check=False)
    assert refused.returncode == 1
    assert "Give --yes to confirm that; nothing has changed." in refused.stderr
    refused = project.server.cli("import", "--table", "t", path, check=False)
    assert "Table t already exists." in refused.stderr
    project.server.cli("import", "--table", "t", path, "--replace", "--yes")
    project.server.cli("import", "--table", "t", path, "--append")
    assert [row["n"] for row in project.values("t")] == [0, 1, 2, 0, 1, 2]
    for wrong in (
        ("import", "--table", "t", path, "--append", "--replace"),
        ("import", "--table", "t", str(project.directory / "package.json"), "--format", "xml"),
        ("import", str(project.server.log)),
        ("export", "--path", path),
        ("export", "--path", "no/such/directory/x.zip"),
    ):
        refused = project.server.cli(*wrong, check=False)
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("mode", ["--replace", "--append"])
def test_an_import_survives_a_power_cut(project: Project, mode: str) -> None:
    old = str(project.write("old.jsonl", lines([{"n": -1}])))
    project.server.cli("import", "--table", "t", old)
    path = str(project.write("rows.jsonl", lines([{"n": n} for n in range(ROWS)])))
    with project.start("import", "--table", "t", path, mode, "--yes") as command:
        wait_until(project, lambda state: "of 8,000" in str(state) and ": 0 of" not in str(state))
        project.server.kill()
        project.server.start()
        # The official command line comes back to the server, and sees the import through.
        command.wait_for(f'Added {ROWS} documents to table "t".')
        assert command.wait() == 0
    expected = ([-1] if mode == "--append" else []) + list(range(ROWS))
    assert [row["n"] for row in project.values("t")] == expected


def test_a_command_line_that_is_killed_leaves_nothing_half_done(project: Project) -> None:
    path = project.write("rows.jsonl", lines([{"n": n} for n in range(2000)]))
    uploads = project.directory / ".parabola" / "imports"
    # So many parts that it is in the middle of them when it is killed.
    with project.start("import", "--table", "t", path, CONVEX_IMPORT_CHUNK_SIZE="20") as command:
        command.wait_until(lambda: any(uploads.rglob("*")))
    assert project.server.cli("data").stdout.split() == []
    with project.start("import", "--table", "t", path) as command:
        wait_until(project, lambda state: state["state"] in ("in_progress", "completed"))
    state = wait_until(project, lambda state: state["state"] == "completed")
    assert int(state["num_rows_written"]) == 2000
    with project.start("export", "--path", project.directory / "killed.zip") as command:
        command.wait_for("Creating snapshot export")
    said = project.succeed("export", "--path", project.directory / "whole.zip")
    assert "Downloaded snapshot export" in said
    with zipfile.ZipFile(project.directory / "whole.zip") as file:
        assert len(file.read("t/documents.jsonl").splitlines()) == 2000


def wait_until(project: Project, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The state of the newest import once it is as wanted."""
    client = AdminClient(Target(project.server.url, project.server.admin_key))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        newest = client.call("_system/cli/queryImport:list", {})
        state: dict[str, Any] = newest[0]["state"] if newest else {"state": "absent"}
        if is_so(state):
            return state
        assert state["state"] != "failed", state
        assert time.monotonic() < deadline, state
