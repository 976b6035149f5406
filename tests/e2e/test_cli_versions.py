"""The versions of the official command line that are in use: each pushes, runs and looks at a project.

`make test` tries the oldest here, and the newest in all the other tests; with `PARABOLA_CLI_VERSIONS=all`
(`make test-cli-versions`) come every one of `cli_versions.txt`, the last of each minor version, and the
newest.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

FOLDER = Path(__file__).parents[2] / ".cli-versions"
VERSIONS = Path(__file__).with_name("cli_versions.txt").read_text().split()
CHOSEN = [*VERSIONS, "newest"] if os.environ.get("PARABOLA_CLI_VERSIONS") == "all" else VERSIONS[:1]


@pytest.fixture(params=CHOSEN)
def project(request: pytest.FixtureRequest, tmp_path: Path, npm_packages: Path) -> Iterator[ConvexProject]:
    """The messages project with one version of the command line, and an empty server for it alone."""
    newest = request.param == "newest"
    packages = npm_packages if newest else FOLDER / request.param / "node_modules"
    if not (packages / "convex").is_dir():
        pytest.skip("this version is not installed: run `make test-cli-versions`")
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    yield ConvexProject(tmp_path / "project", server, packages=packages)
    server.close()


def test_a_version_of_the_command_line_pushes_runs_looks_and_follows(project: ConvexProject) -> None:
    def ok(*arguments: str) -> str:
        return project.ok(*arguments, runner="node").output

    with project.start("dev", "--typecheck", "disable", runner="node") as development:
        pushed = development.wait_for("functions ready")
        assert "messages" in (project.directory / "convex" / "_generated" / "api.d.ts").read_text()

        assert json.loads(ok("run", "messages:send", json.dumps({"channel": "a", "body": "hello"})))
        development.wait_for("sending to")
        assert json.loads(ok("run", "messages:list", json.dumps({"channel": "a"}))) == ["hello"]
        assert json.loads(ok("run", "messages:announce", json.dumps({"channel": "b", "body": "so"}))) == 2
        assert ok("run", "reports:digest", json.dumps({"text": ""})).strip().startswith('"e3b0c442')

        ok("env", "set", "GREETING", "good evening")
        assert ok("env", "get", "GREETING") == "good evening\n"
        assert "GREETING" in ok("env", "list")
        assert json.loads(ok("run", "messages:greeting")) == "good evening"
        ok("env", "remove", "GREETING")
        assert project.call("messages:greeting") == "no greeting"

        assert "messages" in ok("data")
        assert "hello" in ok("data", "messages")
        specification = json.loads(ok("function-spec"))
        assert "messages.js:send" in [each.get("identifier") for each in specification["functions"]]

        project.edit("messages.ts", "this one fails", "this one fails in another way")
        development.wait_for("functions ready", pushed)
        development.interrupt()
    failed = project.convex("run", "messages:fail", runner="node")
    assert failed.status == 1
    assert "in another way" in failed.told


def test_a_version_of_the_command_line_deploys_exports_and_imports(project: ConvexProject) -> None:
    deploy = ("deploy", "--yes", "--typecheck", "disable")
    project.ok(*deploy, runner="node")
    project.call("messages:send", {"channel": "a", "body": "x"})
    project.edit(
        "schema.ts", '.index("by_channel", ["channel"])', '.index("by_channel", ["channel", "body"])'
    )
    told = project.ok(*deploy, runner="node").told
    assert "messages.by_channel" in told
    project.edit("schema.ts", "body: v.string()", "body: v.number()")
    refused = project.convex(*deploy, runner="node")
    assert refused.status == 1
    assert "Schema validation failed" in refused.told

    project.ok("export", "--path", str(project.directory / "snapshot.zip"), runner="node")
    with zipfile.ZipFile(project.directory / "snapshot.zip") as archive:
        assert "messages/documents.jsonl" in archive.namelist()
    rows = project.directory / "rows.jsonl"
    rows.write_text(json.dumps({"channel": "imported", "body": "from a file"}) + "\n")
    project.ok("import", "--table", "messages", "--replace", "--yes", str(rows), runner="node")
    assert project.call("messages:list", {"channel": "imported"}) == ["from a file"]
