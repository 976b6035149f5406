"""The pool for queries and mutations: a few hosts with many runs in flight each, and one that stands by.

Runs share hosts, so the pool keeps those that harm a host away from the others: what may have ended a host is
run again alone, a function that has ended one is kept apart for a while, and who waits behind a run that
computes for long is moved to another host.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from parabola.functions.processes.background_tasks import BackgroundTasks
from parabola.functions.processes.demand import CROWD, PERIOD_SECONDS, Demand
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import HostLost, LoadFailure
from parabola.functions.processes.host_losses import HostLosses
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.functions.processes.run_rate import RunRate
from parabola.functions.processes.waiting_line import WaitingLine, nobody_free
from parabola.functions.settings import FunctionSettings
from parabola.values.errors import Overloaded

__all__ = [
    "APART_SECONDS",
    "LENT_HOSTS",
    "MAX_APART",
    "MAX_BACKOFF",
    "SPARE_DELAY",
    "DeterministicPool",
    "ExecutorSource",
    "SpawnHost",
]

_log: Final = logging.getLogger(__name__)

SpawnHost = Callable[[], Awaitable[HostConnection]]
"""Makes a host that has loaded its modules; raises `LoadFailure`."""

MAX_BACKOFF: Final = 5.0
SPARE_DELAY: Final = 1.0
"""Seconds from the first run until a spare host is started: a deployment that nobody uses needs none."""
LENT_HOSTS: Final = 2
"""Runs that have a host for themselves at a time; more wait."""
APART_SECONDS: Final = 60.0
"""How long a function that has ended a host is kept apart from others."""
MAX_APART: Final = 1000
"""Functions kept apart."""


class ExecutorSource(Protocol):
    """Makes further hosts execute transactions, or not."""

    @property
    def have_ended(self) -> bool:
        """Whether hosts could execute once and have lost what that takes, some time ago."""

    async def execute(self) -> bool:
        """Hosts that are made from now on execute; False where nothing changes. Raises `LoadFailure`."""

    def stop_executing(self) -> Callable[[], Awaitable[None]]:
        """Hosts that are made from now on do not; what is to be called when the others get no more runs."""


class DeterministicPool:
    """Runs queries and mutations: the least loaded host gets the next run; a host that dies is replaced, at
    once if one of the `spares` (0 or 1) stands by, which is so while there are `busy_runs` in a period.

    There are `least` hosts (by default as many as the most) and up to `size` while each has some runs at a
    time. After a busy time there are `least` again, and in place of those that have grown by then, new ones.
    While runs come fast, hosts execute transactions themselves where there are `executors` for that.

    A host has at most `runs_per_host` in flight; more wait their turn here, for `wait_seconds` at most.
    """

    def __init__(
        self,
        spawn: SpawnHost,
        size: int,
        *,
        least: int | None = None,
        spares: int = 0,
        busy_runs: int = 1,
        period_seconds: float = PERIOD_SECONDS,
        runs_per_host: int = FunctionSettings.calls_per_host,
        wait_seconds: float = FunctionSettings.call_wait_seconds,
        executors: ExecutorSource | None = None,
    ) -> None:
        self._spawn = spawn
        self._executors = executors
        self._is_executing = False
        self._rate = RunRate()
        self._size = max(1, size)
        self._least = self._size if least is None else max(1, min(least, self._size))
        self._wanted = self._least
        """How many there are to be now."""
        self._demand = Demand(self._calm_down, busy_runs, period_seconds)
        self._runs_per_host = runs_per_host
        self._wait_seconds = wait_seconds
        self._spares = spares
        self._hosts: list[HostConnection] = []
        self._spare: HostConnection | None = None
        self._spare_is_due = False
        self._spare_is_starting = False
        self._chained_at: HostConnection | None = None
        self._apart: HostConnection | None = None
        """Where the functions are run that have ended hosts lately."""
        self._apart_starting = False
        self._offenders: dict[str, float] = {}
        """Those functions, by when they are forgotten."""
        self._lent: set[HostConnection] = set()
        self._retiring: set[HostConnection] = set()
        self._places = asyncio.Semaphore(LENT_HOSTS)
        self._line = WaitingLine()
        self._line_apart = WaitingLine()
        self._tasks = BackgroundTasks()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Have one host ready; the others follow by themselves. Raises `LoadFailure`."""
        self._add(await self._spawn())
        for _ in range(self._wanted - 1):
            self._tasks.start(self._replace())

    def expect_much(self) -> None:
        """Have all hosts from now on: there is work for them that is no run."""
        self._demand.note_crowd()
        while self._wanted < self._size:
            self._wanted += 1
            self._tasks.start(self._replace())

    async def run(
        self, request: RunRequest, *, nested: bool = False, losses: HostLosses | None = None
    ) -> Run:
        """Start a run. A nested one never waits for a free place, since what it waits for may wait for it.
        One whose `losses` say so runs alone.
        """
        if losses is not None and losses.alone is not None:
            return (await losses.alone.host(self)).run(request)
        apart = self._count(request)
        while (run := self._begin(request, apart=apart, nested=nested)) is None:
            line = self._line_apart if apart else self._line
            try:
                await line.wait(self._wait_seconds, first=losses is not None and losses.is_repeated)
            except TimeoutError:
                raise nobody_free(self._wait_seconds) from None
        return run

    def begin(
        self, request: RunRequest, *, nested: bool = False, losses: HostLosses | None = None
    ) -> Run | None:
        """Start a run at once where that can be; None, and nothing has changed, where it has to wait."""
        if self._offenders or (losses is not None and losses.alone is not None):
            return None
        least = self._host_for(request)
        if least is None or not (nested or len(least.runs) < self._runs_per_host):
            return None
        self._count(request)
        if self._closed:
            raise HostLost
        self._demand.count()
        return self._helped(least).run(request)

    def _count(self, request: RunRequest) -> bool:
        """A call comes: whether its function is kept apart."""
        if not request.nested and self._may_begin_to_execute and self._rate.count():
            self._tasks.start(self.execute_transactions())
        return bool(self._offenders) and self._is_kept_apart(request.path)

    def _begin(self, request: RunRequest, *, apart: bool, nested: bool) -> Run | None:
        if self._closed:
            raise HostLost
        host = self._apart_host() if apart else self._shared_host(request)
        if host is None or not (nested or len(host.runs) < self._runs_per_host):
            return None
        self._demand.count()
        return host.run(request)

    @property
    def _may_begin_to_execute(self) -> bool:
        executors = self._executors
        return executors is not None and (not self._is_executing or executors.have_ended)

    async def execute_transactions(self) -> None:
        """Let hosts execute the transactions of their runs: new ones take the places of those there are."""
        executors = self._executors
        if executors is None or not self._may_begin_to_execute:
            return
        self._is_executing = True
        try:
            if await executors.execute():
                await self._replace_all()
        except LoadFailure as failure:
            _log.warning("Hosts that execute transactions could not be started: %s", failure)

    async def _stop_executing(self, executors: ExecutorSource) -> None:
        """The engine does it again: there is one process less."""
        leave = executors.stop_executing()
        try:
            await self._replace_all()
        except LoadFailure as failure:
            _log.warning("A host could not be started in the place of another one: %s", failure)
        await leave()
        self._is_executing = False

    async def _replace_all(self) -> None:
        """New hosts in the places of all that there are, which end with their last runs."""
        for old in list(self._hosts):
            new = await self._spawn()
            if self._closed:
                await new.close()
                return
            self._add(new)
            self._retire(old)

    def _retire(self, host: HostConnection) -> None:
        """Give a host no more runs, and end it with its last one."""
        if host not in self._hosts:
            return
        self._hosts.remove(host)
        self._retiring.add(host)

        def finished() -> None:
            self._finished()
            if not host.runs:
                gone()
                self._tasks.start(host.close())

        def gone() -> None:
            self._retiring.discard(host)
            host.on_finished = host.on_lost = host.on_slow = None

        host.on_finished, host.on_lost, host.on_slow = finished, gone, None
        if not host.runs:
            finished()

    async def analyze(self, phase: str, **fields: Any) -> dict[str, Any]:
        """Analyse on any ready host."""
        if not self._hosts:
            raise LoadFailure("The host ended while the modules were analysed.")
        return await self._hosts[0].analyze(phase, **fields)

    async def close(self, *, drain: float = 0.0) -> None:
        """Let runs in flight finish for at most `drain` seconds, then end all hosts."""
        if drain and any(host.runs for host in self._all()):
            self._empty = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(drain):
                    await self._empty
            except TimeoutError:
                pass
        self._closed = True
        self._demand.close()
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.cancel()
        hosts, self._hosts, self._spare, self._apart = self._all(), [], None, None
        await asyncio.gather(*(host.close() for host in hosts))
        for line in (self._line, self._line_apart):
            line.wake(len(line))

    def processes(self) -> list[HostConnection]:
        """The ready hosts that anybody may use."""
        return list(self._hosts)

    @property
    def executes(self) -> bool:
        """Whether its hosts execute transactions by themselves."""
        return any(host.info.executes for host in self._hosts)

    # A host for one call alone (host_losses)

    async def lend(self) -> HostConnection:
        """A host that nobody else uses until it is given back."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded("Too many calls need a host for themselves.") from None
        try:
            host = self._take_spare() or await self._spawn()
        except BaseException as error:
            self._places.release()
            if isinstance(error, LoadFailure):
                raise Overloaded(f"A host could not be started: {error.message}") from None
            raise
        self._lent.add(host)
        host.on_finished, host.on_lost = self._finished, lambda: self._note_offender(host)
        if self._closed:
            self.give_back(host)
            raise HostLost
        return host

    def give_back(self, host: HostConnection) -> None:
        """The borrower has finished. The host stands by from now on, or ends."""
        self._lent.discard(host)
        self._places.release()
        self._dismiss(host)
        self._finished()

    # The hosts

    def _all(self) -> list[HostConnection]:
        single = [host for host in (self._spare, self._apart) if host is not None]
        return [*self._hosts, *single, *self._lent, *self._retiring]

    def _chain_host(self) -> HostConnection | None:
        """The host of those that are built upon one another: the same one as long as it does well."""
        host = self._chained_at
        if host is None or host.slow_run is not None or host not in self._hosts:
            host = self._chained_at = min(self._hosts, key=_load, default=None)
        return host

    def _host_for(self, request: RunRequest) -> HostConnection | None:
        """The host that has least to do, or that of the chain."""
        return self._chain_host() if request.link is not None else min(self._hosts, key=_load, default=None)

    def _shared_host(self, request: RunRequest) -> HostConnection | None:
        host = self._host_for(request)
        return None if host is None else self._helped(host)

    def _helped(self, host: HostConnection) -> HostConnection:
        """The host that has least to do, or one that helps out."""
        if host.slow_run is not None and len(self._hosts) <= self._wanted:
            # All are held up: the one that stands by helps out.
            spare = self._take_spare()
            if spare is not None:
                self._add(spare)
                return spare
        if host.slow_run is not None or len(host.runs) >= CROWD:
            self._grow()
        return host

    def _grow(self) -> None:
        """All hosts have something to do: have another one, if there may be more. One is started at a
        time.
        """
        self._demand.note_crowd()
        if self._wanted < self._size and len(self._hosts) >= self._wanted and not self._closed:
            self._wanted += 1
            self._tasks.start(self._replace())

    def _add(self, host: HostConnection) -> None:
        ready_at = time.monotonic()

        def finished() -> None:
            if len(self._hosts) > self._wanted and not host.runs and host in self._hosts:
                self._hosts.remove(host)  # it has helped out, or was one of many
                if self._demand.is_busy:
                    self._dismiss(host)
                else:
                    self._end(host)
            self._finished()

        def lost() -> None:
            if host in self._hosts:
                self._hosts.remove(host)
            self._note_offender(host)
            self._finished()
            if not self._closed and len(self._hosts) < self._wanted:
                # One that a call has ended says nothing about the next one.
                short_lived = not host.ended_working and time.monotonic() - ready_at <= 1.0
                self._failures = self._failures + 1 if short_lived else 0
                spare = None if self._failures else self._take_spare()
                if spare is not None:
                    self._add(spare)
                else:
                    self._tasks.start(self._replace())

        if host.closed:
            self._tasks.start(self._replace())
            return
        host.on_finished, host.on_lost, host.on_slow = finished, lost, lambda: self._relieve(host)
        self._hosts.append(host)
        self._line.wake(self._runs_per_host)

    async def _replace(self) -> None:
        while not self._closed:
            if self._failures:
                await asyncio.sleep(min(MAX_BACKOFF, 0.02 * 2**self._failures))
            try:
                host = await self._spawn()
            except LoadFailure as failure:
                self._failures += 1
                _log.warning("A replacement host could not be started: %s", failure)
                continue
            if self._closed:
                await host.close()
            else:
                self._add(host)
            return

    def _finished(self) -> None:
        if self._line:
            self._line.wake()
        if self._line_apart:
            self._line_apart.wake()
        if not self._spare_is_due and self._spares and self._demand.is_busy and not self._closed:
            self._spare_is_due = True
            self._timer = asyncio.get_running_loop().call_later(SPARE_DELAY, self._need_spare)
        if self._empty is not None and not self._empty.done() and not any(h.runs for h in self._all()):
            self._empty.set_result(None)

    def _relieve(self, host: HostConnection) -> None:
        """A run on this host computes for long: whoever waits for it goes elsewhere, if there is such a
        place.
        """
        if self._spare is not None or any(other.slow_run is None for other in self._hosts):
            host.move_waiting()

    def _dismiss(self, host: HostConnection) -> None:
        """A host that is not needed where it was: it stands by, or ends."""
        host.on_finished = host.on_lost = host.on_slow = None
        if host.closed:
            return
        if self._spares and self._spare is None and not host.runs and not self._closed:
            self._stand_by(host)
        else:
            self._tasks.start(host.close())

    # After a busy time

    def _calm_down(self) -> None:
        """Give back what the busy time has taken: hosts that are not needed, and what the others hold."""
        self._wanted = self._least
        if self._is_executing and self._executors is not None:
            self._tasks.start(self._stop_executing(self._executors))
        for host in [each for each in self._hosts if not each.runs]:
            if len(self._hosts) > self._wanted:
                self._hosts.remove(host)
                self._end(host)
            elif host.has_grown():
                self._tasks.start(self._renew(host))
        spare, self._spare = self._spare, None
        if spare is not None:
            self._end(spare)
        self._spare_is_due = False

    async def _renew(self, host: HostConnection) -> None:
        """A new host in the place of one that holds much memory and runs nothing."""
        try:
            fresh = await self._spawn()
        except LoadFailure as failure:
            _log.warning("A host could not be started in the place of another one: %s", failure)
            return
        if self._closed or host.runs or host not in self._hosts:
            await fresh.close()
            return
        self._hosts.remove(host)
        self._add(fresh)
        self._end(host)

    def _end(self, host: HostConnection) -> None:
        host.on_finished = host.on_lost = host.on_slow = None
        if not host.closed:
            self._tasks.start(host.close())

    # The host that stands by

    def _take_spare(self) -> HostConnection | None:
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        spare.on_lost = None
        if not self._closed:
            self._need_spare()
        return None if spare.closed else spare

    def _stand_by(self, host: HostConnection) -> None:
        def lost() -> None:
            if self._spare is host:
                self._spare = None
                self._spare_is_due = False  # the next run asks for one again

        host.on_lost = lost
        self._spare = host

    def _need_spare(self) -> None:
        if self._spares and self._spare is None and not self._spare_is_starting and not self._closed:
            self._spare_is_starting = True
            self._tasks.start(self._start_spare())

    async def _start_spare(self) -> None:
        try:
            host = await self._spawn()
        except LoadFailure as failure:
            _log.warning("A spare host could not be started: %s", failure)
            self._spare_is_due = False
            return
        finally:
            self._spare_is_starting = False
        if self._closed:
            await host.close()
        else:
            self._dismiss(host)

    # Functions that are kept apart

    def _note_offender(self, host: HostConnection) -> None:
        path = host.ended_by
        if path is None:
            return
        self._offenders.pop(path, None)
        while len(self._offenders) >= MAX_APART:
            del self._offenders[next(iter(self._offenders))]
        self._offenders[path] = time.monotonic() + APART_SECONDS

    def _is_kept_apart(self, path: str) -> bool:
        until = self._offenders.get(path)
        if until is None:
            return False
        if until > time.monotonic():
            return True
        del self._offenders[path]
        apart = self._apart
        if not self._offenders and apart is not None and not apart.runs:
            self._apart = None
            self._dismiss(apart)
        return False

    def _apart_host(self) -> HostConnection | None:
        if self._apart is None and not self._apart_starting:
            spare = self._take_spare()
            if spare is not None:
                self._put_apart(spare)
            else:
                self._apart_starting = True
                self._tasks.start(self._start_apart())
        return self._apart

    async def _start_apart(self) -> None:
        try:
            host = await self._spawn()
        except LoadFailure as failure:
            _log.warning("A host could not be started: %s", failure)
            return
        finally:
            self._apart_starting = False
        if self._closed:
            await host.close()
        else:
            self._put_apart(host)

    def _put_apart(self, host: HostConnection) -> None:
        if host.closed:
            return

        def lost() -> None:
            if self._apart is host:
                self._apart = None
            self._note_offender(host)
            self._finished()

        host.on_finished, host.on_lost = self._finished, lost
        self._apart = host
        self._line_apart.wake(self._runs_per_host)


def _load(host: HostConnection) -> tuple[bool, int]:
    return host.slow_run is not None, len(host.runs)
