"""A node's copy of the data: a store that is fed by the shared log, with what is not in the log yet on top.

The store takes confirmed entries and nothing else, each together with its place in the log. So what the log
refused is never in a file, whenever the process ends; and its disk confirms nothing to anybody: it may lag
behind, for what it loses is read from the log again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from parabola.database.model.documents import Revision
from parabola.database.model.errors import StorageError
from parabola.database.model.intervals import Interval
from parabola.database.shared_log.checkpoint import Checkpoint
from parabola.database.shared_log.errors import ReplicaLost
from parabola.database.shared_log.log import START, Position
from parabola.database.shared_log.payload import Group
from parabola.database.shared_log.unconfirmed import Layer
from parabola.database.store.commit_tail import CommitTail
from parabola.database.store.completed_scan import completed_scan
from parabola.database.store.persistence import (
    DOCUMENTS_BEFORE,
    NO_PROPERTIES,
    SHARED_LOG_PLACE,
    Commit,
    DocumentWrite,
    KeyOf,
    Order,
    PersistedState,
    Persistence,
    ReadsAtOnce,
    Rows,
    TableSize,
    TailEntry,
)

__all__ = ["Replica", "place_of"]

UNFINISHED: Final = b"unfinished"
"""That of a store which is being made from a checkpoint."""

PART: Final = 128
"""Documents that are stored at once; of a larger entry others get a turn in between."""


class Replica(ReadsAtOnce):
    """A store as the database sees it. See `Persistence`; `append` adds what is not confirmed, which cannot
    fail.
    """

    def __init__(self, store: Persistence) -> None:
        self.confirmed = store
        """What the log has, without anything on top."""
        self.position = START
        """Of the newest entry that is in the store."""
        self.next_number = 1
        """Of the first revision of the next entry."""
        self.saved_ts = 0
        """The newest commit that the store's disk has for certain."""
        self._store = store
        self._layers: deque[Layer] = deque()
        self._newest_ts = 0
        self._confirmed_ts = 0
        self._tail = CommitTail(0)
        self._open = asyncio.Event()
        self._open.set()
        self._whole = asyncio.Event()
        self._whole.set()

    async def load(self) -> PersistedState:
        """Also takes up the place in the log from the store."""
        state = await self._store.load()
        place = state.properties.get(SHARED_LOG_PLACE)
        if place == UNFINISHED:
            raise ReplicaLost("This node's copy of the data was not finished when the node ended.")
        latest_ts = state.latest_ts
        if place:  # empty in a store that was a copy once
            seq, name, number, ts = place.decode().split(":")
            self.position, self.next_number = Position(int(seq), bytes.fromhex(name)), int(number)
            # Of what a checkpoint leaves out, deletions, the store does not know that they were the newest.
            latest_ts = max(latest_ts, int(ts))
        self._newest_ts = self._confirmed_ts = self.saved_ts = latest_ts
        await self._store.flush()
        self._tail = CommitTail(latest_ts)
        return PersistedState(latest_ts, state.properties)

    async def build(self, documents: Sequence[DocumentWrite], checkpoint: Checkpoint | None) -> None:
        """Stores documents of a checkpoint in an empty store, in the order of their numbers. With the last of
        them comes the `checkpoint`, from which on the store is a copy.
        """
        await self._store.ready()
        for at, write in enumerate(documents):
            assert write.new is not None
            properties = {SHARED_LOG_PLACE: UNFINISHED}
            if checkpoint is not None and at + 1 == len(documents):
                place = place_of(checkpoint.position, checkpoint.next_number, checkpoint.ts)
                # What the documents were before, nobody here knows.
                properties = {SHARED_LOG_PLACE: place, DOCUMENTS_BEFORE: str(checkpoint.ts).encode()}
            elif at:
                properties = {}
            self._store.append(Commit(write.new.ts, (write,), properties, write.new.number))
        if checkpoint is not None:
            self.position, self.next_number = checkpoint.position, checkpoint.next_number

    # What is not confirmed

    @property
    def newest_ts(self) -> int:
        return self._newest_ts if self.has_unconfirmed else self._store.newest_ts

    @property
    def rollbacks(self) -> int:
        return self._store.rollbacks

    @property
    def derived_directory(self) -> Path | None:
        return self._store.derived_directory

    @property
    def file(self) -> Path | None:
        """What is confirmed and handed to the system. Executors complete it by the `commit_tail`."""
        return self._store.file

    @property
    def commit_tail(self) -> CommitTail | None:
        return None if self._store.file is None else self._tail

    @property
    def has_unconfirmed(self) -> bool:
        return any(layer.commits for layer in self._layers)

    def take_layer(self) -> Layer:
        """The commits of the next entry, of which there are some; from here on others go into the one after.

        No commit may be there in part (`whole`).
        """
        assert self._whole.is_set()
        if len(self._layers) == 1:
            self._layers.append(Layer())
        return self._layers[0]

    async def whole(self) -> None:
        """Returns when no commit is there in part; until the caller's next wait that stays so."""
        while not self._whole.is_set():
            await self._whole.wait()

    def _layer(self) -> Layer:
        if not self._layers or self._layers[-1].is_full:
            self._layers.append(Layer())
        return self._layers[-1]

    async def ready(self) -> None:
        while True:
            while not self._open.is_set():
                await self._open.wait()
            await self._store.ready()
            if self._open.is_set():
                return

    def append(self, commit: Commit) -> None:
        layer = self._layer()
        layer.add(commit)
        self._give_numbers(commit)
        layer.take(commit)
        self._newest_ts = commit.ts
        self._tail.append(commit)

    def _give_numbers(self, commit: Commit) -> None:
        """The numbers that its revisions will have if everything that is not confirmed will be."""
        number = self.next_number + sum([layer.writes for layer in self._layers])
        for write in commit.writes:
            if write.new is not None:
                write.new.number = number
            number += 1

    async def append_parts(self, parts: Iterable[Commit]) -> None:
        was_open = self._open.is_set()
        self._open.clear()
        self._whole.clear()
        layer = self._layer()
        try:
            whole: Commit | None = None
            for part in parts:
                layer.add(part)
                whole = (
                    part
                    if whole is None
                    else replace(
                        whole,
                        writes=(*whole.writes, *part.writes),
                        properties={**whole.properties, **part.properties},
                    )
                )
                await asyncio.sleep(0)
            if whole is not None:
                self._give_numbers(whole)
                layer.take(whole)
                self._newest_ts = whole.ts
                self._tail.append(whole)
        finally:
            self._whole.set()
            if was_open:
                self._open.set()

    async def close_gate(self) -> None:
        """From here on `ready` waits, until `open_gate`. Returns when no commit is there in part."""
        await self.whole()
        self._open.clear()

    def open_gate(self) -> None:
        """Lets commits come again."""
        self._open.set()

    def drop_unconfirmed(self) -> None:
        """Takes back everything that is not in the store."""
        self._layers.clear()
        self._tail.cut(self._confirmed_ts)

    # What is confirmed

    async def store(self, group: Group, position: Position, *, is_own: bool) -> None:
        """An entry is in the log: all of it is stored, or nothing. Raises `StorageError`.

        The commits of this node's own are those of the oldest layer, which is not needed any more then.
        """
        next_number = group.next_number
        commits = [commit for commit, _ in group.commits]
        last = commits[-1]
        place = place_of(position, next_number, last.ts)
        commits[-1] = replace(last, properties={**last.properties, SHARED_LOG_PLACE: place})
        if sum(len(commit.writes) for commit in commits) <= PART:
            rollbacks = self._store.rollbacks
            for commit in commits:
                self._store.append(commit)
            assert self._store.rollbacks == rollbacks
        else:
            await self._store.append_parts(part for commit in commits for part in _parts(commit))
        self.position, self.next_number = position, next_number
        self._confirmed_ts = last.ts
        if is_own:
            self._layers.popleft()
        else:
            for commit in commits:
                self._tail.append(commit)

    async def flush(self) -> None:
        """Returns when everything confirmed before the call is on this node's disk."""
        ts = self._confirmed_ts
        await self._store.flush()
        self._tail.handed_over(ts)
        self.saved_ts = max(self.saved_ts, ts)

    def add_entries(self, index_id: int, entries: Sequence[tuple[bytes, Revision]]) -> None:
        self._store.add_entries(index_id, entries)

    # Reads

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        if ts > self._store.newest_ts:
            for layer in reversed(self._layers):
                found = layer.get(tablet_id, id, ts)
                if found is not None:
                    return found[1]
        return self._store.get_now(tablet_id, id, ts)

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        changes = self._changes(index_id, interval, ts)
        if not changes:
            return self._store.scan_now(index_id, interval, ts, order, limit)
        return completed_scan(
            lambda part: self._store.scan_now(index_id, part, ts, order, limit),
            lambda part: {key: revision for key, revision in changes.items() if part.contains(key)},
            interval,
            order,
            limit,
        )

    async def revision_times(
        self, tablet_id: int, interval: Interval, ts: int, limit: int
    ) -> Rows[tuple[bytes, int]]:
        if not self._changes(tablet_id, interval, ts):
            return await self._store.revision_times(tablet_id, interval, ts, limit)
        rows = await self.scan(tablet_id, interval, ts, "asc", limit)
        return Rows([(key, revision.ts) for key, revision in rows], exhausted=rows.exhausted)

    def _changes(self, index_id: int, interval: Interval, ts: int) -> dict[bytes, Revision | None]:
        if not self._layers or ts <= self._store.newest_ts:
            return {}
        changes: dict[bytes, Revision | None] = {}
        for layer in self._layers:
            changes.update(layer.changes(index_id, interval, ts))
        return changes

    def size(self, tablet_id: int) -> TableSize:
        documents, total = self._store.size(tablet_id)
        for layer in self._layers:
            delta = layer.size_delta(tablet_id)
            documents, total = documents + delta.documents, total + delta.bytes
        return TableSize(documents, total)

    async def tail(self, after_ts: int, limit: int) -> Rows[TailEntry]:
        return await self._store.tail(after_ts, limit)

    # Upkeep

    async def vacuum(
        self,
        *,
        entries_before: int,
        documents_before: int,
        live_indexes: frozenset[int],
        limit: int,
        properties: Mapping[str, bytes] = NO_PROPERTIES,
    ) -> int:
        return await self._store.vacuum(
            entries_before=entries_before,
            documents_before=documents_before,
            live_indexes=live_indexes,
            limit=limit,
            properties=properties,
        )

    async def inspect(self, key_of: KeyOf) -> None:
        await self._store.inspect(key_of)

    async def forget_unused(self) -> None:
        await self._store.forget_unused()
        self._tail.forget()

    async def look_for_files(self) -> None:
        await self._store.look_for_files()

    def damaged(self, what: str) -> StorageError:
        return self._store.damaged(what)

    async def close(self) -> None:
        await self._store.close()


def place_of(position: Position, next_number: int, ts: int) -> bytes:
    """What `SHARED_LOG_PLACE` is behind an entry."""
    return f"{position.seq}:{position.name.hex()}:{next_number}:{ts}".encode()


def _parts(commit: Commit) -> Iterable[Commit]:
    writes = commit.writes
    number = commit.number
    for at in range(0, len(writes), PART):
        is_last = at + PART >= len(writes)
        yield Commit(
            commit.ts,
            writes[at : at + PART],
            commit.properties if is_last else {},
            None if number is None else number + at,
        )
