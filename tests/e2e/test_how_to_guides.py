"""How-to guides that need real clients and servers: their programs and commands do what they say."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from node_packages import PACKAGES, node_environment
from server_process import ServerProcess
from tasks_example import ROOT

pytestmark = pytest.mark.e2e

GUIDES = ROOT / "docs" / "how-to"
FILE = re.compile(r"```\w+\n(?:#|//) (\S+)\n(.*?)```", re.DOTALL)
BEFORE = """
from parabola import MutationCtx, mutation


@mutation
async def add(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})
"""


def shown(guide: str) -> dict[str, str]:
    """The files of a guide, the first version of each."""
    found: dict[str, str] = {}
    for name, text in FILE.findall((GUIDES / guide).read_text(encoding="utf-8")):
        found.setdefault(name, text)
    return found


def commands(guide: str, after: str) -> list[list[str]]:
    """The commands of the first block of a shell after a heading."""
    _, _, rest = (GUIDES / guide).read_text(encoding="utf-8").partition(after)
    (block, *_) = re.findall(r"```sh\n(.*?)```", rest, re.DOTALL)
    return [shlex.split(line) for line in block.splitlines()]


@pytest.fixture
def notes(tmp_path: Path, npm_packages: Path) -> Iterator[ServerProcess]:
    for name, text in shown("live-queries.md").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "node_modules").symlink_to(npm_packages)
    server = ServerProcess(tmp_path, "dev", "--port", "0", "--site-port", "0").start()
    server.wait_for_output("ready in")
    yield server
    server.close()


@pytest.mark.parametrize("program", [["node", "follow.mjs"], [sys.executable, "follow.py"]])
def test_programs_of_the_guide_follow_a_query(notes: ServerProcess, program: list[str]) -> None:
    environment = {**node_environment(), "CONVEX_URL": notes.url}
    with subprocess.Popen(
        program, cwd=notes.directory, stdout=subprocess.PIPE, text=True, env=environment
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "[]\n"
        notes.run("notes:add", {"text": "a"})
        assert follower.stdout.readline().replace("'", " ").split() in (["[", "a", "]"], ["[a]"])
        notes.run("notes:add", {"text": "b"})
        assert follower.stdout.readline().replace("'", " ").split()[1] == "a"
        assert follower.wait(timeout=60) == 0


def test_an_app_moves_by_the_commands_of_the_guide(tmp_path: Path, npm_packages: Path) -> None:
    servers = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        servers.append(ServerProcess(tmp_path / name, "serve", "--port", "0", "--site-port", "0").start())
    old, new = servers
    try:
        project = ConvexProject(tmp_path / "project", old, packages=npm_packages)

        def run(arguments: list[str], server: ServerProcess) -> str:
            where = {"CONVEX_SELF_HOSTED_URL": server.url, "CONVEX_SELF_HOSTED_ADMIN_KEY": server.admin_key}
            program = {
                "npx": ["node", str(PACKAGES / "convex" / "bin" / "main.js")],
                "parabola": [sys.executable, "-m", "parabola"],
            }[arguments[0]]
            rest = arguments[2:] if arguments[0] == "npx" else arguments[1:]
            into = rest.index(">") if ">" in rest else None
            done = subprocess.run(
                [*program, *rest[:into]],
                cwd=project.directory,
                capture_output=True,
                text=True,
                check=False,
                env=project.environment(**where),
            )
            assert done.returncode == 0, done.stdout + done.stderr
            if into is not None:
                (project.directory / rest[into + 1]).write_text(done.stdout)
            return done.stdout

        run(["npx", "convex", "deploy"], old)
        run(["npx", "convex", "env", "set", "GREETING", "hello"], old)
        sent = json.loads(
            run(["npx", "convex", "run", "messages:send", '{"channel": "a", "body": "hi"}'], old)
        )
        for command in commands("moving.md", "## 1."):
            run(command, old)
        for command in commands("moving.md", "## 3."):
            run(command, new)

        assert [(message["_id"], message["body"]) for message in rows(new, "messages")] == [(sent, "hi")]
        assert run(["npx", "convex", "env", "get", "GREETING"], new).strip() == "hello"
    finally:
        for server in servers:
            server.close()


def test_a_field_becomes_required_in_three_pushes(tmp_path: Path) -> None:
    files = shown("schema-changes.md")
    guide = (GUIDES / "schema-changes.md").read_text(encoding="utf-8")
    (required,) = re.findall(r"```python\n(schema = .*?)```", guide, re.DOTALL)
    (tmp_path / "convex").mkdir()
    schema = tmp_path / "convex" / "schema.py"
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    try:
        (tmp_path / "convex" / "notes.py").write_text(BEFORE)
        server.cli("deploy")
        for number in range(3):
            server.run("notes:add", {"text": str(number)})
        for name in ("convex/schema.py", "convex/notes.py", "convex/migrations.py"):
            (tmp_path / name).write_text(files[name])
        server.cli("deploy")
        server.run("notes:add", {"text": "new"})

        schema.write_text(schema.read_text().partition("schema =")[0] + required)
        refused = server.cli("deploy", "--dry-run", check=False)
        assert refused.returncode == 1
        assert "does not match the schema" in refused.stdout + refused.stderr

        server.run("migrations:give_stars", {"batch": 2})
        server.wait_for(
            lambda: all("stars" in note for note in rows(server, "notes")), "every note to have stars"
        )
        server.cli("deploy")
        assert server.run("notes:stars") == 0
    finally:
        server.close()


def rows(server: ServerProcess, table: str) -> list[dict[str, object]]:
    printed = server.cli("data", table, "--format", "jsonl").stdout
    return [json.loads(line) for line in printed.splitlines()]
