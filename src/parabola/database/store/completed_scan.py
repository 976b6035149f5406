"""A scan of a store, completed by changes that the store does not hold (yet)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval
from parabola.database.store.persistence import Order, Rows, covered_by

__all__ = ["completed_scan"]


def completed_scan(
    scan: Callable[[Interval], Rows[tuple[bytes, Revision]]],
    changes: Callable[[Interval], Mapping[bytes, Revision | None]],
    interval: Interval,
    order: Order,
    limit: int,
) -> Rows[tuple[bytes, Revision]]:
    """The next at most `limit` entries of an interval. `scan` answers those that are stored, `changes` what
    the keys of an interval lead to instead: None where they lead nowhere any more.
    """
    while True:
        rows = scan(interval)
        covered, rest = covered_by(rows, interval, order)
        changed = changes(covered)
        if changed:
            merged: dict[bytes, Revision | None] = dict(rows)
            merged.update(changed)
            found = [(key, revision) for key, revision in merged.items() if revision is not None]
            found.sort(key=itemgetter(0), reverse=order == "desc")
            rows = Rows(found, exhausted=rest is None)
        if rows or rest is None:
            return Rows(rows[:limit], exhausted=False) if len(rows) > limit else rows
        interval = rest  # all that is stored of it is gone
