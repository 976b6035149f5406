"""Removing what is too old to be kept, from time to time."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.upkeep.members import Members

__all__ = ["Retention"]


class Retention(ABC):
    """Removes what is too old until closed. A look that fails is followed by the next one."""

    def __init__(self, name: str, seconds: float, members: Members | None = None) -> None:
        """`name` is that of the task, `seconds` are between two looks. With `members` one of these does it
        for all.
        """
        self._name = name
        self._members = members
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with what is too old already."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(ParabolaError):
                if self._members is None or await self._members.is_keeper():
                    await self.run_once()
            await asyncio.sleep(self._seconds)

    @abstractmethod
    async def run_once(self) -> None:
        """Remove all that is too old now."""
