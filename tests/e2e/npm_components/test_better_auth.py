"""Signing up and in from a page of another origin, with a component that is installed in the app's own folder
(`@convex-dev/better-auth`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from e2e.convex_cli import ConvexProject
from node_packages import node_environment

pytestmark = pytest.mark.e2e

APP = "better_auth"
VARIABLES = {"BETTER_AUTH_SECRET": "x" * 40}
PAGE = Path(__file__).parent / "apps" / APP / "page"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def page(app: ConvexProject, tmp_path: Path) -> Iterator[str]:
    """The address of the page, which the app is told of."""
    esbuild = app.packages / ".bin" / "esbuild"
    command = [str(esbuild), str(PAGE / "page.tsx"), "--bundle", "--format=esm", "--jsx=automatic"]
    options = ["--log-level=warning", f"--outfile={tmp_path / 'page.js'}"]
    subprocess.run([*command, *options], check=True, env=node_environment())
    shutil.copy(PAGE / "page.html", tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    app.post("/api/update_environment_variables", {"changes": [{"name": "SITE_URL", "value": origin}]})
    settings = (app.directory / ".env.local").read_text()
    [site] = [line.split("=", 1)[1] for line in settings.splitlines() if "SITE_URL" in line]
    yield f"{origin}/page.html?{urlencode({'cloud': app.server.url, 'site': site})}"
    server.shutdown()
    server.server_close()


def test_somebody_signs_up_out_and_in_again(app: ConvexProject, page: str, chromium: str) -> None:
    done = subprocess.run(
        ["node", str(PAGE / "visit.mjs")],
        env={**node_environment(), "PAGE": page, "CHROMIUM": chromium, "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert app.call("people:profiles") == ["ann@example.com"]
    assert app.call("people:names") == ["Ann"]
