"""All derived indexes of a database: made and dropped with their rows, fed by every validated commit.

Nothing here is imported by a database without such indexes but this module itself; NumPy comes with the
first one.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from parabola.database.model.indexes import Index
from parabola.database.model.searches import EntryOf, SearchedChange
from parabola.values.errors import OutOfRetention

if TYPE_CHECKING:
    from pathlib import Path

    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.database.derived.definitions import Structure
    from parabola.database.derived.derived_index import DerivedIndex
    from parabola.database.model.tables import Registry

__all__ = ["DerivedIndexes"]

_log: Final = logging.getLogger(__name__)

REST_SECONDS: Final = 0.05
"""Between two turns of work in the background: commits that come together are taken in together."""


class DerivedIndexes:
    """The text and vector indexes of one database; the committer's `DerivedFeed`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._directory = database.persistence.derived_directory
        self._indexes: dict[int, DerivedIndex] = {}
        # Those that are fed, and what they keep of a document, by tablet.
        self._fed: dict[int, tuple[dict[int, EntryOf], list[DerivedIndex]]] = {}
        self._registry: Registry | None = None
        self._has_work = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._marking: set[asyncio.Task[None]] = set()

    # What the committer tells

    def append(self, write_set: WriteSet) -> None:
        """Queues the changes of a commit, which get `searched`; costs next to nothing without indexes."""
        registry = self._database.registry
        if self._fed:
            searched: list[SearchedChange] = []
            for table, id, old, new in write_set.changes:
                fed = self._fed.get(table.tablet_id)
                if fed is not None:
                    entry_of, indexes = fed
                    change = SearchedChange(id, old, new, entry_of)
                    searched.append(change)
                    for index in indexes:
                        index.append(write_set.ts, change)
            if searched:
                write_set.searched = searched
                self._has_work.set()
        if registry is not self._registry:
            self._follow(registry, write_set.ts)

    def take_back(self, kept_ts: int) -> None:
        """The commits after `kept_ts` are no more, nor are indexes that they made."""
        for index in list(self._indexes.values()):
            if index.base_ts > kept_ts:
                index.discard(is_lost=True)
                del self._indexes[index.index.index_id]
            else:
                index.take_back(kept_ts)
        self._follow(self._database.registry, kept_ts)

    async def prepare(self, searched: Sequence[SearchedChange]) -> None:
        """Takes the words of changes that live searches are to be told of, which then goes quickly."""
        watches = self._database.subscriptions.watches
        watched = [change for change in searched if watches(change.index_ids)]
        if watched:
            from parabola.database.derived.derived_index import take_entries

            await take_entries(watched)

    # Following the registry

    def start(self) -> None:
        """Opens every index there is, as of now; files of others are removed."""
        self._follow(self._database.registry, self._database.latest_ts)
        self._remove_files_but(self._indexes)

    def _follow(self, registry: Registry, ts: int) -> None:
        self._registry = registry
        declared = {
            index.index_id: index
            for table in registry.tables()
            if table.state != "deleting"
            for index in registry.indexes(table.tablet_id)
            if index.kind != "database"
        }
        if not declared and not self._indexes:
            return
        from parabola.database.derived.definitions import definition_of
        from parabola.database.derived.derived_index import DerivedIndex

        for index_id, index in declared.items():
            found = self._indexes.get(index_id)
            if found is None:
                directory = None if self._directory is None else self._directory / str(index_id)
                definition = definition_of(index)
                self._indexes[index_id] = DerivedIndex(
                    self._database, index, definition, ts, directory, self._built
                )
            else:
                found.index = index
        self._fed = {}
        for index_id, live in self._indexes.items():
            # Of one that is declared no more older snapshots may still read.
            if index_id in declared:
                entry_of, indexes = self._fed.setdefault(live.index.tablet_id, ({}, []))
                entry_of[index_id] = live.definition.entry
                indexes.append(live)
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    def forget_before(self, ts: int, known: Iterable[int]) -> None:
        """Nobody reads at an earlier timestamp any more, nor any index but the `known` ones."""
        for index_id in self._indexes.keys() - set(known):
            self._indexes.pop(index_id).discard()
            self._remove_files(index_id)
        for index in self._indexes.values():
            index.forget_before(ts)
        if self._indexes:
            self._has_work.set()

    # Searching

    async def at(self, index: Index, ts: int) -> Structure:
        """What to search of an index as of a timestamp; waits while it is being built."""
        found = self._indexes.get(index.index_id)
        if found is None:
            raise OutOfRetention(f"The search index {index.name} is not kept at this timestamp any more.")
        return await found.at(ts)

    def entry_of(self, index: Index) -> EntryOf:
        """What an index keeps of a document."""
        from parabola.database.derived.definitions import definition_of

        found = self._indexes.get(index.index_id)
        return definition_of(index).entry if found is None else found.definition.entry

    def built(self) -> Iterator[tuple[Index, Structure]]:
        """Each index that answers searches, and what answers them."""
        for found in self._indexes.values():
            if found.structure is not None:
                yield found.index, found.structure

    # In the background

    async def _work(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            await self.settle()
            await asyncio.sleep(REST_SECONDS)

    async def settle(self) -> None:
        """Takes in all that is queued, and saves and merges what is due."""
        for index in list(self._indexes.values()):
            if index.structure is None:
                continue
            try:
                await index.apply(self._database.latest_ts)
                await index.tidy()
            except OSError as error:
                _log.warning("index %s could not be saved: %s", index.index.name, error)
            except Exception:
                _log.exception("looking after index %s failed", index.index.name)

    def _built(self, index: DerivedIndex) -> None:
        self._has_work.set()
        if index.index.state == "backfilling":
            task = asyncio.get_running_loop().create_task(self._database.mark_backfilled([index.index]))
            self._marking.add(task)
            task.add_done_callback(self._marking.discard)

    async def wait_backfilled(self) -> None:
        """Returns when no index is being built."""
        while waiting := [index for index in self._indexes.values() if index.structure is None]:
            await asyncio.gather(*(index.wait_built() for index in waiting))
            if all(index.structure is None for index in waiting):
                break  # they never will: the store has failed
        while self._marking:
            await asyncio.wait(self._marking)

    # Files

    def _remove_files_but(self, kept: Iterable[int]) -> None:
        directory = self._directory
        if directory is None or not directory.is_dir():
            return
        names = set(map(str, kept))
        for path in directory.iterdir():
            if path.name not in names:
                _remove(path)

    def _remove_files(self, index_id: int) -> None:
        if self._directory is not None:
            _remove(self._directory / str(index_id))

    async def close(self) -> None:
        """Saves what is not saved yet. The store must be open still."""
        tasks = [*self._marking, *([] if self._working is None else [self._working])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for index in self._indexes.values():
            try:
                await index.close()
            except OSError as error:
                _log.warning("index %s could not be saved: %s", index.index.name, error)


def _remove(path: Path) -> None:
    """Files of indexes are never missed: what cannot be removed now is at the next start."""
    shutil.rmtree(path, ignore_errors=True)
