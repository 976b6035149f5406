"""The end of a server: nothing new is taken, what runs is waited for, and what takes too long is cut.

Everybody hears of it. What is cut is answered with status 503 over HTTP. On a socket an action is answered
with its failure, since some clients would start it again on the next connection; queries and mutations are
not answered, which makes clients bring them to the next server: nothing of them took effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from aiohttp import web

from parabola.functions.calls.running_calls import RunningCall, RunningCalls
from parabola.server.http.open_requests import OpenRequests
from parabola.server.sync.server import SyncServer

__all__ = ["GOODBYE_SECONDS", "EndingBackend", "shut_down"]

GOODBYE_SECONDS: Final = 1.0
"""How long answers to what was cut may take to leave."""
_LOOK_SECONDS: Final = 0.01


class EndingBackend(Protocol):
    """A backend that runs calls, of clients and by itself."""

    @property
    def running(self) -> RunningCalls: ...
    def hold_jobs(self) -> None: ...
    async def jobs_idle(self) -> None: ...


async def shut_down(
    backend: EndingBackend,
    runners: Sequence[web.AppRunner],
    requests: OpenRequests,
    sync: Sequence[SyncServer],
    seconds: float,
) -> list[RunningCall]:
    """Ends a server that runs, within `seconds` and a little; the calls that had to be cut."""
    requests.stopping.set()
    backend.hold_jobs()
    for runner in runners:
        for site in list(runner.sites):
            await site.stop()
        if runner.server is not None:
            runner.server.pre_shutdown()
    for each in sync:
        each.leave()
    jobs = asyncio.create_task(backend.jobs_idle())

    def is_idle() -> bool:
        return jobs.done() and not requests.count and all(each.is_idle for each in sync)

    cut: list[RunningCall] = []
    try:
        if not await _until(is_idle, seconds):
            cut = backend.running.cut()
            await _until(is_idle, GOODBYE_SECONDS)
        for each in sync:
            each.go_away()
        requests.cut()
        await _until(is_idle, GOODBYE_SECONDS)
    finally:
        jobs.cancel()
    for each in sync:
        await each.close()
    for runner in runners:
        await runner.cleanup()
    return cut


async def _until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes to hold within so many seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    await asyncio.sleep(0)
    while not holds():
        if loop.time() >= until:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
