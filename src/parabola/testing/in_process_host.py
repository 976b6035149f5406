"""The Python host in the engine's own process and event loop: no pipe, no watchdog, debuggers work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import LoadFailure
from parabola.hosts.python import in_process

__all__ = ["InProcessHosts"]


class InProcessHosts:
    """Makes in-process hosts for the modules of one functions folder, and of components in Python, whose
    folders are known by the paths of their definitions.
    """

    def __init__(self, functions: Path, components: Mapping[str, Path] | None = None) -> None:
        self._folders = {"": functions.resolve(), **(components or {})}

    def __call__(self, runtime: RuntimeName) -> HostConnection:
        """A host for a runtime. Raises `LoadFailure` for one that needs another process."""
        if runtime != "python":
            raise LoadFailure("Only Python functions can be tested in the test's own process.")
        return InProcessHost(self._folders)


class InProcessHost(HostConnection):
    """Messages are handed over on later turns of the loop, in order, as a pipe would."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        super().__init__()
        self._folders = folders
        self._host = in_process.InProcessHost(self._receive_later)

    def send(self, message: bytes) -> None:
        """Queue a message for the host."""
        self._host.post(self._with_files(orjson.loads(message)))

    async def close(self) -> None:
        """Forget the modules."""
        await self._host.close()
        self.end(blamed=None, failure=None, startup="The test's backend was closed.")

    def _receive_later(self, message: dict[str, Any]) -> None:
        self.loop.call_soon(self._receive_open, message)

    def _receive_open(self, message: dict[str, Any]) -> None:
        if not self.closed:
            self.receive(message)

    def _with_files(self, message: dict[str, Any]) -> dict[str, Any]:
        """Say where the modules' files are, so that a debugger stops in them."""
        for part in (message, *message.get("components", ())):
            folder = self._folders.get(part.get("definition", ""))
            if folder is not None:
                for module in part.get("modules", ()):
                    module["file"] = str(folder / module["path"])
        return message
