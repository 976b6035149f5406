"""What derived indexes keep of the uncommitted writes of one transaction, each found once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from parabola.database.derived.segments.background import LARGE, Breaks

if TYPE_CHECKING:
    from parabola.database.commits.overlay import PendingWrite
    from parabola.database.model.documents import Document
    from parabola.database.model.searches import EntryOf

__all__ = ["PendingEntries"]


class PendingEntries:
    """Of each index the entries of what was pending when it was last searched."""

    def __init__(self) -> None:
        self._known: defaultdict[int, dict[str, tuple[Document | None, Any]]] = defaultdict(dict)

    async def of(self, index_id: int, entry_of: EntryOf, writes: Iterable[PendingWrite]) -> Mapping[str, Any]:
        """The entry of each document with a pending write, None for deletions; with turns for others.

        It is what was pending when this was called.
        """
        known, breaks = self._known[index_id], Breaks()
        entries: dict[str, Any] = {}
        for write in tuple(writes):
            document, entry = known.get(write.id, (None, None))
            if write.new is not None and document is not write.new:
                if len(write.new.raw) > LARGE:
                    entry = await asyncio.to_thread(entry_of, write.new.value)
                else:
                    entry = entry_of(write.new.value)
                    await breaks.step()
                known[write.id] = write.new, entry
            entries[write.id] = None if write.new is None else entry
        return entries
