"""Giving up memory for what nobody has wanted for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parabola.services.retention import Retention

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.functions.queries.query_cache import QueryCache

__all__ = ["UNUSED_SECONDS", "IdleMemory"]

UNUSED_SECONDS: Final = 120.0
"""What nobody has wanted for so long is forgotten before twice as much has passed."""


class IdleMemory(Retention):
    """Keeps caches to what is in use, until closed: their sizes are for busy times."""

    def __init__(self, database: Database, query_cache: QueryCache, seconds: float = UNUSED_SECONDS) -> None:
        super().__init__("idle memory", seconds)
        self._database = database
        self._query_cache = query_cache

    async def run_once(self) -> None:
        """Forget what was not wanted since the last time."""
        await self._query_cache.forget_unused()
        await self._database.forget_unused(self._seconds)
