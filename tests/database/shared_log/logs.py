"""Shared logs of every kind, each empty, with what a test may do to them from outside."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Protocol, Self

from parabola.database.shared_log.log import LANE_SECONDS, SharedLog
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer

__all__ = ["LOGS", "Logs", "MemoryLogs"]


class Logs(Protocol):
    """One log and the nodes that share it."""

    async def node(self, name: str) -> SharedLog: ...

    async def lose(self, count: int) -> None:
        """A failover loses the newest entries."""

    async def end_lane(self) -> None:
        """So much time passes that the lane ends."""


class MemoryLogs:
    def __init__(self) -> None:
        self._ahead = 0
        self.server: Final = MemoryLogServer(lambda: time.time_ns() + self._ahead)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def node(self, name: str) -> SharedLog:
        return MemoryLog(self.server, name)

    async def lose(self, count: int) -> None:
        self.server.lose(count)

    async def end_lane(self) -> None:
        self._ahead += int((LANE_SECONDS + 1) * 1e9)


LOGS: Final = (MemoryLogs,)
