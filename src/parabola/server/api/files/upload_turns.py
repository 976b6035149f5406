"""Uploads with one URL take turns: a URL is good for any number of files, but not for all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parabola.server.http.rules import ServerRules
from parabola.values.errors import Overloaded

__all__ = ["UploadTurns"]


class UploadTurns:
    """The uploads that are being received, by the token of their URL."""

    def __init__(self) -> None:
        self._received: dict[bytes, int] = {}
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def one_of(self, token: bytes, rules: ServerRules) -> AsyncIterator[None]:
        """Be one of the uploads with a token that `rules` allow at a time; wait while there are as many.

        Raises `Overloaded` when too many wait already.
        """
        if self._received.get(token, 0) < rules.uploads_per_token:
            self._received[token] = self._received.get(token, 0) + 1
        else:
            await self._wait(token, rules.waiting_uploads)
        try:
            yield
        finally:
            self._end(token)

    async def _wait(self, token: bytes, most: int) -> None:
        waiting = self._waiting.setdefault(token, [])
        if len(waiting) >= most:
            raise Overloaded(
                "Too many files are being uploaded with this URL. Upload a few at a time.",
                code="TooManyConcurrentUploads",
            )
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._end(token)  # the turn had been given just then
            else:
                waiting.remove(turn)
            raise
        finally:
            if not waiting and self._waiting.get(token) is waiting:
                del self._waiting[token]

    def _end(self, token: bytes) -> None:
        """Give the turn to who waits longest."""
        waiting = self._waiting.get(token, [])
        while waiting:
            turn = waiting.pop(0)
            if not turn.done():
                turn.set_result(None)
                return
        self._received[token] -= 1
        if not self._received[token]:
            del self._received[token]
