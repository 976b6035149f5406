"""The official command line in a project of its own, against a real server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_packages import PACKAGES, node_environment
from server_process import ServerProcess

PROJECTS = Path(__file__).parent / "projects"
PATIENCE_SECONDS = 120
"""The real command line retries some failures for ever: nothing here waits longer than this."""
RUNNERS = {"npx": ("npx", "convex"), "bunx": ("bunx", "convex"), "bun": ("bunx", "--bun", "convex")}
"""Ways to start it, beside plain `node`, which does what `npx` does in half the time. `bunx` alone starts it
in Node.js where there is one, `--bun` in Bun."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended: what it answered (stdout) and what it told (stderr)."""

    status: int
    output: str
    told: str

    @property
    def screen(self) -> str:
        return self.told + self.output


class ConvexProject:
    """A copy of a project in `directory`, pushed to `server` by the command line in `packages`."""

    def __init__(
        self,
        directory: Path,
        server: ServerProcess,
        project: str | Path = "messages",
        packages: Path = PACKAGES,
    ) -> None:
        self.directory = directory
        self.server = server
        self.packages = packages
        shutil.copytree(PROJECTS / project, directory, dirs_exist_ok=True)
        (directory / "node_modules").symlink_to(packages)

    def environment(self, **variables: str) -> dict[str, str]:
        """Only what the command line needs: it looks for CI systems, agents and other deployments."""
        node = node_environment()
        return {
            "PATH": f"{self.packages / '.bin'}{os.pathsep}{node['PATH']}",
            "HOME": str(self.directory),
            "NODE_COMPILE_CACHE": str(self.packages / ".compiled"),
            "CI": "1",
            "NO_COLOR": "1",
            "CONVEX_SELF_HOSTED_URL": self.server.url,
            "CONVEX_SELF_HOSTED_ADMIN_KEY": self.server.admin_key,
            **variables,
        }

    @property
    def server_options(self) -> tuple[str, ...]:
        """What tells `parabola` commands which server is meant."""
        return ("--url", self.server.url, "--admin-key", self.server.admin_key)

    def convex(
        self,
        *arguments: str,
        runner: str = "node",
        stdin: str = "",
        variables: dict[str, str] | None = None,
    ) -> Finished:
        """Run a command to its end."""
        done = subprocess.run(
            [*self._command(runner), *arguments],
            cwd=self.directory,
            env=self.environment(**(variables or {})),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, **options: Any) -> Finished:
        """Run a command that must succeed."""
        done = self.convex(*arguments, **options)
        assert done.status == 0, f"convex {' '.join(arguments)} ended with {done.status}:\n{done.screen}"
        return done

    def push(self, *options: str) -> Finished:
        """`dev --once`, without type checks: they are the command line's own affair, and slow."""
        return self.ok("dev", "--once", "--typecheck", "disable", *options)

    def run(self, function: str, args: Any = None, *options: str) -> Any:
        """The value of `run`."""
        output = self.ok("run", function, json.dumps(args or {}), *options).output
        return json.loads(output) if output.strip() else None

    def call(self, function: str, args: Any = None) -> Any:
        """The value of a function, without the command line: for what a test needs and is not about."""
        answer = self.post(
            "/api/function", {"path": function, "args": args or {}, "format": "convex_encoded_json"}
        )
        assert answer["status"] == "success", answer
        return answer["value"]

    def post(self, path: str, body: Any) -> Any:
        """Ask the server itself, as an administrator."""
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Convex {self.server.admin_key}",
            "Convex-Client": "npm-1.49.0",
        }
        request = urllib.request.Request(self.server.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as response:
            text = response.read()
        return json.loads(text) if text else None

    def start(self, *arguments: str, runner: str = "node") -> RunningCommand:
        """Begin a command that goes on until it is interrupted."""
        return RunningCommand([*self._command(runner), *arguments], self.directory, self.environment())

    def _command(self, runner: str) -> list[str]:
        if runner == "node" or (runner == "npx" and shutil.which("npx") is None):
            return ["node", str(self.packages / "convex" / "bin" / "main.js")]
        return list(RUNNERS[runner])

    def write(self, name: str, text: str) -> None:
        """Save a file of the `convex` folder."""
        path = self.directory / "convex" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file of the `convex` folder, and save it."""
        text = (self.directory / "convex" / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))


class RunningCommand:
    """A command that goes on, and what it has printed so far on both streams."""

    def __init__(self, command: list[str], directory: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._is_over = False
        self._printed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def screen(self) -> str:
        return "".join(self._lines)

    def wait_for(self, text: str, after: int = 0, nudge: Callable[[], None] = lambda: None) -> int:
        """Wait until `text` stands on the screen, at or after a position; the position behind it.

        Every two seconds without news, nudge.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with self._printed:
                if (found := self.screen.find(text, after)) >= 0:
                    return found + len(text)
                is_over = self._is_over or time.monotonic() > deadline
                has_news = not is_over and self._printed.wait(2)
            if is_over:
                raise AssertionError(f"never printed {text!r}:\n{self.screen}")
            if not has_news:
                nudge()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something has happened, while it goes on."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert self._process.poll() is None, f"it ended too early:\n{self.screen}"
            assert time.monotonic() < deadline, self.screen
            time.sleep(0.01)  # nothing tells

    def wait(self) -> int:
        """Wait for its own end; the exit status."""
        return self._process.wait(PATIENCE_SECONDS)

    def interrupt(self) -> int:
        """Press Ctrl-C; the exit status."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(PATIENCE_SECONDS)

    def __enter__(self) -> RunningCommand:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as screen:
            for line in screen:
                with self._printed:
                    self._lines.append(line)
                    self._printed.notify_all()
        with self._printed:
            self._is_over = True
            self._printed.notify_all()
