"""Closed-loop load: so many clients, each doing one thing after another for a given time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def run_clients(
    clients: int, seconds: float, once: Callable[[int], Awaitable[object]], *, warm_up: int = 8
) -> float:
    """Calls of `once(client)` a second, over `clients` loops for `seconds`, after a few to warm up."""
    for client in range(min(clients, warm_up)):
        await once(client)
    done = 0
    start = time.perf_counter()
    end = start + seconds

    async def loop(client: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await once(client)
            done += 1

    await asyncio.gather(*(loop(client) for client in range(clients)))
    return done / (time.perf_counter() - start)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
