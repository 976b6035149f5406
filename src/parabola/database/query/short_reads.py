"""Reads of an index that are over with their first batch: most of all, on a way without a stream.

What such a read answers, records and counts is what a `QueryStream` does for the same query and the same
batch. Where it cannot be sure of that, because there may be more, because of a limit or of writes of its own
in the range, it has done nothing, and the stream has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval, OpenRead
from parabola.database.query.range_plans import RangePlan
from parabola.database.store.persistence import Order

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot

__all__ = ["BATCH", "MAX_BATCH", "ShortRead"]

BATCH: Final = 100
"""Rows fetched at once unless a limit or the caller wants another number (js-runtime 3.8)."""

MAX_BATCH: Final = 1024


class ShortRead:
    """The rows of a query that is over. `unconsume` gives back those that its function has not used."""

    done = True

    __slots__ = ("_closed", "_interval", "_order", "_plan", "_read", "_tx", "rows")

    def __init__(
        self,
        tx: Snapshot,
        plan: RangePlan,
        interval: Interval,
        order: Order,
        rows: list[tuple[bytes, Revision]],
        read: OpenRead,
    ) -> None:
        self._tx = tx
        self._plan = plan
        self._interval = interval
        self._order = order
        self.rows = rows
        """The keys in the index, and what is stored there."""
        self._read = read
        self._closed = False

    @property
    def texts(self) -> list[bytes]:
        """The documents, as their canonical JSON."""
        return [revision.raw for _, revision in self.rows]

    @property
    def rows_read(self) -> int:
        """Rows that were looked at."""
        return len(self.rows)

    def unconsume(self, k: int) -> None:
        """Ends it: its last `k` documents were fetched for the caller, who never used them."""
        if self._closed:
            return
        self._closed = True
        if k > 0:
            rows, interval = self.rows, self._interval
            kept = max(len(rows) - k, 0)
            dropped = rows[kept:]
            self._tx.uncount_documents(
                self._plan.table, len(dropped), sum([revision.size for _, revision in dropped])
            )
            del rows[kept:]
            if not kept:
                self._read.interval = None
            else:
                last = rows[-1][0]
                self._read.interval = (
                    interval.through(last) if self._order == "asc" else interval.starting_at(last)
                )
        self._tx.close_read(self._read)
