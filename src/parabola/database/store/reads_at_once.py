"""The reads of a store that nobody has to wait for, for those who would wait."""

from __future__ import annotations

from typing import Protocol

from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval
from parabola.database.store.persistence import Order, Rows

__all__ = ["ReadsAtOnce"]


class ReadsAtOnce(Protocol):
    """`get` and `scan` of a store by its `get_now` and `scan_now`. See `DocumentReads` for all four."""

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None: ...

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]: ...

    async def get(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        return self.get_now(tablet_id, id, ts)

    async def scan(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        return self.scan_now(index_id, interval, ts, order, limit)
