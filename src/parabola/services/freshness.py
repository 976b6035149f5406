"""What one of several nodes may say: nothing that is older than what clients have been told elsewhere.

Without a shared log everything is as new as it can be, and nothing here waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from parabola.values.errors import NodeBehind, NodeCutOff, SystemFault

if TYPE_CHECKING:
    from parabola.database.database import Database

__all__ = ["CATCH_UP_SECONDS", "REACH_SECONDS", "Freshness"]

CATCH_UP_SECONDS: Final = 3.0
"""So long the shared log may take to say what is new."""
REACH_SECONDS: Final = 5.0
"""So long a node may take to come to a timestamp that a client has seen."""


class Freshness:
    """How new the data of a node is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._contact = database.contact

    @property
    def is_shared(self) -> bool:
        """Whether other nodes write to the same data."""
        return self._contact is not None

    @property
    def fault(self) -> SystemFault | None:
        """Why nobody may be served here now; None where all is well."""
        if self._contact is not None and self._contact.is_cut_off:
            return _closed() if self._contact.is_closed else _cut_off()
        return None

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` whenever `fault` may have come or gone. Returns the undoing."""
        if self._contact is None:
            return lambda: None
        return self._contact.on_change(callback)

    async def catch_up(self) -> None:
        """Returns when everything can be read here that was acknowledged anywhere before the call.

        Raises `NodeCutOff` where that cannot be found out, `NodeBehind` where it takes too long.
        """
        if self._contact is None:
            return
        self._check()
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await self._database.catch_up()
        except TimeoutError:
            self._check()
            if self._contact.is_silent:
                raise _cut_off() from None
            raise _behind() from None
        except SystemFault:
            self._check()
            raise
        self._check()  # the log may have said that it is closed

    async def reach(self, ts: int) -> None:
        """Like `catch_up`; also returns not before `ts` can be read, which a client has been shown."""
        if self._contact is None:
            return
        await self.catch_up()
        if self._database.durable_ts < ts:
            try:
                async with asyncio.timeout(REACH_SECONDS):
                    await self._database.reach(ts)
            except TimeoutError:
                self._check()
                raise _behind() from None

    def _check(self) -> None:
        fault = self.fault
        if fault is not None:
            raise fault


def _cut_off() -> NodeCutOff:
    return NodeCutOff(
        "This node does not reach the log that it shares with others, so it cannot tell what is new. Nothing "
        "was run. Ask again: another node answers."
    )


def _closed() -> NodeCutOff:
    return NodeCutOff(
        "The log that this node shared with others is closed: the deployment has moved to a server that is "
        "alone. Nothing was run. Ask that one."
    )


def _behind() -> NodeBehind:
    return NodeBehind(
        "This node has not taken in yet what others have written. Nothing was run. Ask again, after a moment."
    )
