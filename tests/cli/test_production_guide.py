"""The production guide: its commands do what it says, in its order."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from server_process import ServerProcess
from tasks_example import ROOT

HTTP = """
from parabola import ActionCtx, Request, Response, env, http_router

http = http_router()


@http.route(path="/hello", method="GET")
async def hello(ctx: ActionCtx, request: Request) -> Response:
    return Response.json([request.url, env["CONVEX_SITE_URL"], env["CONVEX_CLOUD_URL"]])
"""
NOTES = """
from parabola import Id, MutationCtx, mutation


@mutation
async def add(ctx: MutationCtx, text: str) -> Id["notes"]:
    return await ctx.db.insert("notes", {"text": text})
"""


def commands(data: Path) -> list[list[str]]:
    """The arguments of each `parabola` command that the guide shows."""
    guide = (ROOT / "docs" / "how-to" / "production.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    shown = "".join(text for language, text in blocks if not language)
    lines = shown.replace("\\\n", "").replace("/var/lib/my-app", str(data)).splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("parabola ")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "web" / "dist").mkdir(parents=True)
    (tmp_path / "web" / "dist" / "index.html").write_text("<h1>My app</h1>")
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "http.py").write_text(HTTP)
    (tmp_path / "convex" / "notes.py").write_text(NOTES)
    return tmp_path


def test_the_commands_of_the_production_guide_do_what_it_says(project: Path) -> None:
    data = project / ".parabola"
    serve, admin_key, list_keys, revoke_one, revoke_all, deploy, export, restore = commands(data)
    variables = ["env", "list"]
    server = ServerProcess(project, *serve, "--port", "0", "--site-port", "0").start()
    try:
        printed = subprocess.run(
            [sys.executable, "-m", "parabola", *admin_key], capture_output=True, text=True, check=True
        )
        there = ("--url", server.url, "--admin-key", printed.stdout.strip())
        assert server.cli(*deploy, *there).returncode == 0
        server.cli("run", "notes:add", '{"text": "kept"}', *there)
        server.cli("env", "set", "COLOUR", "green", *there)

        assert get(server, "/") == "<h1>My app</h1>"
        assert get(server, "/version")
        proxied = get(server, "/http/hello", {"Host": "my-app.com", "X-Forwarded-Proto": "https"})
        assert proxied == ('["https://my-app.com/hello","https://my-app.com/http","https://my-app.com"]'), (
            proxied
        )

        server.cli(*export, *there)
        server.cli("run", "notes:add", '{"text": "too late"}', *there)
        restored = server.cli(*restore, *there)
        assert "Interrupting `parabola import` will not cancel it" in restored.stdout + restored.stderr
        assert "kept" in (listed := server.cli("data", "notes", *there).stdout)
        assert "too late" not in listed
        assert "COLOUR" in server.cli(*variables, *there).stdout

        server.cli(*revoke_one, *there)
        assert "made" in server.cli(*list_keys, *there).stdout
        server.cli(*revoke_all, *there)
        assert "was revoked" in server.cli(*variables, *there, check=False).stderr

        assert server.terminate() == 0
        copy = project / "copy"
        shutil.copytree(data, copy)
        assert (copy / "instance.json").read_text() == (data / "instance.json").read_text()
    finally:
        server.close()


def get(server: ServerProcess, path: str, headers: dict[str, str] | None = None) -> str:
    request = urllib.request.Request(server.url + path, headers=headers or {})
    with urllib.request.urlopen(request) as response:
        body: str = response.read().decode()
        return body
