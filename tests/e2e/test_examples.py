"""The examples, run as their READMEs say, with the official command line and a browser."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node_packages import PACKAGES, node_environment
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PATIENCE_SECONDS = 60


def copy_example(name: str, directory: Path) -> None:
    ignored = shutil.ignore_patterns("node_modules", "_generated", "__pycache__", ".env.local", ".parabola")
    shutil.copytree(EXAMPLES / name, directory, dirs_exist_ok=True, ignore=ignored)
    (directory / "node_modules").symlink_to(PACKAGES)


def convex_environment(server: ServerProcess) -> dict[str, str]:
    return {
        **node_environment(),
        "CI": "1",
        "NO_COLOR": "1",
        "HOME": str(server.directory),
        "CONVEX_SELF_HOSTED_URL": server.url,
        "CONVEX_SELF_HOSTED_ADMIN_KEY": server.admin_key,
    }


def convex(server: ServerProcess, *arguments: str) -> str:
    """What `npx convex ...` prints in the server's project."""
    done = subprocess.run(
        ["node", str(PACKAGES / "convex" / "bin" / "main.js"), *arguments],
        cwd=server.directory,
        env=convex_environment(server),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def convex_dev(server: ServerProcess) -> Iterator[None]:
    """`npx convex dev`, watching, once its first push is through."""
    log = server.directory / "convex-dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["node", str(PACKAGES / "convex" / "bin" / "main.js"), "dev", "--typecheck", "disable"],
            cwd=server.directory,
            env=convex_environment(server),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "Convex functions ready" not in (printed := log.read_text()):
            assert process.poll() is None, printed
            assert time.monotonic() < deadline, printed
            time.sleep(0.05)  # polling another process; nothing is assumed about how long it takes
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_typescript_example_runs_as_written_through_a_hot_reload(
    tmp_path: Path, npm_packages: Path, chromium: str, node_script: Callable[..., str]
) -> None:
    copy_example("tasks-typescript", tmp_path)
    public = tmp_path / "public"
    public.mkdir()
    command = ("dev", "--port", "0", "--site-port", "0", "--public", "public")
    server = ServerProcess(tmp_path, *command).start()
    try:
        with convex_dev(server):
            command_line = [
                str(npm_packages / ".bin" / "esbuild"),
                "src/main.tsx",
                "--bundle",
                "--format=esm",
            ]
            url = json.dumps(server.url)
            options = [f"--define:import.meta.env.VITE_CONVEX_URL={url}", "--jsx=automatic"]
            subprocess.run(
                [*command_line, *options, "--outfile=public/main.js", "--log-level=warning"],
                cwd=tmp_path,
                check=True,
                env=node_environment(),
            )
            page = (tmp_path / "index.html").read_text().replace("/src/main.tsx", "main.js")
            style = '<link rel="stylesheet" href="main.css" /></head>'
            (public / "index.html").write_text(page.replace("</head>", style))
            node_script(
                "typescript_page.mjs",
                server.url,
                CHROMIUM=chromium,
                MODULE=str(tmp_path / "convex" / "tasks.ts"),
                SCREENSHOT=os.environ.get("PARABOLA_SCREENSHOT", ""),
            )
            assert "_creationTime" not in convex(server, "run", "tasks:list", "{}")
    finally:
        server.close()


def test_both_languages_call_each_other_in_the_mixed_example(tmp_path: Path, npm_packages: Path) -> None:
    copy_example("mixed", tmp_path)
    server = ServerProcess(tmp_path, "dev", "--port", "0", "--site-port", "0").start()
    try:
        convex(server, "dev", "--once")
        assert convex(server, "run", "mood:average").strip() in ("", "null")
        convex(server, "run", "reviews:add", '{"text": "Lovely, and fast"}')
        convex(server, "run", "reviews:add", '{"text": "bad"}')
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (
            len([review for review in json.loads(convex(server, "run", "reviews:list")) if "mood" in review])
            < 2
        ):
            assert time.monotonic() < deadline
        assert convex(server, "run", "mood:average").strip() == "0.5"
        # A `"use node"` action with an npm package.
        archive = base64.b64encode(gzip.compress(b'[{"text": "so so"}]')).decode()
        assert server.run("archive:load", {"archive": archive}) == 1
        assert [review["text"] for review in server.run("reviews:list")] == [
            "so so",
            "bad",
            "Lovely, and fast",
        ]
        # A TypeScript push leaves the Python modules alone, and the other way round.
        assert "mood:analyse" not in convex(server, "data")
        specification = json.loads(convex(server, "function-spec"))
        names = {function["identifier"] for function in specification["functions"]}
        assert {"reviews.js:list", "mood.js:analyse"} <= names
    finally:
        server.close()
