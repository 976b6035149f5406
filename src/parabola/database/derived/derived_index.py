"""One derived index while the server runs: built from the documents, then fed by the commits that follow.

It is built as of the timestamp `base_ts`, while later commits wait in a queue. What is queued is applied by
the first search that needs it, or in the background. A search at a timestamp that is not built yet waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parabola.database.derived.definitions import Definition, open_structure
from parabola.database.derived.entries import EntryChange
from parabola.database.derived.segments.background import LARGE, Breaks
from parabola.database.model.errors import ConflictError, StorageError, StorageFailed
from parabola.database.model.indexes import Index, id_key
from parabola.database.model.intervals import Interval
from parabola.values.errors import OutOfRetention

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.derived.definitions import Structure
    from parabola.database.model.documents import Revision
    from parabola.database.model.searches import SearchedChange

__all__ = ["DerivedIndex", "take_entries"]

_log: Final = logging.getLogger(__name__)

ROWS: Final = 200
"""Documents read at once."""
TIMES: Final = 10_000
"""Timestamps of documents read at once."""
SCAN_SHARE: Final = 0.25
"""Share of a table from which on missing documents are looked for by reading all of it."""
RETRY_SECONDS: Final = 1.0
"""Pause after reading failed."""


class DerivedIndex:
    """A text or vector index of one table. Belongs to the event loop of its database."""

    def __init__(
        self,
        database: Database,
        index: Index,
        definition: Definition,
        base_ts: int,
        directory: Path | None,
        on_built: Callable[[DerivedIndex], None],
    ) -> None:
        self.index = index
        self.definition = definition
        self.base_ts = base_ts
        self.structure: Structure | None = None
        """What answers searches; None until it is built."""
        self._database = database
        self._directory = directory
        self._queue: deque[tuple[int, SearchedChange]] = deque()
        self._on_built = on_built
        self._is_lost = False
        self._build_task = asyncio.get_running_loop().create_task(self._build_until_done())

    # Feeding

    def append(self, ts: int, change: SearchedChange) -> None:
        """A commit has changed a document of the table."""
        self._queue.append((ts, change))

    def take_back(self, kept_ts: int) -> None:
        """The commits after `kept_ts` are no more."""
        while self._queue and self._queue[-1][0] > kept_ts:
            self._queue.pop()
        if self.structure is not None:
            self.structure.take_back(kept_ts)

    def forget_before(self, ts: int) -> None:
        """Nobody reads at an earlier timestamp any more."""
        if self.structure is not None:
            self.structure.forget_before(ts)

    async def apply(self, through_ts: int) -> None:
        """Takes in what is queued up to a timestamp, with turns for others in between."""
        structure = self.structure
        assert structure is not None
        queue, index_id, breaks = self._queue, self.index.index_id, Breaks()
        while queue and queue[0][0] <= through_ts:
            first = queue[0]
            ts, change = first
            if change.new is not None and len(change.new.raw) > LARGE:
                entry = await asyncio.to_thread(change.new_entry, index_id)
                if not queue or queue[0] is not first:
                    continue  # taken in by somebody else meanwhile, or taken back
            else:
                entry = change.new_entry(index_id)
            queue.popleft()
            # For a moment half a commit is there: nobody searches at its timestamp before all of it is.
            structure.apply(ts, [EntryChange(change.id, entry)])
            await breaks.step()

    @property
    def is_behind(self) -> bool:
        """Whether commits wait to be taken in."""
        return bool(self._queue)

    # Searching

    async def at(self, ts: int) -> Structure:
        """What to search as of a timestamp, once it has all commits up to there.

        Raises `OutOfRetention` for a timestamp from before the index was built or when it is dropped
        meanwhile, `ConflictError` when the commit that made it is lost, and what kept it from being built.
        """
        if self.structure is None:
            await asyncio.wait([self._build_task])
            if self._is_lost:
                raise ConflictError(f"The search index {self.index.name} could not be stored; run it again.")
            if self._build_task.cancelled():
                raise OutOfRetention(f"The search index {self.index.name} was dropped; run it again.")
            self._build_task.result()
            assert self.structure is not None
        if ts < self.base_ts:
            raise OutOfRetention(
                "The snapshot that is being read is older than this search index. Run the function again at "
                "a newer one."
            )
        if self._queue and self._queue[0][0] <= ts:
            await self.apply(ts)
        assert self.structure is not None
        return self.structure

    # Building

    async def _build_until_done(self) -> None:
        while True:
            try:
                await self._build()
            except ConflictError:
                self._is_lost = True
                return
            except StorageFailed:
                raise
            except StorageError:
                await asyncio.sleep(RETRY_SECONDS)
            except OutOfRetention:
                _log.exception("building index %s failed", self.index.name)
                raise
            else:
                self._on_built(self)
                return

    async def _build(self) -> None:
        database, tablet_id = self._database, self.index.tablet_id
        await database.wait_durable(self.base_ts)
        with database.keep_history(self.base_ts):
            live: dict[str, int] = {}
            rest: Interval | None = Interval.everything()
            while rest is not None:
                times = await database.persistence.revision_times(tablet_id, rest, self.base_ts, TIMES)
                live.update((_id_of(key), ts) for key, ts in times)
                rest = None if times.exhausted else rest.after(times[-1][0])
                await asyncio.sleep(0)
            structure, missing = await open_structure(self.definition, self._directory, live, self.base_ts)
            if len(missing) > SCAN_SHARE * len(live):
                await self._fill_from_all(structure, set(missing))
            else:
                await self._fill_from(structure, missing)
            structure.filled()
        self.structure = structure

    async def _fill_from_all(self, structure: Structure, missing: set[str]) -> None:
        database = self._database
        rest: Interval | None = Interval.everything()
        while rest is not None:
            rows = await database.documents_at(self.index.tablet_id, rest, self.base_ts, ROWS)
            await self._fill(structure, [row for _, row in rows if row.id in missing])
            rest = None if rows.exhausted else rest.after(rows[-1][0])
            await asyncio.sleep(0)

    async def _fill_from(self, structure: Structure, missing: list[str]) -> None:
        for at in range(0, len(missing), ROWS):
            found = [
                await self._database.persistence.get(self.index.tablet_id, id, self.base_ts)
                for id in missing[at : at + ROWS]
            ]
            await self._fill(structure, [revision for revision in found if revision is not None])

    async def _fill(self, structure: Structure, revisions: Iterable[Revision]) -> None:
        breaks = Breaks()
        for revision in revisions:
            if len(revision.raw) > LARGE:
                entry = await asyncio.to_thread(self._entry_of, revision)
            else:
                entry = self._entry_of(revision)
            structure.fill([(revision.id, revision.ts, entry)])
            await breaks.step()
        # So that neither memory nor what a crash undoes grows with the table.
        await structure.tidy(self.base_ts)

    def _entry_of(self, revision: Revision) -> Any:
        return self.definition.entry(revision.decoded())

    async def tidy(self) -> None:
        """Seals, saves and rewrites what is due."""
        if self.structure is not None:
            await self.structure.tidy(self._database.saved_ts)

    async def wait_built(self) -> None:
        """Returns when it can be searched, or never will."""
        await asyncio.wait([self._build_task])

    async def close(self) -> None:
        """Saves what is not saved yet, if it was built."""
        self._build_task.cancel()
        await asyncio.wait([self._build_task])
        if self.structure is not None:
            await self.apply(self._database.saved_ts)
            await self.structure.close(self._database.saved_ts)

    def discard(self, *, is_lost: bool = False) -> None:
        """Stops building; nothing is kept. `is_lost` if the commit that made the index is."""
        self._is_lost = is_lost
        self._build_task.cancel()


async def take_entries(searched: Iterable[SearchedChange]) -> None:
    """Finds what derived indexes keep of both versions of each document, with turns for others."""
    breaks = Breaks()
    for change in searched:
        index_id = next(iter(change.index_ids))  # of all of them at once
        if change.weight > LARGE:
            await asyncio.to_thread(change.entries, index_id)
        else:
            change.entries(index_id)
        await breaks.step()


def _id_of(key: bytes) -> str:
    """The id that a key of `by_id` is of (`id_key`)."""
    id = key[1:-1].decode()
    assert id_key(id) == key
    return id
