"""The pool for actions: one process for each running action, started on demand, one of them kept warm.

A process is used again when nothing of its last action can still happen there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any, Final

from msgspec import Struct

from parabola.functions.processes.background_tasks import BackgroundTasks
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import HostLost, LoadFailure
from parabola.functions.processes.host_losses import HostLosses
from parabola.functions.processes.host_pool import SpawnHost
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.functions.settings import FunctionSettings
from parabola.values.errors import RateLimited

__all__ = ["BUSY_SHARE", "CALM_SECONDS", "LOOK_SECONDS", "MAX_RESTLESS", "USES_PER_HOST", "ActionPool"]

_log: Final = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
"""How often idle hosts are looked at."""
BUSY_SHARE: Final = 0.25
"""An idle host that uses more of a processor than this is ended: an action left something running there."""
USES_PER_HOST: Final = 1000
"""An action host is replaced after so many runs, so that what leaks in it stays bounded."""
CALM_SECONDS: Final = 5.0
"""How long what an action has left behind (timers, connections) may go on before its process is ended."""
MAX_RESTLESS: Final = 4
"""Processes with something left behind; of more the oldest is ended at once."""


class _Resting(Struct):
    """An idle host: since when, and how much processor time it had used at the last look, when that was."""

    host: HostConnection
    since: float
    looked_at: float
    processor: float | None

    def is_at_work(self, now: float) -> bool:
        """Whether something goes on in it since the last look, long enough ago to tell."""
        elapsed, before = now - self.looked_at, self.processor
        if elapsed < 1.0:
            return False
        self.looked_at, self.processor = now, self.host.processor_seconds()
        used = 0.0 if before is None or self.processor is None else self.processor - before
        return used > BUSY_SHARE * elapsed


class ActionPool:
    """Runs actions: each has a host for itself, taken from the idle ones or started for it.

    At most `maximum` run; more wait, for `wait_seconds` at most (semantics §5.7). A host that nobody has
    needed for `idle_seconds` is ended, but for the `spares`.
    """

    def __init__(
        self,
        spawn: SpawnHost,
        *,
        maximum: int = FunctionSettings.actions_at_once,
        spares: int = FunctionSettings.spare_action_hosts,
        idle_seconds: float = FunctionSettings.action_idle_seconds,
        wait_seconds: float = FunctionSettings.action_wait_seconds,
    ) -> None:
        self._spawn = spawn
        self._maximum = maximum
        self._spares = spares
        self._idle_seconds = idle_seconds
        self._wait_seconds = wait_seconds
        self._look_seconds = min(LOOK_SECONDS, idle_seconds)
        self._idle: list[_Resting] = []
        self._busy: set[HostConnection] = set()
        self._restless: dict[HostConnection, asyncio.TimerHandle] = {}
        """Hosts in which something of the last action may still happen, and when they are ended."""
        self._uses: dict[HostConnection, int] = {}
        self._starting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks = BackgroundTasks()
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Have a spare host ready. Raises `LoadFailure`."""
        for _ in range(self._spares):
            self._rest(await self._spawn())

    def begin(
        self, request: RunRequest, *, nested: bool = False, losses: HostLosses | None = None
    ) -> Run | None:
        """Nothing: an action may be about to wait for a host."""
        return None

    async def run(
        self, request: RunRequest, *, nested: bool = False, losses: HostLosses | None = None
    ) -> Run:
        """Start an action. One that an action started never waits for a place, so that nesting cannot lock
        up.
        """
        while not nested and len(self._busy) + self._starting >= self._maximum and not self._closed:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await waiter
            except (asyncio.CancelledError, TimeoutError) as error:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                if isinstance(error, TimeoutError):
                    raise RateLimited(
                        "Too many concurrent requests. Your backend is limited to "
                        f"{self._maximum} concurrent actions. Run fewer at a time, or shorter ones."
                    ) from None
                raise
        if self._closed:
            raise HostLost
        while self._idle:
            rest = self._idle.pop()
            if not rest.host.closed and not self._dismissed(rest):
                return self._begin(rest.host, request)
        self._starting += 1
        try:
            host = await self._spawn()
        finally:
            self._starting -= 1
        if self._closed:
            await host.close()
            raise HostLost
        self._uses[host] = 0
        return self._begin(host, request)

    async def analyze(self, phase: str, **fields: Any) -> dict[str, Any]:
        """Analyse on the spare host."""
        if not self._idle:
            self._rest(await self._spawn())
        return await self._idle[-1].host.analyze(phase, **fields)

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
        hosts = self.processes()
        self._idle.clear()
        for timer in self._restless.values():
            timer.cancel()
        self._restless.clear()
        await asyncio.gather(*(host.close() for host in hosts))
        while self._waiting:
            self._wake()

    @property
    def executes(self) -> bool:
        """Actions have no transactions of their own."""
        return False

    def processes(self) -> list[HostConnection]:
        """All hosts, whatever they do."""
        return [*self._busy, *self._restless, *(rest.host for rest in self._idle)]

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
        worn = host.abandoned or self._uses.get(host, 0) >= USES_PER_HOST
        if host.closed or self._closed or worn:
            self._uses.pop(host, None)
            if not host.closed:
                self._tasks.start(host.close())
        elif host.has_calmed_down:
            self._rest(host)
        else:
            self._let_calm_down(host)
        self._wake()
        if self._empty is not None and not self._empty.done() and not self._busy:
            self._empty.set_result(None)

    def _let_calm_down(self, host: HostConnection) -> None:
        """No action may meet what another has left behind: the host is used again once it says that nothing
        of that can happen any more, and ended when it does not.
        """

        def forget() -> bool:
            timer = self._restless.pop(host, None)
            if timer is not None:
                timer.cancel()
            host.on_calm = host.on_lost = None
            return timer is not None

        def calm() -> None:
            if forget():
                self._rest(host)

        def lost() -> None:
            forget()
            self._uses.pop(host, None)

        while len(self._restless) >= MAX_RESTLESS:
            self._give_up_waiting(next(iter(self._restless)))
        host.on_calm, host.on_lost = calm, lost
        loop = asyncio.get_running_loop()
        self._restless[host] = loop.call_later(CALM_SECONDS, self._give_up_waiting, host)

    def _give_up_waiting(self, host: HostConnection) -> None:
        timer = self._restless.pop(host, None)
        if timer is not None:
            timer.cancel()
            host.on_calm = host.on_lost = None
            self._dismiss(host)

    def _rest(self, host: HostConnection) -> None:
        host.on_lost = None
        now = time.monotonic()
        self._idle.append(_Resting(host, now, now, host.processor_seconds()))
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(self._look_seconds, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        now = time.monotonic()
        self._idle = [rest for rest in self._idle if not rest.host.closed and not self._dismissed(rest)]
        while len(self._idle) > self._spares and now - self._idle[0].since >= self._idle_seconds:
            self._dismiss(self._idle.pop(0).host)
        if self._idle:
            self._reaper = asyncio.get_running_loop().call_later(self._look_seconds, self._reap)

    def _dismissed(self, rest: _Resting) -> bool:
        """End a host in which something still runs that nobody waits for; whether it was one."""
        if not rest.is_at_work(time.monotonic()):
            return False
        _log.warning("An action left something running in its process, which is ended.")
        self._dismiss(rest.host)
        return True

    def _dismiss(self, host: HostConnection) -> None:
        self._uses.pop(host, None)
        self._tasks.start(host.close())

    async def _start_spare(self) -> None:
        self._starting += 1
        try:
            host = await self._spawn()
        except LoadFailure as failure:
            _log.warning("A spare action host could not be started: %s", failure)
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
