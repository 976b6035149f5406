"""The nodes of a cluster in processes of their own, each with its own way to PostgreSQL, which can be cut."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from database.shared_log.postgres.proxy import Proxy
from free_port import free_port

__all__ = ["SECRET", "Node", "push"]

SECRET = "c0" * 32
START_SECONDS = 60.0
PROJECT = Path(__file__).with_name("project")
PROGRAM = Path(__file__).with_name("node.py")


class Node:
    """One `parabola serve` on ports that stay the same; started again by `keep` whenever it has ended."""

    def __init__(self, name: str, directory: Path, databases: list[str], *flags: str) -> None:
        """`databases` are the addresses of the servers of PostgreSQL; `flags` are those of `node.py`."""
        self.name = name
        self.directory = directory / name
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.directory / "server.log"
        self.proxies: list[Proxy] = []
        self.is_wanted = False
        self._flags = flags
        self._files = (directory / "files").as_uri()
        self._databases = databases
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns at once; the node is there when it is ready."""
        for database in self._databases:
            parts = urlsplit(database)
            assert parts.hostname is not None
            assert parts.port is not None
            self.proxies.append(await Proxy.start(parts.hostname, parts.port))
        self.is_wanted = True
        self._keeping = asyncio.create_task(self._keep())

    @property
    def database(self) -> str:
        """The address that the node knows, of several servers if there are several."""
        hosts = ",".join(urlsplit(proxy.url).netloc.rpartition("@")[2] for proxy in self.proxies)
        parts = urlsplit(self._databases[0])
        return f"postgresql://{parts.username}@{hosts}{parts.path}"

    async def _keep(self) -> None:
        while self.is_wanted:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    str(PROGRAM),
                    *self._flags,
                    *("serve", "--port", str(self.port), "--site-port", "0"),
                    *("--node", self.name, "--instance-name", "chaos", "--file-storage", self._files),
                    cwd=self.directory,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={
                        **os.environ,
                        "NO_COLOR": "1",
                        "PARABOLA_DATABASE": self.database,
                        "INSTANCE_SECRET": SECRET,
                        "PARABOLA_SHUTDOWN_SECONDS": "1",
                    },
                    start_new_session=True,
                )
            await self._process.wait()
            self._end_hosts()
            await asyncio.sleep(0.05)

    def _end_hosts(self) -> None:
        """Hosts of a node that was killed end by themselves; none is waited for here."""

    def send(self, number: signal.Signals) -> None:
        """A signal to the server alone."""
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    async def close(self) -> None:
        self.is_wanted = False
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        if self._keeping is not None:
            try:
                async with asyncio.timeout(20):
                    await self._keeping
            except TimeoutError:
                self.send(signal.SIGKILL)
        for proxy in self.proxies:
            await proxy.close()


async def push(url: str, directory: Path) -> None:
    """Deploys the functions to whoever answers at an address."""
    from parabola.services.sign_in.admin_keys import make_admin_key

    project = directory / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    deadline = time.monotonic() + START_SECONDS
    while True:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parabola", "deploy", "--url", url),
            *("--admin-key", make_admin_key("chaos", SECRET)),
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode == 0:
            return
        assert time.monotonic() < deadline, said.decode()
        await asyncio.sleep(0.2)
