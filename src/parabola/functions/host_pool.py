"""Pools of hosts: a few processes with many queries and mutations in flight each, and one process for each
running action.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from parabola.functions.hosts import (
    HostBundle,
    HostConnection,
    HostLost,
    LoadFailure,
    Message,
    Run,
    RunRequest,
)

logger = logging.getLogger("parabola.host")

SpawnHost = Callable[[], Awaitable[HostConnection]]

RUNS_PER_HOST = 128
"""Queries and mutations in flight on one host; more wait their turn in the engine."""
MAXIMUM_BACKOFF = 5.0
IDLE_SECONDS = 60.0
"""An action host nobody needed for this long is ended, except one."""
USES_PER_ACTION_HOST = 1000
"""An action host is replaced after so many runs, so that what leaks in it stays bounded."""


async def _spawn_loaded(spawn: SpawnHost, bundle: HostBundle) -> HostConnection:
    host = await spawn()
    try:
        await host.load(bundle)
    except BaseException:
        await asyncio.shield(host.close())
        raise
    return host


class _Tasks:
    """Background work that is cancelled as one."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class DeterministicPool:
    """Runs queries and mutations: the least loaded of `size` hosts gets the next run; a host that dies is
    replaced.
    """

    def __init__(self, spawn: SpawnHost, bundle: HostBundle, size: int) -> None:
        self._spawn = spawn
        self._bundle = bundle
        self._size = max(1, size)
        self._hosts: list[HostConnection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks = _Tasks()
        self._failures = 0
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Have one host ready; the others follow by themselves. Raises `LoadFailure`."""
        self._add(await _spawn_loaded(self._spawn, self._bundle))
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
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
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
                host = await _spawn_loaded(self._spawn, self._bundle)
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


class ActionPool:
    """Runs actions: each has a host for itself, taken from the idle ones or started for it. One spare is kept
    warm.
    """

    def __init__(
        self,
        spawn: SpawnHost,
        bundle: HostBundle,
        *,
        maximum: int = 64,
        spares: int = 1,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._spawn = spawn
        self._bundle = bundle
        self._maximum = maximum
        self._spares = spares
        self._idle_seconds = idle_seconds
        self._idle: list[tuple[HostConnection, float]] = []
        self._busy: set[HostConnection] = set()
        self._uses: dict[HostConnection, int] = {}
        self._starting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks = _Tasks()
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Have a spare host ready. Raises `LoadFailure`."""
        for _ in range(self._spares):
            self._rest(await _spawn_loaded(self._spawn, self._bundle))

    async def run(self, request: RunRequest, *, nested: bool = False) -> Run:
        """Start an action. One that an action started never waits for a place, so that nesting cannot lock
        up.
        """
        while not nested and len(self._busy) + self._starting >= self._maximum and not self._closed:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
        if self._closed:
            raise HostLost
        while self._idle:
            host, _ = self._idle.pop()
            if not host.closed:
                return self._begin(host, request)
        self._starting += 1
        try:
            host = await _spawn_loaded(self._spawn, self._bundle)
        finally:
            self._starting -= 1
        if self._closed:
            await host.close()
            raise HostLost
        self._uses[host] = 0
        return self._begin(host, request)

    async def analyze(self, phase: str, **fields: Any) -> Message:
        """Analyse on the spare host."""
        if not self._idle:
            self._rest(await _spawn_loaded(self._spawn, self._bundle))
        return await self._idle[-1][0].analyze(phase, **fields)

    async def close(self, *, drain: float = 0.0) -> None:
        """End idle hosts, let running actions finish for at most `drain` seconds, end the rest."""
        if drain and self._busy:
            self._empty = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(drain):
                    await self._empty
            except TimeoutError:
                pass
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        await self._tasks.cancel()
        hosts = [*self._busy, *(host for host, _ in self._idle)]
        self._idle.clear()
        await asyncio.gather(*(host.close() for host in hosts))
        while self._waiting:
            self._wake()

    def processes(self) -> list[HostConnection]:
        """All hosts, busy or idle."""
        return [*self._busy, *(host for host, _ in self._idle)]

    def _begin(self, host: HostConnection, request: RunRequest) -> Run:
        def finished() -> None:
            if host in self._busy and not host.runs:
                self._busy.discard(host)
                self._ended(host)

        self._busy.add(host)
        self._uses[host] = self._uses.get(host, 0) + 1
        host.on_finished = finished
        host.on_lost = finished
        run = host.run(request)
        if self._spares and not self._idle and not self._starting and not self._closed:
            self._tasks.start(self._start_spare())
        return run

    def _ended(self, host: HostConnection) -> None:
        if host.closed or self._closed or self._uses.get(host, 0) >= USES_PER_ACTION_HOST:
            self._uses.pop(host, None)
            if not host.closed:
                self._tasks.start(host.close())
        else:
            self._rest(host)
        self._wake()
        if self._empty is not None and not self._empty.done() and not self._busy:
            self._empty.set_result(None)

    def _rest(self, host: HostConnection) -> None:
        host.on_lost = None
        self._idle.append((host, time.monotonic()))
        if self._reaper is None and len(self._idle) > self._spares:
            self._reaper = asyncio.get_running_loop().call_later(self._idle_seconds, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        now = time.monotonic()
        self._idle = [(host, since) for host, since in self._idle if not host.closed]
        while len(self._idle) > self._spares and now - self._idle[0][1] >= self._idle_seconds:
            host, _ = self._idle.pop(0)
            self._uses.pop(host, None)
            self._tasks.start(host.close())
        if len(self._idle) > self._spares:
            self._reaper = asyncio.get_running_loop().call_later(self._idle_seconds, self._reap)

    async def _start_spare(self) -> None:
        self._starting += 1
        try:
            host = await _spawn_loaded(self._spawn, self._bundle)
        except LoadFailure as failure:
            logger.warning("A spare action host could not be started: %s", failure)
            return
        finally:
            self._starting -= 1
        if self._closed:
            await host.close()
        else:
            self._rest(host)

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
