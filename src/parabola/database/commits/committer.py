"""Making transactions permanent: validation, order, group commit, publication.

Three timestamps tell how far things are. A commit is *validated* when no commit since its snapshot wrote what
it read; then it has its place in the order, `latest_ts` is its timestamp and the next mutation may read it.
It is *durable* when that is confirmed, together with everything before it; then it is acknowledged,
published, and `durable_ts` lets queries see it. So a commit that read one that is lost is always lost too.
What makes commits durable is the disk (`local_durability`) or a log that several nodes share
(`shared_durability`).
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from parabola.database.commits.commit_lane import CommitLane
from parabola.database.commits.overlay import PendingWrite
from parabola.database.commits.taken_back import Forgotten, TakenBack
from parabola.database.commits.write_log import Touched, WriteLog
from parabola.database.commits.write_set import (
    Change,
    WriteSet,
    document_write,
    effective_writes,
    is_settled,
    resolved,
)
from parabola.database.model.errors import (
    BuiltOnLost,
    ConflictError,
    EarlierWriteLost,
    StorageError,
    StorageFailed,
)
from parabola.database.model.tables import METADATA_TABLES, Registry
from parabola.database.store.persistence import Commit, DocumentWrite, Persistence
from parabola.values.errors import OutOfRetention

if TYPE_CHECKING:
    from parabola.database.model.searches import SearchedChange
    from parabola.database.transaction import Transaction

__all__ = ["NEXT_ID", "Committer", "DerivedFeed", "Durability", "Foresight", "Waiting", "Work", "fail"]

_log: Final = logging.getLogger(__name__)

NEXT_ID: Final = "next_id"
"""Instance property: the next number for a tablet or an index."""

FORESEEN_COMMITS: Final = 8
"""Where more become durable together the engine is busy, and nothing is won by preparing for them."""

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


class Durability(Protocol):
    """What makes validated commits durable, and tells the committer so."""

    takes_back: bool
    """Whether commits may be taken back only to be validated and stored once more."""

    def wake(self) -> None:
        """Somebody waits (`Committer.waiting`): for a commit, or for a timestamp to be durable."""

    async def refresh(self) -> None:
        """Returns when everything is here that anybody had acknowledged before the call."""

    async def close(self) -> None:
        """Returns when nobody waits any more."""


class Foresight(Protocol):
    """Who prepares for what is about to be durable, and tells nobody of it before it is."""

    def expect(self, commits: Sequence[WriteSet], ts: int) -> None:
        """These commits, up to `ts`, are being confirmed. It must not wait."""

    def is_over(self) -> None:
        """They have been published, or will not be."""


class Work(NamedTuple):
    """What is needed to commit a transaction once more."""

    tx: Transaction
    writes: list[PendingWrite]
    source: str
    on_validated: Callable[[int], None] | None


class Waiting(NamedTuple):
    """Somebody who waits until a timestamp is durable: that of a commit, or just one that was read.

    `work` is that of the commit if it may be needed again.
    """

    ts: int
    write_set: WriteSet | None
    done: asyncio.Future[int]
    work: Work | None = None


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
        durability: Callable[[Committer], Durability],
    ) -> None:
        self.latest_ts = latest_ts
        self.durable_ts = latest_ts
        self.lane = CommitLane()
        self.log = WriteLog(latest_ts, max_bytes=log_bytes)
        self.next_id = next_id
        self.taken_back = TakenBack()
        self.waiting: deque[Waiting] = deque()
        """By timestamp; of those with the same one, a commit is the first."""
        self.foresight: Foresight | None = None
        self.fault: StorageFailed | None = None
        """Why nothing is read or written any more."""
        self._persistence = persistence
        self._clock = clock
        self._publish = publish
        self._derived = derived
        self._assigned_ts = latest_ts
        self._registries: list[tuple[int, Registry]] = [(0, registry)]
        # Newest number of documents of each tablet that was written since the start.
        self._counts: dict[int, int] = {}
        self._durability = durability(self)

    # State

    @property
    def registry(self) -> Registry:
        """As of `latest_ts`."""
        return self._registries[-1][1]

    def registry_at(self, ts: int) -> Registry:
        """As of a timestamp within retention."""
        return self._registry_entry_at(ts)[1]

    def registry_ts_at(self, ts: int) -> int:
        """The commit that made the registry as of a timestamp within retention; 0 for one from before the
        start.
        """
        return self._registry_entry_at(ts)[0]

    def _registry_entry_at(self, ts: int) -> tuple[int, Registry]:
        registries = self._registries
        if registries[-1][0] <= ts:
            return registries[-1]
        return registries[max(0, bisect_right(registries, ts, key=lambda entry: entry[0]) - 1)]

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
            return await self.confirm_reads(tx)
        if tx.builds_on:
            await _settled(tx)
        work = Work(tx, writes, source, on_validated)
        if len(writes) <= PART:
            return await (await self._store(work))
        # In a task of its own: no half of it must be left when the one who waits is cancelled.
        storing = asyncio.get_running_loop().create_task(self._store(work))
        return await (await asyncio.shield(storing))

    async def _store(self, work: Work) -> asyncio.Future[int]:
        """Validates and appends; the result is to be waited for."""
        tx, writes = work.tx, work.writes
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
        return await self.append(work, asyncio.get_running_loop().create_future())

    async def append(self, work: Work, done: asyncio.Future[int]) -> asyncio.Future[int]:
        """Validates and appends, where nothing can come in between. `done` gets the timestamp or the failure
        that comes later, and is returned. Raises `ConflictError` and `StorageError`.
        """
        tx, writes, source, on_validated = work
        self._validate(tx)
        if tx.builds_on:
            writes = [self._on_stored(write) for write in writes]
        ts = self.next_ts()
        registry = _registry_after(self.registry, writes)
        changes: list[Change] = []
        stored: list[DocumentWrite] = []
        is_known = registry is tx.began_with

        def take(part: list[PendingWrite]) -> Commit:
            start = len(stored)
            for write in part:
                id, table, old, new, entries = write
                if entries is not None and is_known and (new is None or is_settled(new.revision)):
                    revision = None if new is None else new.revision.at(ts)
                    changes.append(Change(table, id, old, revision))
                    stored.append(DocumentWrite(table.tablet_id, id, old, revision, entries))
                    continue
                revision, value = (None, None) if new is None else resolved(new.revision, ts)
                change = Change(table, id, old, revision)
                changes.append(change)
                stored.append(document_write(registry, change, value))
            is_first = not start and registry is not self.registry
            return Commit(ts, tuple(stored[start:]), self._properties() if is_first else {})

        self.count_from_now({write.table.tablet_id for write in writes})
        try:
            if len(writes) <= PART:
                self._persistence.append(take(writes))
            else:
                parts = (take(writes[at : at + PART]) for at in range(0, len(writes), PART))
                await self._persistence.append_parts(parts)
        except StorageError as error:
            for waiting in self.take_back(max(self._persistence.newest_ts, self.durable_ts)):
                fail(waiting, copy(error))
            raise
        write_set = WriteSet(ts, source, tuple(changes), stored)
        self.take_in(write_set, registry)
        self._wait(Waiting(ts, write_set, done, work if self._durability.takes_back else None))
        if on_validated is not None:
            on_validated(ts)
        return done

    def count_from_now(self, tablets: Iterable[int]) -> None:
        """Before a commit is stored that writes to these tablets: what they have until then is known."""
        for tablet_id in tablets:
            if tablet_id not in self._counts:
                self._counts[tablet_id] = self._persistence.size(tablet_id).documents

    def take_in(self, write_set: WriteSet, registry: Registry) -> None:
        """A stored commit is the newest one, and `registry` is what it made of the tables."""
        ts = write_set.ts
        for tablet_id, delta in write_set.count_deltas().items():
            self._counts[tablet_id] += delta
        self.latest_ts = ts
        if registry is not self.registry:
            self._registries.append((ts, registry))
        self._derived.append(write_set)
        self.log.append(write_set)

    def _properties(self) -> dict[str, bytes]:
        return {NEXT_ID: str(self.next_id).encode()}

    def _validate(self, tx: Transaction) -> None:
        begin_ts = self._snapshot_of(tx)
        if begin_ts < self.log.start_ts:
            raise ConflictError(
                "The transaction took so long that it can no longer be checked; run it again."
            )
        touched = self.log.first_touching(tx.read_set, begin_ts)
        reads = tx.chained_reads
        if touched is None and reads is not None:
            besides = [link.ts for link in tx.builds_on if link.ts is not None]
            if self.taken_back.generation and not all(map(self.log.holds, besides)):
                raise BuiltOnLost  # taken back before this transaction began
            touched = self.log.first_touching(reads, begin_ts, besides)
        if touched is not None:
            raise self._conflict(touched)

    def is_current(self, tx: Transaction) -> bool:
        """See `Database.is_current`."""
        try:
            self._validate(tx)
        except ConflictError:
            return False
        return True

    def _snapshot_of(self, tx: Transaction) -> int:
        """When that was so what a transaction has read: at its begin, or before what was taken back since."""
        if self.fault is not None:
            raise copy(self.fault)
        taken_back = self.taken_back
        if tx.generation == taken_back.generation:
            return tx.begin_ts
        if tx.after:
            self.check_holds(tx.after)
        if tx.builds_on:
            raise BuiltOnLost  # that may be what was taken back
        try:
            found = taken_back.snapshot_of(tx.read_set, tx.begin_ts, tx.generation)
        except Forgotten:
            raise ConflictError(
                "The transaction took so long that it can no longer be checked; run it again."
            ) from None
        if isinstance(found, Touched):
            lost = self._conflict(found)
            raise ConflictError(
                "The transaction read writes that could not be stored; run it again.",
                table=lost.table,
                document_id=lost.document_id,
                source=lost.source,
            )
        return found

    def check_holds(self, ts: int) -> None:
        """Raises `EarlierWriteLost` if the commit at a timestamp was taken back."""
        if self.taken_back.includes(ts):
            raise EarlierWriteLost(
                "What the same client had written before could not be stored, so this was not done. "
                "Send both again."
            )

    def _on_stored(self, write: PendingWrite) -> PendingWrite:
        """A write of a validated transaction whose `old` was not stored yet when it was read."""
        old = write.old
        if old is None or old.number is not None:
            return write
        stored = self._persistence.get_now(write.table.tablet_id, write.id, self.latest_ts)
        if stored is None or stored.raw != old.raw:
            raise BuiltOnLost
        return write._replace(old=stored)

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

    async def confirm_reads(self, tx: Transaction) -> int:
        """Returns when what a transaction has read is durable, and the timestamp at which it was so.

        Raises `ConflictError` if it has read what was taken back, or what another node had changed by then:
        what is told of it must not be older than what anybody was told before; `BuiltOnLost` if it has read
        what was not committed.
        """
        if tx.builds_on:
            newest = await _settled(tx)
            self._validate(tx)
            await self.wait_durable(newest)
            return newest
        ts = await self._confirmed(tx)
        if self._durability.takes_back:
            await self._durability.refresh()
            self._validate(tx)
        return ts

    async def _confirmed(self, tx: Transaction) -> int:
        while True:
            begin_ts = self._snapshot_of(tx)
            if begin_ts < tx.begin_ts:
                # What it has read since may have been of later commits, in their place.
                self._validate(tx)
            try:
                await self.wait_durable(begin_ts)
            except ConflictError:
                continue  # taken back meanwhile, what it has read or what it has not
            return begin_ts

    async def wait_durable(self, ts: int) -> None:
        """Returns when `ts` is durable; raises `ConflictError` if the commit at `ts` was taken back."""
        if ts > self.durable_ts:
            if self.fault is not None:
                raise copy(self.fault)
            waiting = Waiting(ts, None, asyncio.get_running_loop().create_future())
            self._wait(waiting)
            await waiting.done

    def _wait(self, waiting: Waiting) -> None:
        """Sees to it that it gets durable: then the future's result is the timestamp, and the write set has
        been published.
        """
        if waiting.write_set is None:
            # Those who only wait may ask for an older timestamp than the newest commit's.
            place = bisect_right(self.waiting, waiting.ts, key=lambda entry: entry.ts)
            self.waiting.insert(place, waiting)
        else:
            self.waiting.append(waiting)
        # When the one who waits is cancelled so is the future, but the commit goes on.
        self._durability.wake()

    def expect(self, through_ts: int) -> None:
        """The disk is confirming the commits up to a timestamp: who can prepares for it."""
        waiting = self.waiting
        if self.foresight is None or self.latest_ts < through_ts:
            return
        commits: list[WriteSet] = []
        for each in waiting:
            if each.ts > through_ts:
                break
            if each.write_set is not None:
                commits.append(each.write_set)
                if len(commits) > FORESEEN_COMMITS:
                    return
        if commits:
            try:
                self.foresight.expect(commits, through_ts)
            except Exception:
                _log.exception("preparing for what is about to be durable failed")

    def expected(self) -> None:
        """What was expected has been published, or will not be."""
        if self.foresight is not None:
            self.foresight.is_over()

    async def prepare(self, through_ts: int) -> None:
        """Makes publishing quick where large documents, or many, have to be held against live searches."""
        for waiting in tuple(self.waiting):
            write_set = waiting.write_set
            if waiting.ts <= through_ts and write_set is not None and write_set.searched:
                await self.prepare_one(write_set)

    async def prepare_one(self, write_set: WriteSet) -> None:
        """The same for one commit, which nobody may wait for."""
        if write_set.searched:
            try:
                await self._derived.prepare(write_set.searched)
            except Exception:
                _log.exception("preparing a commit's publication failed")

    def confirm(self, ts: int) -> None:
        """The commits up to a timestamp are durable: they are published, and who waits for them hears it."""
        self.durable_ts = max(self.durable_ts, ts)
        while self.waiting and self.waiting[0].ts <= ts:
            waiting = self.waiting.popleft()
            if waiting.write_set is not None:
                self.publish(waiting.write_set)
            if not waiting.done.done():
                waiting.done.set_result(waiting.ts)

    def publish(self, write_set: WriteSet) -> None:
        """Tells a durable commit to whom it concerns."""
        self._publish(write_set)
        self.log.published(write_set.ts)

    def take_back(self, kept_ts: int) -> list[Waiting]:
        """Undoes every validated commit after a timestamp, as if it had never been.

        Those who waited for them, in their order, wait no more: they are to be told, or to be stored again.
        """
        newest_ts, self.latest_ts = self.latest_ts, min(self.latest_ts, kept_ts)
        while len(self._registries) > 1 and self._registries[-1][0] > kept_ts:
            self._registries.pop()
        self._derived.take_back(kept_ts)
        dropped = self.log.drop_after(kept_ts)
        for commit in dropped:
            for tablet_id, delta in commit.deltas.items():
                self._counts[tablet_id] -= delta
        if newest_ts > kept_ts:
            self.taken_back.add(kept_ts, newest_ts, dropped)
        taken: list[Waiting] = []
        while self.waiting and self.waiting[-1].ts > kept_ts:
            taken.append(self.waiting.pop())
        taken.reverse()
        return taken

    def give_up(self, fault: StorageFailed) -> None:
        """From here on nothing is read or written: what is here is not what it should be."""
        self.fault = fault
        while self.waiting:
            fail(self.waiting.popleft(), copy(fault))

    async def close(self) -> None:
        """Returns when everything validated is durable or taken back."""
        await self._durability.close()


async def _settled(tx: Transaction) -> int:
    """The newest of the commits that a transaction is built upon, once they are validated. Raises
    `BuiltOnLost` where one is not.
    """
    newest = tx.begin_ts
    for link in tx.builds_on:
        await link.settled()
        if link.ts is None:
            raise BuiltOnLost
        newest = max(newest, link.ts)
    return newest


def fail(waiting: Waiting, error: StorageError | ConflictError) -> None:
    """Tells somebody that there is nothing to wait for any more."""
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
