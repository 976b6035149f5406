"""Forgetting the results of mutations that no client will ask about again (semantics 5.6).

Every mutation of the sync protocol leaves a row, so that sending it again after a reconnect has no effect.
Without an end to that the database would grow with every mutation there ever was. Ages are by the time in
which the server runs: a clock that jumps must not make a mutation take effect twice.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.calls.session_requests import TABLE, SessionResult
from parabola.services.retention import Retention
from parabola.services.settings import ServiceSettings

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["SessionResults", "remove_old_results", "remove_unchanged_results"]

CLEANING_SECONDS: Final = 1800.0
"""Between two looks."""
BATCH: Final = 200
"""Rows of one transaction."""
_SOURCE: Final = "session results"


class SessionResults(Retention):
    """Removes old results from time to time, until closed."""

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        super().__init__(_SOURCE, CLEANING_SECONDS, database.members)
        self._database = database
        self._settings = settings
        # Creation time up to which rows were looked at for having changed nothing. What an earlier run has
        # not come to within two hours of its own is left to the end of all results.
        self._looked_at_ms = database.clock_before(2 * settings.unchanged_results_seconds) / 1e6

    async def run_once(self) -> None:
        """Remove all that is too old now."""
        database = self._database
        before_ms = database.clock_before(self._settings.mutation_results_seconds) / 1e6
        while await database.transact(partial(remove_old_results, before_ms=before_ms), source=_SOURCE):
            pass
        before_ms = database.clock_before(self._settings.unchanged_results_seconds) / 1e6
        while self._looked_at_ms < before_ms:
            remove = partial(remove_unchanged_results, after_ms=self._looked_at_ms, before_ms=before_ms)
            self._looked_at_ms = await database.transact(remove, source=_SOURCE)


async def remove_old_results(tx: Transaction, before_ms: float) -> int:
    """Remove results of mutations that committed before a time; how many there were, at most `BATCH`."""
    rows = await _rows(tx, ("Lt", before_ms))
    for row in rows:
        await tx.delete_system(row.id)
    return len(rows)


async def remove_unchanged_results(tx: Transaction, after_ms: float, before_ms: float) -> float:
    """Remove results of mutations that wrote nothing, created from one time on and before another.

    At most `BATCH` rows are looked at. Returns where to go on: `before_ms` when all were.
    """
    rows = await _rows(tx, ("Gte", after_ms), ("Lt", before_ms))
    removed = [row for row in rows if row.wrote_nothing is True]
    for row in removed:
        await tx.delete_system(row.id)
    if len(rows) < BATCH:
        return before_ms
    last_ms = rows[-1].creation_time
    # Rows of one moment may be more than are looked at; those that stay must not be looked at for ever.
    return last_ms if removed or last_ms > after_ms else math.nextafter(last_ms, math.inf)


async def _rows(tx: Transaction, *range: tuple[str, float]) -> list[SessionResult]:
    """At most `BATCH` rows within a range of creation times (ms), the oldest first."""
    source: dict[str, Any] = {
        "type": "IndexRange",
        "indexName": f"{TABLE}.by_creation_time",
        "range": [{"type": kind, "fieldPath": "_creationTime", "value": ms} for kind, ms in range],
        "order": "asc",
    }
    rows = await tx.query_system({"source": source, "operators": [{"limit": BATCH}]}).collect()
    return [SessionResult.of(row) for row in rows]
