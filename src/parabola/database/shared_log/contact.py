"""Whether the shared log answers: a node that has heard nothing of it for a while must not speak for it.

What counts is the time in which this process runs: a node that was stopped for a minute asks again before it
takes itself for cut off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from parabola.database.model.errors import StorageError
from parabola.database.shared_log.log import Head

__all__ = ["CUT_OFF_SECONDS", "Contact"]

_log: Final = logging.getLogger(__name__)

CUT_OFF_SECONDS: Final = 3.0
"""After so long without an answer a node is cut off."""
LOOK_SECONDS: Final = 0.25
ASK_SECONDS: Final = 0.5
"""Between two questions whether the log is there and open."""


class Contact:
    """The contact of one node, from `start` to `close`. `ask` asks the log for its end."""

    def __init__(self, ask: Callable[[], Awaitable[Head]]) -> None:
        self._ask = ask
        self._silent = 0.0
        self._unasked = 0.0
        self._listeners: list[Callable[[], None]] = []
        self._watching: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._is_lost = False
        self._is_over = False
        self.is_closed = False
        """The log takes no more: the deployment is somewhere else now."""

    def start(self) -> None:
        """Begins to watch."""
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    @property
    def is_silent(self) -> bool:
        """Whether the log has not answered for longer than it takes to ask it."""
        return self.is_cut_off or self._silent >= 2 * ASK_SECONDS

    @property
    def is_cut_off(self) -> bool:
        """Whether this node must not speak for the log."""
        return self._is_lost or self._is_over or self.is_closed

    def heard(self, head: Head | None = None) -> None:
        """The log has answered, perhaps with its end."""
        self._silent = 0.0
        before = self.is_cut_off
        if self._is_lost:
            self._is_lost = False
            _log.warning("the shared log answers again")
        if head is not None and head.is_closed is not self.is_closed:
            self.is_closed = head.is_closed
            if self.is_closed:
                _log.error(
                    "the shared log is closed: the deployment goes on at the server that was demoted. Unless "
                    "this is that one, stop it: it serves nobody any more."
                )
        self._tell(before)

    def lose(self) -> None:
        """What is here is not what the log says: from here on the node is cut off."""
        before, self._is_over = self.is_cut_off, True
        self._tell(before)

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` whenever `is_cut_off` has changed. Returns the undoing."""
        self._listeners.append(callback)

        def remove() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return remove

    def _tell(self, before: bool) -> None:
        if before is self.is_cut_off:
            return
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception:
                _log.exception("a listener to the contact with the shared log failed")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(LOOK_SECONDS)
            # Not more than two looks at once: then it was this process that did not run.
            passed = min(loop.time() - began, 2 * LOOK_SECONDS)
            self._silent += passed
            self._unasked += passed
            if self._unasked >= ASK_SECONDS and self._asking is None:
                self._unasked = 0.0
                self._asking = loop.create_task(self._ask_once())
            if self._silent >= CUT_OFF_SECONDS and not self._is_lost:
                before, self._is_lost = self.is_cut_off, True
                _log.error(
                    "the shared log has not answered for %g seconds: clients are sent to other nodes until "
                    "it does. Check PostgreSQL and the network between.",
                    CUT_OFF_SECONDS,
                )
                self._tell(before)

    async def _ask_once(self) -> None:
        try:
            self.heard(await self._ask())
        except StorageError:
            pass
        except Exception:
            _log.exception("asking the shared log failed")
        finally:
            self._asking = None

    async def close(self) -> None:
        """Nobody is told anything any more."""
        self._listeners.clear()
        for task in (self._watching, self._asking):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
