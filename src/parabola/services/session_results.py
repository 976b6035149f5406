"""Forgetting the results of mutations that no client will ask about again (semantics 5.6).

Every mutation of the sync protocol leaves a row, so that sending it again after a reconnect has no effect.
Without an end to that the database would grow with every mutation there ever was.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

from parabola.functions.session_requests import RETENTION_DAYS, TABLE
from parabola.services.transactions import transact
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["SessionResults", "remove_old_results"]

KEPT_MS: Final = RETENTION_DAYS * 24 * 3600 * 1000.0
CLEANING_SECONDS: Final = 1800.0
"""Between two looks."""
BATCH: Final = 200
"""Rows of one transaction."""
_SOURCE: Final = "session results"


class SessionResults:
    """Removes old results from time to time, until closed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with what is too old already."""
        self._task = asyncio.create_task(self._run(), name="session results")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(ParabolaError):
                before_ms = self._database.now_ts() / 1e6 - KEPT_MS
                remove = partial(remove_old_results, before_ms=before_ms, limit=BATCH)
                while await transact(self._database, _SOURCE, remove):
                    pass
            await asyncio.sleep(CLEANING_SECONDS)


async def remove_old_results(tx: Transaction, before_ms: float, limit: int) -> int:
    """Remove results of mutations that committed before a time; how many there were, at most `limit`."""
    source = {
        "type": "IndexRange",
        "indexName": f"{TABLE}.by_creation_time",
        "range": [{"type": "Lt", "fieldPath": "_creationTime", "value": before_ms}],
        "order": "asc",
    }
    rows = await tx.query_system({"source": source, "operators": [{"limit": limit}]}).collect()
    for row in rows:
        await tx.delete_system(row.id)
    return len(rows)
