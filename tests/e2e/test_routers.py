"""Routers that find their routes in a way of their own are asked, through the real command line."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e


def fetch(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str, str | None]:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read().decode(), response.headers["X-Seen-By"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["X-Seen-By"]


def test_hono_answers_what_it_is_asked(tmp_path: Path, npm_packages: Path) -> None:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    try:
        ConvexProject(tmp_path / "project", server, "hono").push()
        site = server.url + "/http"
        assert fetch(f"{site}/users/5") == (200, "user 5", "middleware")
        assert fetch(f"{site}/users/5", "HEAD")[0] == 200
        assert fetch(f"{site}/users/7/files/a/b.png", "POST", b"bytes") == (
            201,
            "7 a/b.png bytes",
            "middleware",
        )
        assert fetch(f"{site}/nowhere")[:2] == (404, "own 404")
        assert fetch(f"{site}/users/5", "DELETE")[:2] == (404, "own 404")
        assert fetch(f"{site}/plain")[:2] == (200, "plain")
        assert fetch(f"{site}/files/a%20b")[0] == 200
    finally:
        server.close()
