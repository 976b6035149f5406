"""A store that keeps everything in memory: the contract in its plainest form, and nothing after the process.

Every key of an index has its whole history beside it, as intervals of time. For tests, and to hold the
contract against: what both stores answer alike is the contract, and not how one of them is built.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sortedcontainers import SortedDict  # type: ignore[import-untyped]

from parabola.database.model.documents import Revision
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.store.commit_tail import CommitTail
from parabola.database.store.persistence import (
    DOCUMENTS_BEFORE,
    NO_PROPERTIES,
    Commit,
    DocumentWrite,
    KeyOf,
    Order,
    PersistedState,
    ReadsAtOnce,
    Rows,
    TableSize,
    TailEntry,
)

__all__ = ["MemoryPersistence"]


@dataclass(slots=True)
class _Entry:
    """A key from one commit on, until another one."""

    revision: Revision
    since: int
    until: int | None = None

    def is_at(self, ts: int) -> bool:
        return self.since <= ts and (self.until is None or ts < self.until)


@dataclass(slots=True)
class _Logged:
    """One document's change; `superseded` is when the next one came."""

    entry: TailEntry
    superseded: int | None = None


class MemoryPersistence(ReadsAtOnce):
    """See `Persistence` for the contract."""

    def __init__(self) -> None:
        self.newest_ts = 0
        self.rollbacks = 0
        self.derived_directory: Path | None = None
        self.file: Path | None = None
        self.commit_tail: CommitTail | None = None
        self._numbers = 0
        self._properties: dict[str, bytes] = {}
        self._sizes: dict[int, TableSize] = {}
        self._indexes: dict[int, Any] = {}
        self._log: list[_Logged] = []
        self._newest: dict[tuple[int, str], _Logged] = {}
        self._whole = asyncio.Event()
        self._whole.set()

    async def load(self) -> PersistedState:
        return PersistedState(self.newest_ts, dict(self._properties))

    @property
    def next_number(self) -> int:
        return self._numbers + 1

    # Reads

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        entries: list[_Entry] = self._indexes.get(tablet_id, {}).get(id_key(id), [])
        return next((entry.revision for entry in reversed(entries) if entry.is_at(ts)), None)

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        index = self._indexes.get(index_id, SortedDict())
        keys = index.irange(interval.start, interval.end, (True, False), reverse=order == "desc")
        found: list[tuple[bytes, Revision]] = []
        for key in keys:
            for entry in index[key]:
                if entry.is_at(ts):
                    if len(found) == limit:
                        return Rows(found, exhausted=False)
                    found.append((key, entry.revision))
        return Rows(found, exhausted=True)

    async def revision_times(
        self, tablet_id: int, interval: Interval, ts: int, limit: int
    ) -> Rows[tuple[bytes, int]]:
        rows = await self.scan(tablet_id, interval, ts, "asc", limit)
        return Rows(((key, revision.ts) for key, revision in rows), exhausted=rows.exhausted)

    def size(self, tablet_id: int) -> TableSize:
        return self._sizes.get(tablet_id, TableSize(0, 0))

    async def tail(self, after_ts: int, limit: int) -> Rows[TailEntry]:
        rows = [logged.entry for logged in self._log if logged.entry.ts > after_ts]
        end = limit
        while 0 < end < len(rows) and rows[end].ts == rows[end - 1].ts:
            end -= 1
        if not end:  # the first commit is larger than that, and comes whole
            end = sum(row.ts == rows[0].ts for row in rows)
        taken = sorted(rows[:end], key=lambda row: (row.ts, row.id))
        return Rows(taken, exhausted=end >= len(rows))

    # Writes

    async def ready(self) -> None:
        while not self._whole.is_set():
            await self._whole.wait()

    def append(self, commit: Commit) -> None:
        self._append(commit, [])
        self.newest_ts = commit.ts

    async def append_parts(self, parts: Iterable[Commit]) -> None:
        self._whole.clear()
        undo: list[Callable[[], None]] = []
        ts = self.newest_ts
        try:
            for part in parts:
                self._append(part, undo)
                ts = part.ts
                await asyncio.sleep(0)
        except BaseException:
            for step in reversed(undo):
                step()
            self.rollbacks += 1
            raise
        finally:
            self._whole.set()
        self.newest_ts = ts

    def _append(self, commit: Commit, undo: list[Callable[[], None]]) -> None:
        if commit.number is not None:
            self._numbers = commit.number - 1
        for write in commit.writes:
            self._write(commit.ts, write, undo)
        if commit.properties:
            before = dict(self._properties)
            undo.append(lambda: self._properties.update(before))
            self._properties.update(commit.properties)

    def _write(self, ts: int, write: DocumentWrite, undo: list[Callable[[], None]]) -> None:
        tablet, id, old, new, entries = write
        self._numbers += 1
        size = self.size(tablet)
        documents = size.documents + (new is not None) - (old is not None)
        total = size.bytes + (new.size if new is not None else 0) - (old.size if old is not None else 0)
        self._sizes[tablet] = TableSize(documents, total)
        undo.append(lambda: self._sizes.update({tablet: size}))
        if new is not None:
            new.number = self._numbers
        logged = _Logged(TailEntry(ts, tablet, id, None if new is None else new.raw))
        previous = self._newest.get((tablet, id))
        if previous is not None:
            previous.superseded = ts
        self._newest[tablet, id] = logged
        self._log.append(logged)
        undo.append(lambda: self._take_back(tablet, id, previous))
        for index_id, old_key, new_key in entries:
            index = self._indexes.setdefault(index_id, SortedDict())
            if old_key is not None and old_key in index and index[old_key][-1].until is None:
                ended = index[old_key][-1]
                ended.until = ts
                undo.append(lambda ended=ended: setattr(ended, "until", None))  # type: ignore[misc]
            if new_key is not None and new is not None:
                history = index.setdefault(new_key, [])
                history.append(_Entry(new, ts))
                undo.append(history.pop)

    def _take_back(self, tablet: int, id: str, previous: _Logged | None) -> None:
        self._log.pop()
        if previous is None:
            del self._newest[tablet, id]
        else:
            previous.superseded = None
            self._newest[tablet, id] = previous

    def add_entries(self, index_id: int, entries: Sequence[tuple[bytes, Revision]]) -> None:
        index = self._indexes.setdefault(index_id, SortedDict())
        for key, revision in entries:
            history = index.setdefault(key, [])
            if not history or history[-1].until is not None:
                history.append(_Entry(revision, revision.ts))

    async def flush(self) -> None:
        await self.ready()
        await asyncio.sleep(0)

    async def vacuum(
        self,
        *,
        entries_before: int,
        documents_before: int,
        live_indexes: frozenset[int],
        limit: int,
        properties: Mapping[str, bytes] = NO_PROPERTIES,
    ) -> int:
        self._properties.update(properties)
        removed = 0
        for index_id in self._indexes.keys() - live_indexes:
            removed += sum(map(len, self._indexes.pop(index_id).values()))
        for index_id, index in self._indexes.items():
            before = documents_before if index_id in self._sizes else entries_before
            for key in list(index):
                kept = [entry for entry in index[key] if entry.until is None or entry.until > before]
                removed += len(index[key]) - len(kept)
                if kept:
                    index[key] = kept
                else:
                    del index[key]
        kept_log = [
            logged for logged in self._log if not self._is_old(logged, documents_before, live_indexes)
        ]
        if len(kept_log) < len(self._log):
            removed += len(self._log) - len(kept_log)
            self._properties[DOCUMENTS_BEFORE] = str(documents_before).encode()
            self._log = kept_log
        return removed

    def _is_old(self, logged: _Logged, before: int, live_indexes: frozenset[int]) -> bool:
        entry = logged.entry
        if entry.ts > before or entry.ts == self.newest_ts:
            return False
        is_gone = entry.raw is None or entry.tablet_id not in live_indexes
        return is_gone or (logged.superseded is not None and logged.superseded <= before)

    async def inspect(self, key_of: KeyOf) -> None:
        """Memory is what it is."""

    async def forget_unused(self) -> None:
        """All that there is is in memory."""

    async def look_for_files(self) -> None:
        """There are none."""

    async def close(self) -> None:
        """There is nothing to close."""
