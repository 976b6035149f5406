"""What is due on this node, of several that share the work (`Members.owns`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

__all__ = ["own"]

AT_ONCE: Final = 1000
"""Rows that are looked at by one question."""
LOOKED_AT: Final = 10_000
"""Rows that are looked at in all, where nearly everything is other nodes' work."""


class HasId(Protocol):
    """A row."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=HasId)

Between = Callable[[int, int, int], Awaitable[list[R]]]
"""The rows that are due after one time and at or before another, the earliest first; at most so many."""


async def own(
    owns: Callable[[str], bool], most: int, between: Between[R], now: int, due: Callable[[R], int]
) -> list[R]:
    """What is due by now and this node's, the earliest first: at most so much."""
    found: list[R] = []
    after, looked_at, at_once = 0, 0, most
    while True:
        rows = await between(after, now, at_once)
        found += [row for row in rows if owns(row.id)]
        looked_at += len(rows)
        if len(found) >= most or len(rows) < at_once or looked_at >= LOOKED_AT:
            return found[:most]
        # Several may be due at the same moment: those of the last one are looked at once more.
        last = due(rows[-1])
        if due(rows[0]) == last:
            at_once *= 4
            found = [row for row in found if due(row) < last]
            continue
        found = [row for row in found if due(row) < last]
        after, at_once = last - 1, max(at_once, AT_ONCE)
