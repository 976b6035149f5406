"""What commits wrote and which live queries they had run again, by table and minute.

A commit is looked at once it is published, when nobody waits for it any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from parabola.services.observability.minute_counts import MinuteCounts

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.functions.queries.query_cache import CachedResult

__all__ = ["Invalidation", "TableMetrics"]


class Invalidation(NamedTuple):
    """Results that a commit has ended: who wrote, and in which table."""

    writer: str
    table: str


class TableMetrics:
    """Counts of tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ended: list[tuple[CachedResult, int]] = []
        self.rows_written: MinuteCounts[str] = MinuteCounts()
        self.invalidations: MinuteCounts[Invalidation] = MinuteCounts()

    def note_ended(self, cached: CachedResult, ts: int) -> None:
        """The commit at `ts` is being published, and has ended a result that somebody holds."""
        self._ended.append((cached, ts))

    def note_commit(self, writes: WriteSet, ts: int, minute: int) -> None:
        """A commit was published, in a minute since 1970."""
        ended, self._ended = self._ended, []
        tables = {}
        for change in writes.changes:
            if not change.table.is_system:
                tables[change.table.tablet_id] = change.table
                self.rows_written.add(change.table.name, minute)
        if not ended or not tables:
            return
        written = writes.keys.keys()
        for tablet_id, table in tables.items():
            indexes = {index.index_id for index in self._database.registry.indexes(tablet_id)} & written
            number = sum(at == ts and _has_read(cached, indexes) for cached, at in ended)
            if number:
                self.invalidations.add(Invalidation(writes.source, table.name), minute, float(number))


def _has_read(cached: CachedResult, indexes: set[int]) -> bool:
    """Whether a result has read in one of these indexes."""
    reads = cached.result.read_set
    return reads is not None and not indexes.isdisjoint(reads.by_index)
