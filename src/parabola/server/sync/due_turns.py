"""The turns that sockets are to take: one callback of the event loop for many of them.

A commit is heard by every socket that holds what it has changed, and a thousand callbacks cost more than
what most of them do. But what they write leaves when the event loop goes round: so it does after each fifty,
and the first clients read while the others are still written to.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final, Protocol

from parabola.server.served_backend import ServedBackend

__all__ = ["TURNS_AT_ONCE", "DueTurns", "TurnTaker"]

TURNS_AT_ONCE: Final = 50

_log: Final = logging.getLogger(__name__)


class TurnTaker(Protocol):
    """A socket."""

    def turn(self, durable_ts: int) -> None:
        """Take a turn. It must not fail."""


class DueTurns:
    """Who is to take a turn soon: after everybody has heard of what has just happened."""

    __slots__ = ("_backend", "_due")

    def __init__(self, backend: ServedBackend) -> None:
        self._backend = backend
        self._due: deque[TurnTaker] = deque()

    def add(self, taker: TurnTaker) -> None:
        """One more; who is among them must not come again before its turn."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._take)
        self._due.append(taker)

    def _take(self) -> None:
        waiting = self._due
        due = [waiting.popleft() for _ in range(min(TURNS_AT_ONCE, len(waiting)))]
        if waiting:
            asyncio.get_running_loop().call_soon(self._take)
        durable_ts = self._backend.durable_ts
        for taker in due:
            try:
                taker.turn(durable_ts)
            except Exception:  # the others would not come again without their turn
                _log.exception("A socket could not take its turn")
