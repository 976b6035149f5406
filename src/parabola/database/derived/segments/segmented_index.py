"""An index of segments that are fed by commits, read at timestamps, taken back, saved and opened again.

What text and vector indexes share. The newest documents are in an *open* segment in memory; a full one is
*frozen*, and *sealed* into arrays, and a file, once its commits are on the disk. Sealed ones are merged in
tiers. After a crash only what was in no file is indexed anew: a few thousand documents.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, repeat
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.entries import EntryChange, TextEntry, VectorEntry
from parabola.database.derived.segments.background import Pauses
from parabola.database.derived.segments.segment_files import DamagedSegment, SegmentFiles, SegmentParts
from parabola.database.derived.segments.slot_ids import SavedIds
from parabola.database.derived.segments.slots import ALIVE, NEVER, Slots
from parabola.database.derived.segments.tiers import SegmentSize, Tiers

__all__ = ["SegmentedIndex", "Sources"]

_log: Final = logging.getLogger(__name__)

_AT_ONCE: Final = 4096
"""Documents of a file that are looked at before the event loop has its turn."""


class Segment(Protocol):
    """Some of the documents of an index."""

    @property
    def slots(self) -> Slots: ...

    @property
    def nbytes(self) -> int: ...


class OpenSegment(Segment, Protocol):
    """A segment that takes documents until it is full."""

    @property
    def is_full(self) -> bool: ...

    def add(self, id: str, ts: int, since: int, entry: Any, removed: int = ALIVE) -> None: ...


Definition = TypeVar("Definition")
AnyEntry = TypeVar("AnyEntry", TextEntry, VectorEntry)
Open = TypeVar("Open", bound=OpenSegment)
Sealed = TypeVar("Sealed", bound=Segment)
AnySegment = TypeVar("AnySegment", bound=Segment)
Sources: TypeAlias = Sequence[tuple[AnySegment, NDArray[np.int64]]]
"""Segments, and which of their slots go into another one."""


class SegmentedIndex(ABC, Generic[Definition, AnyEntry, Open, Sealed]):
    """Every document of a table at every timestamp that is still read.

    It belongs to the event loop. Whatever reads it takes what it needs before it waits for anything, so that
    commits may come, be taken back and be tidied up meanwhile.
    """

    TIERS: ClassVar[Tiers]

    def __init__(self, definition: Definition, files: SegmentFiles | None) -> None:
        self.definition: Final = definition
        self.last_ts = 0
        """The newest commit that was applied."""
        self._files = files
        self._open = self._new_segment()
        self._filling = self._new_segment()
        self._frozen: list[Open] = []
        self._sealed: list[Sealed] = []
        self._paths: dict[Sealed, Path] = {}
        self._forgotten_ts = 0
        # As long as documents are still missing: when each one was first written since.
        self._first_writes: dict[str, int] | None = {}
        self._tidying = asyncio.Lock()

    # What text and vector indexes each have of their own

    @abstractmethod
    def _new_segment(self) -> Open: ...

    @abstractmethod
    def _seal(self, parts: SegmentParts, slots: Slots) -> Sealed: ...

    @staticmethod
    @abstractmethod
    def _merge(sources: Sources[Open | Sealed], pauses: Pauses) -> SegmentParts:
        """The arrays of one segment made of others. Runs in a worker thread."""

    @staticmethod
    @abstractmethod
    def _owner(definition: Definition) -> str:
        """What is written into files, so that those of another definition or version are not taken."""

    # Counters

    @property
    def slots(self) -> int:
        """Revisions that are held."""
        return sum(len(segment.slots) for segment in self._segments())

    @property
    def bytes(self) -> int:
        """About what they take, in memory or in mapped files."""
        return sum(segment.nbytes for segment in self._segments())

    def _segments(self) -> list[Open | Sealed]:
        """All of them, the newest first."""
        every: tuple[Open | Sealed, ...] = (
            self._open,
            *reversed(self._frozen),
            self._filling,
            *reversed(self._sealed),
        )
        return [segment for segment in every if len(segment.slots)]

    # Commits

    def apply(self, ts: int, changes: Iterable[EntryChange[AnyEntry]]) -> None:
        """What a commit wrote, or a part of it: later ones have a timestamp that is not smaller.

        A document that is here is replaced. Visible to searches at `ts` and later.
        """
        for id, entry in changes:
            if self._first_writes is not None:
                self._first_writes.setdefault(id, ts)
            place = self._live_place(id)
            if place is not None:
                segment, slot = place
                segment.slots.remove(slot, ts)
            if entry is not None:
                if self._open.is_full:
                    self._frozen.append(self._open)
                    self._open = self._new_segment()
                self._open.add(id, ts, ts, entry)
        self.last_ts = ts

    def _live_place(self, id: str) -> tuple[Open | Sealed, int] | None:
        for segment in self._segments():
            slot = segment.slots.live_slot(id)
            if slot >= 0:
                return segment, slot
        return None

    def take_back(self, kept_ts: int) -> None:
        """As if no commit after `kept_ts` had been applied."""
        for segment in self._segments():
            segment.slots.take_back(kept_ts)
        if self._first_writes:
            self._first_writes = {id: ts for id, ts in self._first_writes.items() if ts <= kept_ts}
        self.last_ts = min(self.last_ts, kept_ts)

    def forget_before(self, ts: int) -> None:
        """Nobody reads at a timestamp before `ts` any more."""
        self._forgotten_ts = max(self._forgotten_ts, ts)

    # Documents that were there before

    def fill(self, entries: Iterable[tuple[str, int, AnyEntry]]) -> None:
        """Documents that were there before the index: id, time of the revision, entry.

        They are visible at every timestamp; one that was written meanwhile, until then. A revision that was
        applied or filled in already may be among them.
        """
        for id, ts, entry in entries:
            first_write = ALIVE if self._first_writes is None else self._first_writes.get(id, ALIVE)
            if ts >= first_write or any(segment.slots.has(id, ts) for segment in self._segments()):
                continue
            if self._filling.is_full:
                self._frozen.append(self._filling)
                self._filling = self._new_segment()
            self._filling.add(id, ts, 0, entry, first_write)

    def filled(self) -> None:
        """Every document that was there before has been given to `fill`."""
        self._first_writes = None
        if len(self._filling.slots):  # it is not filled any further: the next `tidy` saves it
            self._frozen.append(self._filling)
            self._filling = self._new_segment()

    # Files

    async def tidy(self, durable_ts: int) -> None:
        """Seals, saves and merges what is due, in worker threads.

        `durable_ts` is a commit that cannot be taken back any more: of later ones nothing is saved. A disk
        that takes no file is logged; the segment stays in memory then.
        """
        async with self._tidying:
            forgotten_ts = min(self._forgotten_ts, durable_ts)
            for frozen in tuple(self._frozen):
                if frozen.slots.newest_ts() <= durable_ts:
                    await self._rewrite([frozen], forgotten_ts, durable_ts)
            while (
                due := self.TIERS.due([self._size(segment, forgotten_ts) for segment in self._sealed])
            ) is not None:
                await self._rewrite([self._sealed[place] for place in due], forgotten_ts, durable_ts)

    def _size(self, segment: Sealed, forgotten_ts: int) -> SegmentSize:
        return SegmentSize(len(segment.slots), segment.slots.dead_count(forgotten_ts), segment.nbytes)

    async def close(self, durable_ts: int) -> None:
        """Saves the rest, so that the next start has nothing to index. The index is not used any more."""
        if self._files is None:
            return
        async with self._tidying:
            self._frozen += [segment for segment in (self._filling, self._open) if len(segment.slots)]
            self._open, self._filling = self._new_segment(), self._new_segment()
            for frozen in tuple(self._frozen):
                await self._rewrite([frozen], min(self._forgotten_ts, durable_ts), durable_ts)

    async def _rewrite(self, segments: Sequence[Open | Sealed], forgotten_ts: int, newest_ts: int) -> None:
        """Puts one sealed segment, with what is still needed of them, in the place of others."""
        kept = [(segment, segment.slots.kept(forgotten_ts, newest_ts)) for segment in segments]
        sources = [(segment, slots) for segment, slots in kept if len(slots)]
        new: list[Sealed] = []
        if sources:
            parts, path = await asyncio.to_thread(self._saved, sources)
            # What was removed, or taken back, while the thread worked is carried over here.
            new = [
                self._seal(parts, Slots.sealed(parts, [(source.slots, slots) for source, slots in sources]))
            ]
            if path is not None:
                self._paths[new[0]] = path
        gone = set(map(id, segments))
        paths = [path for old, path in self._paths.items() if id(old) in gone]
        self._frozen = [segment for segment in self._frozen if id(segment) not in gone]
        first = next((n for n, segment in enumerate(self._sealed) if id(segment) in gone), len(self._sealed))
        rest = [segment for segment in self._sealed[first:] if id(segment) not in gone]
        self._sealed = self._sealed[:first] + new + rest
        self._paths = {segment: path for segment, path in self._paths.items() if id(segment) not in gone}
        if self._files is not None and paths:
            await asyncio.to_thread(self._files.delete, paths)

    def _saved(self, sources: Sources[Open | Sealed]) -> tuple[SegmentParts, Path | None]:
        """The arrays of a segment made of others, mapped from its file where there are files."""
        parts = self._merge(sources, Pauses())
        if self._files is None:
            return parts, None
        owner = self._owner(self.definition)
        try:
            path = self._files.write(owner, parts)
            return self._files.read(path, owner), path
        except (OSError, DamagedSegment) as error:
            _log.warning("A segment of a search index could not be saved and stays in memory: %s", error)
            return parts, None

    @classmethod
    async def open(
        cls, definition: Definition, files: SegmentFiles | None, live: Mapping[str, int], ts: int
    ) -> tuple[Self, list[str]]:
        """The index as it was saved, at commit `ts`, and the documents that are in no file.

        `live` says for every document of the table the time of its newest revision; it must not change until
        this returns. The caller gives the missing ones to `fill`, and then calls `filled`; where none is
        missing, that is done. Files that are damaged or not of this definition are deleted: their documents
        are missing.
        """
        index = cls(definition, files)
        index.last_ts = ts
        missing = await asyncio.to_thread(index._opened, live)
        if not missing:
            index.filled()
        return index, missing

    def _opened(self, live: Mapping[str, int]) -> list[str]:
        found: set[str] = set()
        if self._files is not None:
            # The largest first: what a crash left in two files is taken from the merged one.
            for path in sorted(self._files.paths(), key=lambda path: -path.stat().st_size):
                segment = self._opened_segment(path, live, found)
                if segment is None:
                    self._files.delete([path])
                else:
                    self._sealed.append(segment)
                    self._paths[segment] = path
        return [] if len(found) == len(live) else [id for id in live if id not in found]

    def _opened_segment(self, path: Path, live: Mapping[str, int], found: set[str]) -> Sealed | None:
        """A saved segment, None if there is nothing in it to keep. Adds what lives in it to `found`."""
        assert self._files is not None
        try:
            parts = self._files.read(path, self._owner(self.definition))
        except DamagedSegment as damage:
            _log.warning("A file of a search index is made anew, because %s: %s", damage, path)
            return None
        removed = np.full(len(parts["ts"]), NEVER, np.int64)
        ids, pauses = SavedIds(parts), Pauses()
        for start in range(0, len(removed), _AT_ONCE):
            slots = np.arange(start, min(start + _AT_ONCE, len(removed)))
            here = ids.at(slots)
            times = np.fromiter(map(live.get, here, repeat(NEVER)), np.int64, len(here))
            alive = times == parts["ts"][slots]
            new = list(compress(here, alive.tolist()))
            if not found.isdisjoint(new):
                alive[alive] = [id not in found for id in new]
            removed[slots[alive]] = ALIVE
            found.update(new)
            pauses.step()
        return self._seal(parts, Slots.opened(parts, removed)) if (removed == ALIVE).any() else None
