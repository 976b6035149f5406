"""Hosts that do nothing, for tests of pools: runs end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_run import Run, RunRequest


class IdleHost(HostConnection):
    """Takes runs and never answers by itself."""

    was_closed = False
    processor = 0.0
    grown = False

    def __init__(self, *, tells_of_calm: bool = False) -> None:
        super().__init__()
        self.receive({"type": "ready", "tellsOfCalm": tells_of_calm})

    def processor_seconds(self) -> float:
        return self.processor

    def has_grown(self) -> bool:
        return self.grown

    def send(self, message: bytes) -> None:
        pass

    async def close(self) -> None:
        self.was_closed = True
        self.end(blamed=None, failure=None, startup="closed")


class Hosts:
    """Makes hosts; `failures` of the next ones fail, and none is made while `gate` is not set."""

    def __init__(self, *, tell_of_calm: bool = False) -> None:
        self.made: list[IdleHost] = []
        self.tell_of_calm = tell_of_calm
        self.failures = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def spawn(self) -> HostConnection:
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise LoadFailure("no")
        self.made.append(IdleHost(tells_of_calm=self.tell_of_calm))
        return self.made[-1]

    @staticmethod
    def finish(run: Run) -> None:
        run.host.receive({"type": "done", "id": run.id, "result": None, "logs": [], "usage": {}})

    @staticmethod
    def calm(run: Run) -> None:
        """Nothing of a run that has ended can happen any more."""
        run.host.receive({"type": "free", "id": run.id})


def request(kind: str = "query") -> RunRequest:
    return RunRequest(kind, "t.py:f", b"{}", 0.0, "00", 0, b"null", "r")


async def settled(condition: Callable[[], bool]) -> None:
    """Let other tasks go on until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
