"""The turns that sockets are to take: one callback of the event loop for many of them.

A commit is heard by every socket that holds what it has changed, and a thousand callbacks cost more than
what most of them do. But what they write leaves when the event loop goes round: so it does after each fifty,
and the first clients read while the others are still written to.
"""

from __future__ import annotations

import asyncio
import contextvars
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
    """Who is to take a turn soon: after everybody has heard of what has just happened.

    What a turn begins is not part of what has led to it: it has the context variables of the server.
    """

    __slots__ = ("_backend", "_context", "_due")

    def __init__(self, backend: ServedBackend) -> None:
        self._backend = backend
        self._context = contextvars.copy_context()
        self._due: deque[TurnTaker] = deque()

    def add(self, taker: TurnTaker) -> None:
        """One more; who is among them must not come again before its turn."""
        if not self._due:
            self._take_soon()
        self._due.append(taker)

    def _take_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._take, context=self._context)

    def _take(self) -> None:
        waiting = self._due
        due = [waiting.popleft() for _ in range(min(TURNS_AT_ONCE, len(waiting)))]
        if waiting:
            self._take_soon()
        durable_ts = self._backend.durable_ts
        for taker in due:
            try:
                taker.turn(durable_ts)
            except Exception:  # the others would not come again without their turn
                _log.exception("A socket could not take its turn")
