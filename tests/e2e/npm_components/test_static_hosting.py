"""A site that a component serves from files of its own (`@convex-dev/static-hosting`)."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from email.message import Message

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e

APP = "static_hosting"


def upload(app: ConvexProject, *options: str, **files: str) -> str:
    """Put a site up with the package's own command; what it tells."""
    dist = app.directory / "dist"
    for old in dist.glob("*"):
        old.unlink()
    dist.mkdir(exist_ok=True)
    for name, text in files.items():
        (dist / name.replace("_", ".")).write_text(text)
    command = app.packages / "@convex-dev" / "static-hosting" / "dist" / "cli" / "index.js"
    done = subprocess.run(
        ["node", str(command), "upload", *options],
        cwd=app.directory,
        env=app.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def get(app: ConvexProject, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(f"{app.server.url}/http{path}", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(), lower(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), lower(error.headers)


def lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_a_site_is_put_up_served_and_replaced(app: ConvexProject) -> None:
    assert get(app, "/")[0] == 503
    told = upload(app, index_html="<h1>one</h1>", style_css="h1 {}")
    assert "http://127.0.0.1:" in told
    status, text, headers = get(app, "/")
    assert (status, text, headers["content-type"]) == (200, "<h1>one</h1>", "text/html; charset=utf-8")
    assert get(app, "/style.css")[1] == "h1 {}"
    assert get(app, "/", **{"If-None-Match": headers["etag"]})[0] == 304
    first = app.call("staticHosting:getCurrentDeployment")["currentDeploymentId"]
    upload(app, index_html="<h1>two</h1>")
    assert get(app, "/")[1] == "<h1>two</h1>"
    assert get(app, "/style.css")[0] == 404
    assert app.call("staticHosting:getCurrentDeployment")["currentDeploymentId"] != first


def test_paths_of_one_page_apps_and_the_apps_own(app: ConvexProject) -> None:
    upload(app, index_html="<h1>page</h1>")
    assert get(app, "/deep/link")[:2] == (200, "<h1>page</h1>")
    assert get(app, "/api/own")[:2] == (200, "the app's own")
    upload(app, "--no-spa", index_html="<h1>page</h1>")
    assert get(app, "/deep/link")[0] == 404
