"""Waiting for what jobs do."""

from __future__ import annotations

import asyncio
from typing import Any

from client_calls import client_call
from parabola.backend import Backend


async def value(call: Any) -> Any:
    result = await call
    assert result.error is None, result.error
    return result.value


async def until(backend: Backend, path: str, args: dict[str, Any], holds: Any) -> Any:
    """Follow a query until `holds(value)`."""
    changed = asyncio.Event()
    live = backend.live_query(client_call(path, args), on_invalid=changed.set)
    try:
        async with asyncio.timeout(30):
            while True:
                changed.clear()
                found = (await live.result_at(backend.durable_ts)).value
                if holds(found):
                    return found
                await changed.wait()
    finally:
        live.close()
