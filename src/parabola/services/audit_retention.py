"""Forgetting lines of the audit log that are older than an operator wants to keep them (js-runtime 1.7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.outcomes.audit_lines import AUDIT_LINES
from parabola.services.retention import Retention
from parabola.services.settings import ServiceSettings

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["AuditRetention", "remove_old_lines"]

CLEANING_SECONDS: Final = 3600.0
"""Between two looks."""
BATCH: Final = 500
"""Lines of one transaction."""
_SOURCE: Final = "audit log retention"


class AuditRetention(Retention):
    """Removes old lines from time to time, until closed."""

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        super().__init__(_SOURCE, CLEANING_SECONDS, database.members)
        self._database = database
        self._settings = settings

    async def run_once(self) -> None:
        """Remove all that is too old now."""
        before_ms = self._database.clock_before(self._settings.audit_lines_seconds) / 1e6
        while await self._database.transact(partial(remove_old_lines, before_ms=before_ms), source=_SOURCE):
            pass


async def remove_old_lines(tx: Transaction, before_ms: float) -> int:
    """Remove lines written before a time (ms); how many there were, at most `BATCH`."""
    source: dict[str, Any] = {
        "type": "IndexRange",
        "indexName": f"{AUDIT_LINES}.by_creation_time",
        "range": [{"type": "Lt", "fieldPath": "_creationTime", "value": before_ms}],
        "order": "asc",
    }
    rows = await tx.query_system({"source": source, "operators": [{"limit": BATCH}]}).collect()
    for row in rows:
        await tx.delete_system(row.id)
    return len(rows)
