"""The Python host in the engine's own process and event loop: no pipe, no watchdog, debuggers work."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Any

import orjson

from parabola.functions.deployment import Environment
from parabola.functions.hosts import HostConnection, LoadFailure
from parabola.hosts.python.host import Host

__all__ = ["InlineHosts"]


class InlineHosts:
    """Makes inline hosts for the modules of one functions folder."""

    def __init__(self, functions: Path) -> None:
        self._functions = functions.resolve()

    def __call__(self, environment: Environment) -> HostConnection:
        """A host for an environment. Raises `LoadFailure` for one that needs another process."""
        if environment != "python":
            raise LoadFailure("Only Python functions can be tested in the test's own process.")
        return InlineHost(self._functions)


class InlineHost(HostConnection):
    """Messages are handed over on later turns of the loop, in order, as a pipe would."""

    def __init__(self, functions: Path) -> None:
        super().__init__()
        self._functions = functions
        self._host = Host(self._send_to_engine, post=self._post)
        self._to_host: deque[dict[str, Any]] = deque()
        self._to_engine: deque[dict[str, Any]] = deque()
        self.receive({"type": "ready", "protocol": 1, "language": "python"})

    def send(self, message: bytes) -> None:
        """Queue a message for the host."""
        self._to_host.append(self._with_files(orjson.loads(message)))
        self.loop.call_soon(self._deliver_to_host)

    async def close(self) -> None:
        """Forget the modules."""
        for invocation in list(self._host.invocations.values()):
            invocation.cancel()
        await asyncio.sleep(0)
        if self._host.loaded is not None:
            self._host.loaded.unload()
        self.end(blamed=None, failure=None, startup="The test's backend was closed.")

    def _send_to_engine(self, message: dict[str, Any]) -> None:
        # As on a pipe, what travels is a copy.
        self._to_engine.append(orjson.loads(orjson.dumps(message)))
        self.loop.call_soon(self._deliver_to_engine)

    def _deliver_to_host(self) -> None:
        if not self.closed:
            self._host.receive(self._to_host.popleft())

    def _deliver_to_engine(self) -> None:
        if not self.closed:
            self.receive(self._to_engine.popleft())

    def _post(self, call: Any) -> None:
        self.loop.call_soon_threadsafe(call)

    def _with_files(self, message: dict[str, Any]) -> dict[str, Any]:
        """Say where the modules' files are, so that a debugger stops in them."""
        if message["type"] == "load":
            for module in message["modules"]:
                module["file"] = str(self._functions / module["path"])
        return message
