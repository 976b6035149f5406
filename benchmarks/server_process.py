"""A real server with the benchmark application, as its own process."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp

APPLICATION = Path(__file__).parent / "app"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`parabola serve` on a data directory, with the functions of `application` deployed."""

    def __init__(self, data: Path, application: Path = APPLICATION) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._data = data
        self._application = application
        self._secret = secrets.token_hex(32)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def identity(self) -> list[str]:
        return ["--instance-name", "bench", "--instance-secret", self._secret]

    async def __aenter__(self) -> Server:
        command = [sys.executable, "-m", "parabola", "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--site-port", str(free_port()), "--data", str(self._data), *self.identity]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        await self._wait_until_ready()
        self.deploy(self._application)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)

    def admin_key(self) -> str:
        made = subprocess.run(
            [sys.executable, "-m", "parabola", "admin-key", *self.identity], capture_output=True, text=True, check=True
        )
        return made.stdout.strip()

    def deploy(self, application: Path) -> None:
        subprocess.run(
            [sys.executable, "-m", "parabola", "deploy", "--url", self.url, "--admin-key", self.admin_key()],
            cwd=application,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def memory(self) -> int:
        """Resident bytes of the server's own process (its hosts left out)."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def _wait_until_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(600):
                try:
                    async with session.get(f"{self.url}/version") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        raise RuntimeError("the server did not become ready")
