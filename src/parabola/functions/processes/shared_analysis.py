"""The analysis of many modules, by all hosts that have loaded them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import LoadFailure
from parabola.values.analyzed_modules import ModulesAnalysis, read_modules_analysis

__all__ = ["TOGETHER", "analyze_together"]

TOGETHER: Final = 8
"""Modules that one host is asked about at a time."""
LOOK_SECONDS: Final = 0.25
"""How often it is looked whether another host has become ready."""


async def analyze_together(
    hosts: Callable[[], Sequence[HostConnection]],
    paths: Sequence[str],
    take: Callable[[ModulesAnalysis], None],
) -> None:
    """Hand what the modules of `paths` define to `take`, in parts. `hosts` are those that are ready now.
    Raises `LoadFailure`; what was found until then has been taken.
    """
    waiting = deque(list(paths[start : start + TOGETHER]) for start in range(0, len(paths), TOGETHER))

    async def work(host: HostConnection) -> None:
        while waiting and not host.closed:
            take(read_modules_analysis(await host.analyze("modules", paths=waiting.popleft())))

    working: dict[HostConnection, asyncio.Task[None]] = {}
    try:
        while True:
            for host in hosts():
                if waiting and host not in working:
                    working[host] = asyncio.ensure_future(work(host))
            for task in working.values():
                if task.done():
                    task.result()
            under_way = [task for task in working.values() if not task.done()]
            if not under_way:
                if waiting:
                    raise LoadFailure("The hosts ended before the modules were analysed. Push again.")
                return
            await asyncio.wait(under_way, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in working.values():
            task.cancel()
        await asyncio.gather(*working.values(), return_exceptions=True)
