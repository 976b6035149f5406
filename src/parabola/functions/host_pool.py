"""The pool for queries and mutations: a few hosts with many runs in flight each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from parabola.functions.background_tasks import BackgroundTasks
from parabola.functions.hosts import (
    HostConnection,
    HostLost,
    LoadFailure,
    Message,
    Run,
    RunRequest,
)
from parabola.values.errors import Overloaded

logger = logging.getLogger("parabola.host")

SpawnHost = Callable[[], Awaitable[HostConnection]]
"""Makes a host that has loaded its modules; raises `LoadFailure`."""

RUNS_PER_HOST = 128
"""Queries and mutations in flight on one host; more wait their turn in the engine."""
MAXIMUM_BACKOFF = 5.0
WAIT_SECONDS = 15.0
"""How long a call waits for a free host before it is refused."""


class DeterministicPool:
    """Runs queries and mutations: the least loaded of `size` hosts gets the next run; a host that dies is
    replaced.
    """

    def __init__(self, spawn: SpawnHost, size: int) -> None:
        self._spawn = spawn
        self._size = max(1, size)
        self._hosts: list[HostConnection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks = BackgroundTasks()
        self._failures = 0
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Have one host ready; the others follow by themselves. Raises `LoadFailure`."""
        self._add(await self._spawn())
        for _ in range(self._size - 1):
            self._tasks.start(self._replace())

    async def run(self, request: RunRequest, *, nested: bool = False) -> Run:
        """Start a run. A nested one never waits for a free place, since what it waits for may wait for it."""
        while True:
            if self._closed:
                raise HostLost
            host = min(self._hosts, key=_load, default=None)
            if host is not None and (nested or len(host.runs) < RUNS_PER_HOST):
                return host.run(request)
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await waiter
            except (asyncio.CancelledError, TimeoutError) as error:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                if isinstance(error, TimeoutError):
                    raise Overloaded(
                        f"No host became free within {WAIT_SECONDS:g} seconds: there is too much to do, or "
                        "hosts cannot be started. The server's log tells more."
                    ) from None
                raise

    async def analyze(self, phase: str, **fields: Any) -> Message:
        """Analyse on any ready host."""
        if not self._hosts:
            raise LoadFailure("The host ended while the modules were analysed.")
        return await self._hosts[0].analyze(phase, **fields)

    async def close(self, *, drain: float = 0.0) -> None:
        """Let runs in flight finish for at most `drain` seconds, then end all hosts."""
        if drain and any(host.runs for host in self._hosts):
            self._empty = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(drain):
                    await self._empty
            except TimeoutError:
                pass
        self._closed = True
        await self._tasks.cancel()
        hosts, self._hosts = self._hosts, []
        await asyncio.gather(*(host.close() for host in hosts))
        while self._waiting:
            self._wake()

    def processes(self) -> list[HostConnection]:
        """The ready hosts."""
        return list(self._hosts)

    def _add(self, host: HostConnection) -> None:
        ready_at = time.monotonic()

        def finished() -> None:
            if self._waiting:
                self._wake()
            if self._empty is not None and not self._empty.done() and not any(h.runs for h in self._hosts):
                self._empty.set_result(None)

        def lost() -> None:
            if host in self._hosts:
                self._hosts.remove(host)
            finished()
            if not self._closed:
                self._failures = 0 if time.monotonic() - ready_at > 1.0 else self._failures + 1
                self._tasks.start(self._replace())

        if host.closed:
            self._tasks.start(self._replace())
            return
        host.on_finished, host.on_lost = finished, lost
        self._hosts.append(host)
        for _ in range(min(len(self._waiting), RUNS_PER_HOST)):
            self._wake()

    async def _replace(self) -> None:
        while not self._closed:
            if self._failures:
                await asyncio.sleep(min(MAXIMUM_BACKOFF, 0.02 * 2**self._failures))
            try:
                host = await self._spawn()
            except LoadFailure as failure:
                self._failures += 1
                logger.warning("A replacement host could not be started: %s", failure)
                continue
            if self._closed:
                await host.close()
            else:
                self._add(host)
            return

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


def _load(host: HostConnection) -> int:
    return len(host.runs)
