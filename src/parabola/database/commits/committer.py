"""Making transactions permanent: validation, order, group commit, publication.

Three timestamps tell how far things are. A commit is *validated* when no commit since its snapshot wrote what
it read; then it has its place in the order, `latest_ts` is its timestamp and the next mutation may read it.
It is *durable* when the store has confirmed it, together with everything before it; then it is acknowledged,
published, and `durable_ts` lets queries see it. So a commit that read one that is lost is always lost too.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from parabola.database.commits.commit_lane import CommitLane
from parabola.database.commits.overlay import PendingWrite
from parabola.database.commits.write_log import Touched, WriteLog
from parabola.database.commits.write_set import (
    Change,
    WriteSet,
    document_write,
    effective_writes,
    resolved,
)
from parabola.database.model.errors import ConflictError, StorageError, StorageFailed
from parabola.database.model.tables import METADATA_TABLES, Registry
from parabola.database.store.persistence import Commit, DocumentWrite, Persistence
from parabola.values.errors import OutOfRetention

if TYPE_CHECKING:
    from parabola.database.model.searches import SearchedChange
    from parabola.database.transaction import Transaction

__all__ = ["NEXT_ID", "Committer", "DerivedFeed"]

_log: Final = logging.getLogger(__name__)

NEXT_ID: Final = "next_id"
"""Instance property: the next number for a tablet or an index."""

PART: Final = 128
"""Documents of a commit that are stored at once; a larger commit gives others a turn in between."""


class DerivedFeed(Protocol):
    """Where what is derived from commits hears of them (`derived`)."""

    def append(self, write_set: WriteSet) -> None:
        """A commit has been validated; sets its `searched`. It must not wait, nor fail."""

    def take_back(self, kept_ts: int) -> None:
        """The commits after `kept_ts` are no more."""

    async def prepare(self, searched: Sequence[SearchedChange]) -> None:
        """Finds out what is asked when these changes are published, with turns for others."""


class _Waiting(NamedTuple):
    ts: int
    write_set: WriteSet | None
    done: asyncio.Future[int]


class Committer:
    """Orders and stores the commits of one database. Belongs to one event loop."""

    def __init__(
        self,
        persistence: Persistence,
        latest_ts: int,
        registry: Registry,
        *,
        clock: Callable[[], int],
        next_id: int,
        publish: Callable[[WriteSet], None],
        derived: DerivedFeed,
        log_bytes: int,
    ) -> None:
        self.latest_ts = latest_ts
        self.durable_ts = latest_ts
        self.lane = CommitLane()
        self.log = WriteLog(latest_ts, max_bytes=log_bytes)
        self.next_id = next_id
        self.generation = 0
        """Grows whenever validated commits are taken back because they could not be stored."""
        self._persistence = persistence
        self._clock = clock
        self._publish = publish
        self._derived = derived
        self._assigned_ts = latest_ts
        self._registries: list[tuple[int, Registry]] = [(0, registry)]
        # Newest number of documents of each tablet that was written since the start.
        self._counts: dict[int, int] = {}
        self._kept: list[int] = []
        self._waiting: deque[_Waiting] = deque()
        self._flusher: asyncio.Task[None] | None = None

    # State

    @property
    def registry(self) -> Registry:
        """As of `latest_ts`."""
        return self._registries[-1][1]

    def registry_at(self, ts: int) -> Registry:
        """As of a timestamp within retention."""
        registries = self._registries
        if registries[-1][0] <= ts:
            return registries[-1][1]
        return registries[max(0, bisect_right(registries, ts, key=lambda entry: entry[0]) - 1)][1]

    def forget_registries_before(self, ts: int) -> None:
        """Drops what only reads before `ts` would need."""
        while len(self._registries) > 1 and self._registries[1][0] <= ts:
            del self._registries[0]

    def known_indexes(self) -> frozenset[int]:
        """Every index of every registry that is still kept."""
        return frozenset(id for _, registry in self._registries for id in registry.index_ids())

    def count_at(self, tablet_id: int, ts: int) -> int:
        """Number of documents of a table at a timestamp; raises `OutOfRetention` beyond the log's reach."""
        if ts < self.log.start_ts:
            raise OutOfRetention("The number of documents at this timestamp is not known any more.")
        newest = self._counts.get(tablet_id)
        if newest is None:
            return self._persistence.size(tablet_id).documents
        return newest - self.log.delta_after(tablet_id, ts)

    def next_ts(self) -> int:
        """A timestamp later than any given before, and not earlier than the clock."""
        self._assigned_ts = max(self._assigned_ts + 1, self.latest_ts + 1, self._clock())
        return self._assigned_ts

    # Committing

    async def commit(
        self, tx: Transaction, source: str, on_validated: Callable[[int], None] | None = None
    ) -> int:
        """See `Database.commit`."""
        if tx.is_committed:
            raise RuntimeError("this transaction has been committed already")
        tx.is_committed = True
        writes = effective_writes(tx.overlay)
        if not writes:
            self._check_generation(tx)
            await self.wait_durable(tx.begin_ts)
            return tx.begin_ts
        if len(writes) <= PART:
            return await (await self._store(tx, writes, source, on_validated))
        # In a task of its own: no half of it must be left when the one who waits is cancelled.
        storing = asyncio.get_running_loop().create_task(self._store(tx, writes, source, on_validated))
        return await (await asyncio.shield(storing))

    async def _store(
        self,
        tx: Transaction,
        writes: list[PendingWrite],
        source: str,
        on_validated: Callable[[int], None] | None,
    ) -> asyncio.Future[int]:
        """Validates and appends; the result is to be waited for."""
        if tx.has_chosen_ids:
            # What is committed after this check is found by the validation: an insert has read its id.
            for write in writes:
                if write.old is None and await self._persistence.get(
                    write.table.tablet_id, write.id, self.latest_ts
                ):
                    raise ConflictError("A generated document id exists already; run the mutation again.")
        while True:
            await self._persistence.ready()
            if self.lane.is_open:
                break
            await self.lane.wait_open()
        # From here on no other commit comes in between: what is validated is what is stored.
        self._validate(tx)
        ts = self.next_ts()
        registry = _registry_after(self.registry, writes)
        changes: list[Change] = []
        stored: list[DocumentWrite] = []

        def take(part: list[PendingWrite]) -> Commit:
            start = len(stored)
            for id, table, old, new in part:
                revision, value = (None, None) if new is None else resolved(new.revision, ts)
                change = Change(table, id, old, revision)
                changes.append(change)
                stored.append(document_write(registry, change, value))
            is_first = not start and registry is not self.registry
            return Commit(ts, tuple(stored[start:]), self._properties() if is_first else {})

        for tablet_id in {write.table.tablet_id for write in writes}:
            if tablet_id not in self._counts:
                self._counts[tablet_id] = self._persistence.size(tablet_id).documents
        try:
            if len(writes) <= PART:
                self._persistence.append(take(writes))
            else:
                parts = (take(writes[at : at + PART]) for at in range(0, len(writes), PART))
                await self._persistence.append_parts(parts)
        except StorageError as error:
            self._take_back(error)
            raise
        write_set = WriteSet(ts, source, tuple(changes), stored)
        for tablet_id, delta in write_set.count_deltas().items():
            self._counts[tablet_id] += delta
        self.latest_ts = ts
        if registry is not self.registry:
            self._registries.append((ts, registry))
        self._derived.append(write_set)
        self.log.append(write_set)
        durable = self._until_durable(ts, write_set)
        if on_validated is not None:
            on_validated(ts)
        return durable

    def _properties(self) -> dict[str, bytes]:
        return {NEXT_ID: str(self.next_id).encode()}

    def _validate(self, tx: Transaction) -> None:
        self._check_generation(tx)
        if tx.begin_ts < self.log.start_ts:
            raise ConflictError(
                "The transaction took so long that it can no longer be checked; run it again."
            )
        touched = self.log.first_touching(tx.read_set, tx.begin_ts)
        if touched is not None:
            raise self._conflict(touched)

    def _check_generation(self, tx: Transaction) -> None:
        if any(kept < tx.begin_ts for kept in self._kept[tx.generation :]):
            raise ConflictError("The transaction read writes that could not be stored; run it again.")

    def _conflict(self, touched: Touched) -> ConflictError:
        registry = self.registry
        table = next(
            (
                table
                for table in registry.tables()
                for index in registry.indexes(table.tablet_id)
                if index.index_id == touched.index_id
            ),
            None,
        )
        # An index key ends with the encoded id, which has no byte 10 in it but the one it begins with.
        id = touched.key[touched.key.rindex(b"\x10") + 1 : -1].decode()
        name = None if table is None else table.name
        return ConflictError(
            f'Document "{id}" of table "{name}" was changed by another commit since it was read.',
            table=name,
            document_id=id,
            source=touched.commit.source,
        )

    # Durability

    async def wait_durable(self, ts: int) -> None:
        """Returns when `ts` is durable; raises `ConflictError` if the commit at `ts` was taken back."""
        if ts > self.durable_ts:
            await self._until_durable(ts, None)

    def _until_durable(self, ts: int, write_set: WriteSet | None) -> asyncio.Future[int]:
        """Sees to it that `ts` gets durable; the result is `ts` then. `write_set` is published before."""
        waiting = _Waiting(ts, write_set, asyncio.get_running_loop().create_future())
        if write_set is None:
            # Those who only wait may ask for an older timestamp than the newest commit's.
            place = bisect_right(self._waiting, ts, key=lambda entry: entry.ts)
            self._waiting.insert(place, waiting)
        else:
            self._waiting.append(waiting)
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_all())
        # When the one who waits is cancelled so is this future, but the commit goes on.
        return waiting.done

    async def _flush_all(self) -> None:
        try:
            while self._waiting:
                target = self.latest_ts
                try:
                    await self._persistence.flush()
                except StorageFailed as error:
                    # What the store still holds is durable, and nothing more can become so.
                    self._take_back(error)
                    self._confirm(self.latest_ts)
                    return
                except StorageError as error:
                    self._take_back(error)
                except Exception as error:
                    # A bug. Whether the commits are stored is not known; the next flush will show.
                    _log.exception("making commits durable failed")
                    for waiting in self._waiting:
                        _fail(
                            waiting, StorageError(f"It is not known whether the write was stored: {error!r}")
                        )
                    return
                else:
                    await self._prepare(target)
                    self._confirm(min(target, self.latest_ts))
        finally:
            self._flusher = None

    async def _prepare(self, through_ts: int) -> None:
        """Makes publishing quick where large documents, or many, have to be held against live searches."""
        for waiting in tuple(self._waiting):
            write_set = waiting.write_set
            if waiting.ts <= through_ts and write_set is not None and write_set.searched:
                try:
                    await self._derived.prepare(write_set.searched)
                except Exception:
                    _log.exception("preparing a commit's publication failed")

    def _confirm(self, ts: int) -> None:
        self.durable_ts = max(self.durable_ts, ts)
        while self._waiting and self._waiting[0].ts <= ts:
            waiting = self._waiting.popleft()
            if waiting.write_set is not None:
                self._publish(waiting.write_set)
                self.log.published(waiting.ts)
            if not waiting.done.done():
                waiting.done.set_result(waiting.ts)

    def _take_back(self, error: StorageError) -> None:
        """Undoes every validated commit that the store does not hold, as if it had never been."""
        kept = max(self._persistence.newest_ts, self.durable_ts)
        self.generation += 1
        self._kept.append(kept)
        self.latest_ts = min(self.latest_ts, kept)
        while len(self._registries) > 1 and self._registries[-1][0] > kept:
            self._registries.pop()
        self._derived.take_back(kept)
        for commit in self.log.drop_after(kept):
            for tablet_id, delta in commit.deltas.items():
                self._counts[tablet_id] -= delta
        while self._waiting and self._waiting[-1].ts > kept:
            waiting = self._waiting.pop()
            _fail(waiting, copy(error))

    async def close(self) -> None:
        """Returns when everything validated is durable or taken back."""
        while self._flusher is not None:
            await asyncio.shield(self._flusher)


def _fail(waiting: _Waiting, error: StorageError) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
        waiting.done.exception()  # it may be that nobody waits any more


def _registry_after(registry: Registry, writes: list[PendingWrite]) -> Registry:
    for write in writes:
        if write.table.name in METADATA_TABLES:
            registry = registry.with_row(
                write.table,
                None if write.old is None else write.old.value,
                None if write.new is None else write.new.value,
            )
    return registry
