"""Jobs that ran on a node which is gone: somebody must say that they have ended.

Looked for at a start, and whenever members have come or gone. Of a component one node does it, so that not
all write the same; which one that is follows from the members as well, so it is another one if that one goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from parabola.functions.deployed.component_rows import components_with_tables
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.database import Database

__all__ = ["Interrupted"]

RETRY_SECONDS: Final = 1.0

_log: Final = logging.getLogger(__name__)


class Interrupted:
    """Looks for one kind of jobs: `fail` has those of a component ended."""

    def __init__(self, database: Database, fail: Callable[[str], Awaitable[None]]) -> None:
        self._database = database
        self._fail = fail
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        database.members.on_change(self._changed.set)

    async def start(self) -> None:
        """Look now, and from here on whenever there is a reason."""
        await self._look()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _look(self) -> None:
        for component_id in components_with_tables(self._database.registry):
            if self._database.members.owns(f"interrupted {component_id}"):
                await self._fail(component_id)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._look()
            except ParabolaError as error:
                _log.warning("Jobs of a node that is gone are not yet ended: %s", error)
                self._changed.set()
                await asyncio.sleep(RETRY_SECONDS)
