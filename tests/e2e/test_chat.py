"""The chat examples: all that an app can do at once, in both languages, as two people see it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.test_examples import EXAMPLES, convex, copy_example
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

SECRET = "only CI knows"
WEB = EXAMPLES / "chat-web"


@pytest.fixture
def services() -> Iterator[str]:
    """The URL of the local issuer and weather service."""
    command = [sys.executable, str(WEB / "services.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def push_python(server: ServerProcess, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        server.cli("env", "set", name, value)
    server.cli("deploy")


def push_typescript(server: ServerProcess, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        convex(server, "env", "set", name, value)
    convex(server, "deploy")


def call_python(server: ServerProcess, function: str, args: dict[str, object]) -> object:
    return server.run(function, args)


def call_typescript(server: ServerProcess, function: str, args: dict[str, object]) -> object:
    return json.loads(convex(server, "run", function, json.dumps(args)))


@pytest.mark.parametrize(
    ("example", "push", "call"),
    [("chat-python", push_python, call_python), ("chat-typescript", push_typescript, call_typescript)],
    ids=["python", "typescript"],
)
def test_two_people_use_everything(
    example: str,
    push: Callable[[ServerProcess, dict[str, str]], None],
    call: Callable[[ServerProcess, str, dict[str, object]], object],
    tmp_path: Path,
    services: str,
    unused_tcp_port: int,
    bundle: Callable[[Path, Path], None],
    chromium: str,
    node_script: Callable[..., str],
) -> None:
    copy_example(example, tmp_path)
    public = tmp_path / "public"
    public.mkdir()
    shutil.copy(WEB / "index.html", public)
    bundle(WEB / "src" / "main.tsx", public / "main.js")
    site = str(unused_tcp_port)
    server = ServerProcess(
        tmp_path, "serve", "--port", "0", "--site-port", site, "--public", "public"
    ).start()
    try:
        variables = {
            "AUTH_ISSUER": services,
            "AUTH_JWKS": f"{services}/jwks.json",
            "WEATHER_URL": f"{services}/weather",
            "WEBHOOK_SECRET": SECRET,
        }
        push(server, variables)
        seen = node_script(
            "chat_page.mjs",
            server.url,
            CHROMIUM=chromium,
            ISSUER=services,
            SITE_URL=f"http://127.0.0.1:{site}",
            WEBHOOK_SECRET=SECRET,
            SCREENSHOT=os.environ.get("PARABOLA_SCREENSHOT", ""),
        )
        # What the cron does every night takes messages and their files away.
        (job,) = server.run("_system/frontend/listCronJobs", {"componentId": None})  # type: ignore[misc]
        spec = job["cronSpec"]
        module = {"chat-python": "cleanup.py", "chat-typescript": "cleanup.js"}[example]
        assert (spec["udfPath"], json.loads(base64.b64decode(spec["udfArgs"]))) == (
            f"{module}:old",
            [{"days": 30}],
        )
        file = json.loads(seen)["file"]
        with urllib.request.urlopen(file) as response:
            assert response.headers["Content-Type"] == "image/svg+xml"
        assert call(server, "cleanup:old", {"days": 30}) == 0
        assert call(server, "cleanup:old", {"days": 0}) == 25
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(file)
    finally:
        server.close()
