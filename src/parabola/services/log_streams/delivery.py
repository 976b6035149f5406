"""Sending a request to a log stream, again while that may help."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

from parabola.services.log_streams.stream_requests import Post
from parabola.services.threads import in_thread

__all__ = ["ATTEMPTS", "FIRST_ATTEMPTS", "DeliveryFailed", "Sleep", "deliver"]

REQUEST_SECONDS: Final = 30.0
ATTEMPTS: Final = 6
FIRST_ATTEMPTS: Final = 3
"""Of the event by which a stream shows that it takes some."""
LONGEST_PAUSE_SECONDS: Final = 60.0
_WORTH_ANOTHER: Final = frozenset({408, 421, 425, 429})

Sleep = Callable[[float], Awaitable[None]]


class DeliveryFailed(Exception):
    """A stream has not taken a request. The text says why, and holds no secret."""


async def deliver(post: Post, attempts: int, first_pause: float, sleep: Sleep = asyncio.sleep) -> None:
    """Send a request until it is taken, up to so many times, with pauses that double from `first_pause`
    seconds on. Nothing is sent elsewhere, whatever the answer says. Raises `DeliveryFailed`.
    """
    reason = ""
    for attempt in range(attempts):
        if attempt:
            pause = min(first_pause * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
            await sleep(pause * random.uniform(0.5, 1.0))
        try:
            status = await _send(post)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = type(error).__name__  # its text may hold the address, and that a key
            continue
        if status < 300:
            return
        if status < 500 and status not in _WORTH_ANOTHER:
            raise DeliveryFailed(f"endpoint rejected the request with status {status}")
        reason = f"endpoint returned status {status}"
    raise DeliveryFailed(f"gave up after {attempts} attempts, last failure: {reason}")


async def _send(post: Post) -> int:
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    certificates = await in_thread(ssl.create_default_context) if post.url.startswith("https:") else None
    connector = aiohttp.TCPConnector(ssl=True if certificates is None else certificates)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
        session.post(post.url, data=post.body, headers=post.headers, allow_redirects=False) as response,
    ):
        return response.status
