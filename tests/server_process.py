"""A real Parabola server in a process of its own, for tests that look at it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

START_SECONDS = 60


class ServerProcess:
    """`parabola COMMAND` in `directory`, run by the interpreter `python`. What it prints goes to `log`."""

    def __init__(self, directory: Path, *command: str, python: str = sys.executable) -> None:
        self.directory = directory
        self.data_dir = directory / ".parabola"
        self.log = directory / "server.log"
        self.url = ""
        self.admin_key = ""
        self._program = [python, "-m", "parabola"]
        self._command = [*self._program, *command]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, **variables: str) -> ServerProcess:
        """Start it, with these environment variables, and wait until it says that it serves; for `dev` also
        until the first push is over, whatever came of it.
        """
        printed = len(self.output()) if self.log.exists() else 0
        with self.log.open("ab") as log:
            own = {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "PARABOLA_SHUTDOWN_SECONDS": "5"}
            environment = {**os.environ, **own, **variables}
            self._process = subprocess.Popen(
                self._command,
                cwd=self.directory,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (state := self._state()):
            if self._process.poll() is not None:
                raise AssertionError(
                    f"the server ended with status {self._process.returncode}:\n{self.output()}"
                )
            if time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.output()}")
            time.sleep(0.02)  # polling another process; nothing is assumed about how long it takes
        self.url, self.admin_key = state["url"], state["adminKey"]
        if self._command[len(self._program)] == "dev":
            self.wait_for(lambda: self._has_pushed(printed), "the first push")
        return self

    def _has_pushed(self, since: int) -> bool:
        words = " ".join(self.output()[since:].split())
        return " ready in " in words or "Nothing is served until this is mended." in words

    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for_output(self, text: str, since: int = 0) -> str:
        """Wait until `text` is among what it printed after the first `since` characters."""
        self.wait_for(lambda: text in self.output()[since:], f"{text!r} to be printed")
        return self.output()[since:]

    def wait_for(self, comes_true: Callable[[], bool], what: str = "it") -> None:
        """Wait until something comes true, for as long as the server lives."""
        deadline = time.monotonic() + START_SECONDS
        while not comes_true():
            if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                raise AssertionError(f"waited in vain for {what}; printed:\n{self.output()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would: no handler runs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit status."""
        assert self._process is not None
        self._process.send_signal(with_signal)
        return self._process.wait(timeout=START_SECONDS)

    def wait(self) -> int:
        """Wait until it ends by itself; its exit status."""
        assert self._process is not None
        return self._process.wait(timeout=START_SECONDS)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.terminate()

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run another `parabola` command in the same directory."""
        done = subprocess.run(
            [*self._program, *arguments],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        )
        assert not check or done.returncode == 0, f"{arguments} failed:\n{done.stdout}{done.stderr}"
        return done

    def run(self, function: str, args: dict[str, Any] | None = None) -> Any:
        """`parabola run`, its result decoded."""
        return json.loads(self.cli("run", function, json.dumps(args or {})).stdout)

    def call(self, kind: str, path: str, **args: Any) -> Any:
        """The value of a function that is called over HTTP, where the command line would be too slow."""
        body = json.dumps({"path": path, "args": args}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/{kind}", body, headers)
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["value"]

    def _state(self) -> dict[str, Any] | None:
        try:
            state = json.loads((self.data_dir / "server.json").read_text())
        except (OSError, ValueError):
            return None
        return state if state.get("pid") == self.pid else None
