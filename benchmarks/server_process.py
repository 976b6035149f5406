"""A real server with the benchmark application, as its own process."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import aiohttp

from parabola.hosts.node import node_executable

APPLICATION = Path(__file__).parent / "app"
NODE_FOLDER = Path(sys.prefix) / "nodejs"
NODE_MODULES = Path(__file__).parent.parent / "tests" / "e2e" / "node_modules"


def put_node_of_packages_on_path() -> None:
    """Let every process find the Node.js that `make` has installed because that on the PATH is too old."""
    if (NODE_FOLDER / "node").exists():
        os.environ["PATH"] = f"{NODE_FOLDER}{os.pathsep}{os.environ['PATH']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`parabola dev` on a copy of an application in `directory`: both languages are deployed."""

    def __init__(
        self,
        directory: Path,
        application: Path = APPLICATION,
        *,
        options: Sequence[str] = (),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.directory = directory
        self._options = options
        self._variables = variables
        self._application = application
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._secret = secrets.token_hex(32)
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Server:
        ignored = shutil.ignore_patterns("_generated", "__pycache__")
        shutil.copytree(self._application, self.directory, ignore=ignored)
        (self.directory / "node_modules").symlink_to(NODE_MODULES)
        self._process = self._start()
        await self._wait_until_ready()
        if self._application == APPLICATION:
            await asyncio.to_thread(self.push_typescript)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self._process.wait, 20)

    @property
    def pid(self) -> int:
        """The server's own process."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def memory(self) -> int:
        """Resident bytes of the server's own process (its hosts left out)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def _identity(self) -> list[str]:
        return ["--instance-name", "bench", "--instance-secret", self._secret]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "parabola", "dev", "--host", "127.0.0.1", "--port", str(self.port)]
        return subprocess.Popen(
            [*command, "--site-port", str(free_port()), *self._identity, *self._options],
            cwd=self.directory,
            env={**os.environ, **self._variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def push_typescript(self, *options: str) -> None:
        """Run `npx convex deploy` with these options."""
        environment = self.environment()
        cli = str(NODE_MODULES / "convex" / "bin" / "main.js")
        subprocess.run(
            [node_executable(), cli, "deploy", "--typecheck", "disable", *options],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def environment(self) -> dict[str, str]:
        """What tells the official command line which server is meant."""
        command = [sys.executable, "-m", "parabola", "admin-key", *self._identity]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
        return {
            **os.environ,
            "CI": "1",
            "CONVEX_SELF_HOSTED_URL": self.url,
            "CONVEX_SELF_HOSTED_ADMIN_KEY": made.stdout.strip(),
        }

    async def _wait_until_ready(self) -> None:
        query = {"path": "bench:echo", "args": {"salt": 1}}
        async with aiohttp.ClientSession() as session:
            for _ in range(600):
                try:
                    if self._application != APPLICATION:
                        async with session.get(f"{self.url}/version"):
                            return
                    async with session.post(f"{self.url}/api/query", json=query) as answer:
                        if answer.status == 200 and (await answer.json())["status"] == "success":
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        raise RuntimeError("the server did not become ready")
