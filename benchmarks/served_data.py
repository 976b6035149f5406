"""`parabola serve` on a data directory that holds a deployed application of one language."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.server_process import NODE_MODULES, free_port
from parabola.hosts.node import node_executable

APPLICATIONS = Path(__file__).parent / "small_apps"
ANSWER_SECONDS = 120.0


def compiled_like_an_installed_one(folder: Path) -> dict[str, str]:
    """An environment in which Python keeps what it has compiled, as `pip install` does for a package."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "pycache")}


class ServedData:
    """A data directory in `folder` and the server that is started on it, and ended, any number of times."""

    def __init__(self, folder: Path, language: str, compiled: Path, *, packages: Path = NODE_MODULES) -> None:
        self.project = folder / "project"
        self._packages = packages
        self.data = folder / "data"
        self.language = language
        self._environment = compiled_like_an_installed_one(compiled)
        self._port = free_port()
        self._site_port = free_port()
        self._identity = ["--instance-name", "bench", "--instance-secret", secrets.token_hex(32)]
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        if self._server is None:
            raise RuntimeError("the server is not running")
        return self._server.pid

    async def start(self, query: str | None = "notes:echo") -> float:
        """Start the server. The seconds from then until it has answered the query, or any request."""
        return await asyncio.to_thread(self._start, query)

    def _start(self, query: str | None) -> float:
        command = [sys.executable, "-m", "parabola", "serve", "--port", str(self._port)]
        command += ["--site-port", str(self._site_port), "--data", str(self.data), *self._identity]
        started = time.perf_counter()
        self._server = subprocess.Popen(
            command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        body = None if query is None else json.dumps({"path": query, "args": {"salt": 1}})
        first_answer(self._port, "/api/query" if body else "/version", body)
        return time.perf_counter() - started

    async def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End it, and what it has started."""
        if self._server is not None:
            self._server.send_signal(with_signal)
            await asyncio.to_thread(self._server.wait, 60)
            self._server = None

    def write_project(self) -> None:
        """Make the project that is deployed."""
        ignored = shutil.ignore_patterns("_generated", "__pycache__", "node_modules")
        shutil.copytree(APPLICATIONS / self.language.lower(), self.project, ignore=ignored)

    def change_project(self, change: int) -> None:
        """Let the project differ from that of every other change."""
        module = next((self.project / "convex").glob("notes.*"))
        lines = [line for line in module.read_text().splitlines() if "change " not in line]
        comment = "#" if self.language == "Python" else "//"
        module.write_text("\n".join([*lines, f"{comment} change {change}", ""]))

    def deploy(self, change: int = 0) -> None:
        """Push the functions; those of each `change` differ from the others."""
        if not self.project.exists():
            self.write_project()
            (self.project / "node_modules").symlink_to(self._packages)
        self.change_project(change)
        parabola = [sys.executable, "-m", "parabola"]
        key_command = [*parabola, "admin-key", *self._identity]
        key = subprocess.run(key_command, capture_output=True, text=True, check=True).stdout.strip()
        environment = self._environment
        if self.language == "Python":
            command = [*parabola, "deploy", "--url", self.url, "--admin-key", key, "--yes"]
        else:
            official = str(self._packages / "convex" / "bin" / "main.js")
            command = [node_executable(), official, "deploy", "--typecheck", "disable"]
            names = {"CONVEX_SELF_HOSTED_URL": self.url, "CONVEX_SELF_HOSTED_ADMIN_KEY": key}
            environment = {**environment, "CI": "1", **names}
        subprocess.run(
            command,
            cwd=self.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )


def first_answer(port: int, path: str, body: str | None = None) -> None:
    """Returns once a server on this port has answered with success."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200 and (body is None or json.loads(text)["status"] == "success"):
                return
            raise RuntimeError(f"status {answer.status}: {text.decode()}")
        except OSError:
            time.sleep(0.002)
        finally:
            connection.close()
    raise RuntimeError("the server did not answer")
