"""A loop that starts what has become due, and sleeps until the next thing does.

It reads the database like any live query: the read set of its last look says exactly which commits concern
it, so it neither polls nor misses anything. One look fetches work for many starts: with thousands of things
due, what is next is in memory when a place gets free.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.commits.subscriptions import Token
    from parabola.database.database import Database
    from parabola.database.snapshot import Snapshot

__all__ = ["Due", "DueLoop"]

LONGEST_SLEEP_SECONDS: Final = 60.0
"""The wall clock may be set while the loop sleeps."""
FAULT_PAUSE_SECONDS: Final = 1.0
AHEAD: Final = 4
"""How many times as much as can run at once is fetched by one look."""

_log: Final = logging.getLogger(__name__)


class Due(Struct, frozen=True):
    """What one look has found: what is due, as (id, how to run it), and when the next thing will be."""

    work: list[tuple[str, Callable[[], Awaitable[None]]]] = []
    next_ts: int | None = None


Work = Callable[[], Awaitable[None]]
Look = Callable[["Snapshot", int, int], Awaitable[Due]]
"""Takes a snapshot, the current time in nanoseconds and how many due things are of interest, those that run
among them. What it finds may have changed when it is run.
"""


class DueLoop:
    """Runs what `look` finds due, at most `concurrency` at a time, each id once at a time."""

    def __init__(
        self,
        database: Database,
        look: Look,
        concurrency: int,
        name: str,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """`forget` has the next look look at everything, where looks remember what cannot have changed."""
        self._database = database
        self._forget = forget
        self._look = look
        self._concurrency = concurrency
        self._name = name
        self._running: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, Work] = {}
        self._changed = asyncio.Event()
        self._closing = False
        self._holding = False
        self._is_paused = False
        self._task: asyncio.Task[None] | None = None
        self._subscription: Token | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    def wake(self) -> None:
        """Look again at once."""
        self._changed.set()

    def hold(self) -> None:
        """Start nothing more; what runs goes on."""
        self._holding = True
        self._waiting.clear()

    def pause(self, is_paused: bool) -> None:
        """Start nothing more while the deployment is paused; what is due then is started afterwards."""
        self._is_paused = is_paused
        if is_paused:
            self._waiting.clear()
        else:
            self.wake()

    async def idle(self) -> None:
        """Returns when nothing runs."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def settle(self) -> int | None:
        """Returns when nothing runs and nothing is due, or that is paused: when the next thing will be,
        in ns since 1970.
        """
        while True:
            self._forget()
            due = await self._look(self._database.begin(), self._database.now_ts(), self._concurrency)
            if (self._is_paused or not due.work) and not self._running and not self._waiting:
                return due.next_ts
            self._changed.set()
            await asyncio.wait(self._running.values() or [asyncio.ensure_future(asyncio.sleep(0))])

    async def close(self) -> None:
        """Start nothing more and stop what runs; the next start begins it again, or finds it interrupted."""
        self._closing = True
        tasks = [*self._running.values(), *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                pause = await self._turn()
            except ParabolaError as error:
                _log.warning("%s: %s", self._name, error)
                pause = FAULT_PAUSE_SECONDS
            except Exception:
                _log.exception("%s failed", self._name)
                pause = FAULT_PAUSE_SECONDS
            # Not `wait_for`: in Python 3.11 it loses a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    async def _turn(self) -> float:
        """Look once if something could be started, and start it; how many seconds to sleep."""
        if self._holding or self._is_paused or self._waiting or len(self._running) >= self._concurrency:
            return LONGEST_SLEEP_SECONDS  # the next one that ends sees to it
        snapshot = self._database.begin()
        due = await self._look(
            snapshot, self._database.now_ts(), AHEAD * self._concurrency + len(self._running)
        )
        self._waiting = {id: run for id, run in due.work if id not in self._running}
        self._start_waiting()
        subscriptions = self._database.subscriptions
        if self._subscription is not None:
            subscriptions.drop(self._subscription)
        self._subscription = subscriptions.subscribe(
            snapshot.read_set, snapshot.begin_ts, lambda _ts: self._changed.set()
        )
        if due.next_ts is None:
            return LONGEST_SLEEP_SECONDS
        return min(max((due.next_ts - self._database.now_ts()) / 1e9, 0.0), LONGEST_SLEEP_SECONDS)

    def _start_waiting(self) -> None:
        while self._waiting and not self._holding and len(self._running) < self._concurrency:
            id = next(iter(self._waiting))
            task = self._running[id] = asyncio.create_task(self._attend(self._waiting.pop(id)))
            task.add_done_callback(partial(self._ended, id))

    async def _attend(self, run: Work) -> None:
        try:
            await run()
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("%s: a job could not be run", self._name)

    def _ended(self, id: str, _task: asyncio.Task[None]) -> None:
        self._running.pop(id, None)
        if not self._closing:
            self._start_waiting()
        if not self._waiting:
            self._changed.set()
