"""The database: begin a transaction, commit it, be told what changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from copy import copy
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from parabola.database.commits.chain import Link
from parabola.database.commits.committer import NEXT_ID, Committer, Durability, Foresight
from parabola.database.commits.local_durability import LocalDurability
from parabola.database.commits.lost_races import LostRaces
from parabola.database.commits.subscriptions import Subscriptions
from parabola.database.commits.turns import TURNS_BEFORE_LANE, Turn, Turns
from parabola.database.commits.write_log import WriteLog
from parabola.database.commits.write_set import WriteSet
from parabola.database.derived.derived_indexes import DerivedIndexes
from parabola.database.model.documents import Revision
from parabola.database.model.errors import (
    BuiltOnLost,
    ConflictError,
    NotToBuildOn,
    StorageFailed,
    TryAgain,
    UnusableData,
)
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval
from parabola.database.model.system_tables import FIRST_FREE_ID
from parabola.database.model.tables import Registry
from parabola.database.settings import DatabaseSettings
from parabola.database.store.commit_tail import CommitTail
from parabola.database.store.persistence import (
    DOCUMENTS_BEFORE,
    SHARED_LOG_PLACE,
    Persistence,
    Rows,
    TailEntry,
)
from parabola.database.transaction import Transaction
from parabola.database.unique_keys import check_unique_keys, unique_rules
from parabola.database.upkeep.backfill import Backfill, mark_backfilled
from parabola.database.upkeep.bootstrap import add_missing_system_tables, first_commit, load_registry
from parabola.database.upkeep.inspection import Inspection
from parabola.database.upkeep.members import Alone, Members
from parabola.database.upkeep.running_time import JUMP_SECONDS, NS_PER_SECOND, RunningTime, seconds_since_boot
from parabola.database.upkeep.vacuum import RUNNING_TIME, Retention, Vacuum
from parabola.database.usage import Limits, Usage
from parabola.values.errors import OutOfRetention

if TYPE_CHECKING:
    from parabola.database.commits.shared_durability import SharedDurability
    from parabola.database.shared_log.contact import Contact
    from parabola.database.shared_log.id_blocks import IdBlocks
    from parabola.database.shared_log.log import SharedLog
    from parabola.database.shared_log.replica import Replica
    from parabola.database.upkeep.checkpointing import Checkpointing

__all__ = ["CommitListener", "Database", "ExecutorStart", "Follower", "NodeIdentity"]

_log: Final = logging.getLogger(__name__)

FORGOTTEN_AT_A_TIME: Final = 500
"""Commits that are forgotten before others get a turn of the event loop."""

T = TypeVar("T")


class _Listener(NamedTuple):
    """Who hears of commits, and whether only of those that change a system table."""

    callback: CommitListener
    of_system: bool


class NodeIdentity(NamedTuple):
    """A node's name, and that of its data directory, which no other process has at the same time."""

    name: str
    home: str


class ExecutorStart(NamedTuple):
    """What an executor has to know to begin a transaction like one of the engine's."""

    tail: CommitTail
    ts: int
    registry_ts: int
    """Names tables, indexes and schemas: those that this commit has made."""
    creation_time: float
    """Of the next insert, in milliseconds since 1970."""


CommitListener = Callable[[WriteSet, int], None]
Follower = Callable[[WriteSet, Transaction], Awaitable[Callable[[], None] | None]]
"""Takes a commit of another node before anybody can see it, and a transaction that sees it; what it answers
is called in the step in which all others do.
"""


class Database:
    """A transactional, multi-version document database over one store.

    Everything happens on the event loop it was opened in.
    """

    def __init__(
        self,
        persistence: Persistence,
        registry: Registry,
        latest_ts: int,
        next_id: int,
        *,
        clock: Callable[[], int],
        limits: Limits,
        counter: Callable[[], float] = seconds_since_boot,
        ran: bytes | None = None,
        settings: DatabaseSettings = DatabaseSettings(),
        log: SharedLog | None = None,
    ) -> None:
        self.persistence = persistence
        self.confirmed = persistence
        """The store without commits that a shared log does not have yet."""
        self.shared_log = log
        """The log that other nodes share; None for a database of one server."""
        self._shared: SharedDurability | None = None
        self._replica: Replica | None = None
        self._ids: IdBlocks | None = None
        self.limits = limits
        self.oldest_ts = 0
        """Reads before this timestamp are refused: what they need may have been removed."""
        self.oldest_document_ts = 0
        """The same for the log and for documents by id, which are kept longer."""
        self.turns = Turns()
        self.lost_races = LostRaces(self.now_ts)
        """Of those who want the same document, or the same table."""
        self._kept: list[int] = []
        self._clock = clock
        self._listeners: list[_Listener] = []
        self._followers: list[Follower] = []
        self.members: Members = Alone()
        """The nodes that serve this deployment."""
        self.derived = DerivedIndexes(self)
        """The text and vector indexes."""
        self._committer = Committer(
            persistence,
            latest_ts,
            registry,
            clock=clock,
            next_id=next_id,
            publish=self._publish,
            derived=self.derived,
            log_bytes=settings.recent_commits_bytes,
            durability=self._durability(persistence, log),
        )
        self.subscriptions = Subscriptions(self._committer.log)
        self.running_time = RunningTime(clock, counter, lambda: self.latest_ts, ran)
        self._backfill: Backfill | None = None
        self._vacuum: Vacuum | None = None
        self._inspection: Inspection | None = None
        self._checkpointing: Checkpointing | None = None

    def _durability(
        self, persistence: Persistence, log: SharedLog | None
    ) -> Callable[[Committer], Durability]:
        if log is None:
            return lambda committer: LocalDurability(committer, persistence)
        # What only nodes need is imported by them.
        from parabola.database.commits.shared_durability import SharedDurability
        from parabola.database.shared_log.id_blocks import IdBlocks
        from parabola.database.shared_log.replica import Replica

        assert isinstance(persistence, Replica)
        self._replica = persistence
        self.confirmed = persistence.confirmed
        self._ids = IdBlocks(log)

        def shared(committer: Committer) -> Durability:
            self._shared = SharedDurability(committer, persistence, log, self._fill, self._follow)
            return self._shared

        return shared

    async def _fill(self, indexes: Sequence[Index]) -> None:
        assert self._backfill is not None
        await self._backfill.fill(indexes)

    async def _follow(self, write_set: WriteSet, registry: Registry) -> list[Callable[[], None]]:
        """What is to be called in the step in which a commit of another node takes effect here."""
        steps: list[Callable[[], None]] = []
        for follower in tuple(self._followers):
            step = await follower(write_set, self._transaction(write_set.ts, registry))
            if step is not None:
                steps.append(step)
        return steps

    @classmethod
    async def open(
        cls,
        persistence: Persistence,
        *,
        log: SharedLog | None = None,
        clock: Callable[[], int] = time.time_ns,
        limits: Limits | None = None,
        counter: Callable[[], float] = seconds_since_boot,
        retention: Retention | None = None,
        settings: DatabaseSettings = DatabaseSettings(),
        node: NodeIdentity | None = None,
    ) -> Database:
        """Opens the database a store holds, or makes a new one there, and begins to look after it.

        With a `log` it is that of the log, which other nodes share, and the store is this node's copy of it;
        it returns when everything is here that the log had. Raises `ReplicaLost` where the store is no copy
        of this log, which then is to be opened again with an empty store.
        A `node` joins those that serve the deployment; raises `UnusableData` where another one has its name.
        `clock` gives nanoseconds since 1970, `counter` seconds that nobody can set. The caches of `settings`
        are the store's.
        """
        replica: Replica | None = None
        if log is not None:
            from parabola.database.shared_log.replica import Replica

            persistence = replica = Replica(persistence)
        state = await persistence.load()
        if log is None and state.properties.get(SHARED_LOG_PLACE):
            raise UnusableData(
                "This data directory holds a copy of a log that several servers share. Start with that one's "
                "--database, or name another directory with --data. To make a node a server that is alone, "
                "use parabola demote."
            )
        if state.latest_ts == 0:
            commit = first_commit(clock())
            if replica is not None and log is not None:
                from parabola.database.upkeep.joining import join

                await join(log, replica, commit)
            else:
                persistence.append(commit)
                await persistence.flush()
            state = await persistence.load()
        elif replica is not None and log is not None:
            from parabola.database.upkeep.joining import check_place

            await check_place(log, replica)
        registry = await load_registry(persistence, state.latest_ts)
        next_id = int(state.properties.get(NEXT_ID, FIRST_FREE_ID))
        _warn_of_clock(state.latest_ts, clock())
        database = cls(
            persistence,
            registry,
            state.latest_ts,
            next_id,
            clock=clock,
            limits=limits or Limits(),
            counter=counter,
            ran=state.properties.get(RUNNING_TIME),
            settings=settings,
            log=log,
        )
        # What tables and indexes were like before is not known any more.
        database.oldest_ts = state.latest_ts
        database.oldest_document_ts = int(state.properties.get(DOCUMENTS_BEFORE, 0))
        database.derived.start()
        database._backfill = Backfill(database)
        database._vacuum = Vacuum(database, retention or Retention(documents=settings.history_seconds))
        database._inspection = Inspection(database, settings.inspection_seconds)
        try:
            if database._shared is not None and log is not None:
                from parabola.database.upkeep.checkpointing import Checkpointing

                assert database._ids is not None
                database._shared.start()
                database._checkpointing = Checkpointing(log)
                await database.catch_up()
                await database._ids.fill()
            await add_missing_system_tables(database)
            if log is not None and node is not None:
                from parabola.database.upkeep.membership import Membership

                membership = Membership(database, log, node.name, node.home)
                backfill = database._backfill
                membership.tell("seq", lambda: database.seen_seq)
                membership.tell("filled", backfill.filled_here)
                database.members = membership
                await membership.join()
        except BaseException:
            await database.close()
            raise
        return database

    # Where things stand

    @property
    def latest_ts(self) -> int:
        """The newest validated commit: the snapshot of the next mutation."""
        return self._committer.latest_ts

    @property
    def durable_ts(self) -> int:
        """The newest durable commit: the snapshot of queries. Nothing newer is ever shown."""
        return self._committer.durable_ts

    @property
    def registry(self) -> Registry:
        """Tables, indexes and schemas as of `latest_ts`."""
        return self._committer.registry

    @property
    def durable_registry(self) -> Registry:
        """The same as of `durable_ts`."""
        return self._committer.registry_at(self._committer.durable_ts)

    @property
    def saved_ts(self) -> int:
        """The newest commit that the store's own disk has for certain, and that cannot be taken back."""
        return self._committer.durable_ts if self._replica is None else self._replica.saved_ts

    @property
    def fault(self) -> StorageFailed | None:
        """Why a node of a shared log has ended: what is here is not what the log says. None if it has not."""
        return self._committer.fault

    def give_up(self, fault: StorageFailed) -> None:
        """From here on nothing is read or written: the store is to be opened anew."""
        self._committer.give_up(fault)

    @property
    def position(self) -> int:
        """How many entries of the shared log are here; 0 without one."""
        return 0 if self._replica is None else self._replica.position.seq

    @property
    def seen_seq(self) -> int:
        """How many entries of a shared log can be read here."""
        return 0 if self._shared is None else self._shared.seen_seq

    @property
    def is_shared(self) -> bool:
        """Whether other nodes may commit as well."""
        return self._shared is not None

    @property
    def contact(self) -> Contact | None:
        """Whether the shared log answers; None without one."""
        return None if self._shared is None else self._shared.contact

    async def catch_up(self) -> None:
        """Returns when everything can be read that any node had acknowledged before the call.

        Without a shared log that is so at once.
        """
        if self._shared is not None:
            await self._shared.catch_up()

    async def reach(self, ts: int) -> None:
        """Returns when `durable_ts` is at `ts`, which another node may have shown, or later."""
        if self.durable_ts >= ts:
            return
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def see(write_set: WriteSet, at: int) -> None:
            if at >= ts and not reached.done():
                reached.set_result(None)

        remove = self.on_commit(see)
        try:
            await reached
        finally:
            remove()

    def count_at(self, tablet_id: int, ts: int) -> int:
        """Number of documents of a table at a recent timestamp."""
        return self._committer.count_at(tablet_id, ts)

    def now_ts(self) -> int:
        """The clock, in nanoseconds."""
        return self._clock()

    def now_ms(self) -> float:
        """The clock in milliseconds, whole as JavaScript's clock is."""
        return float(self._clock() // 1_000_000)

    def clock_before(self, seconds: float) -> int:
        """What the clock showed, at the most, `seconds` of running ago, in ns since 1970 (`RunningTime`).

        What is kept for a time must not be removed by the clock alone, which may jump.
        """
        return self.running_time.clock_before(seconds)

    async def forget_unused(self, seconds: float) -> None:
        """Give up memory for what nobody has read since the last call, and for commits if there were none for
        so long. A transaction that began before those is run again.
        """
        await self.persistence.forget_unused()
        through = self.durable_ts
        if through < self.clock_before(seconds):
            are_more = True
            while are_more:
                are_more = self._committer.log.forget_through(through, FORGOTTEN_AT_A_TIME)
                await asyncio.sleep(0)

    def new_id(self) -> int:
        """A number no tablet and no index has or had. Raises `TryAgain` when they are to be fetched first."""
        if self._ids is not None:
            return self._ids.take()
        self._committer.next_id += 1
        return self._committer.next_id - 1

    # Transactions

    def foresee(self, foresight: Foresight) -> None:
        """Have it told of commits while the disk confirms them. Where several nodes share a log nobody is
        told, since commits are often taken back.
        """
        self._committer.foresight = foresight

    def begin(
        self,
        *,
        ts: int | None = None,
        writable: bool = False,
        ahead: bool = False,
        after: int = 0,
        now_ms: float | None = None,
        random: Random | None = None,
    ) -> Transaction:
        """A transaction at `ts`, by default at `durable_ts`, or at `latest_ts` if it is to write.

        One that reads `ahead` may do so at a timestamp that is validated only: what it has read must not be
        told before that is durable, and was nothing if its commit is lost. One that comes `after` a commit,
        which is validated, is lost with it, whatever it reads; a shared log, which may give that commit
        another timestamp, knows nothing of this.
        `now_ms` is its wall clock, for creation times; `random` makes its ids, the system's source if None.
        Raises `OutOfRetention` for a timestamp whose history is gone or that is still to come, and
        `EarlierWriteLost`.
        """
        committer = self._committer
        if committer.fault is not None:
            raise copy(committer.fault)
        if after:
            committer.check_holds(after)
        if ts is None:
            ts = committer.latest_ts if writable else committer.durable_ts
        elif ts < self.oldest_ts:
            raise OutOfRetention(f"The history at timestamp {ts} is no longer kept; ask at a newer one.")
        elif ts > (newest := committer.latest_ts if writable or ahead else committer.durable_ts):
            raise OutOfRetention(f"Timestamp {ts} is in the future; the newest is {newest}.")
        return self._transaction(
            ts, committer.registry_at(ts), now_ms=now_ms, random=random, writable=writable, after=after
        )

    def _transaction(
        self,
        ts: int,
        registry: Registry,
        *,
        writable: bool = False,
        after: int = 0,
        now_ms: float | None = None,
        random: Random | None = None,
    ) -> Transaction:
        return Transaction(
            self,
            ts,
            registry,
            Usage(self.limits),
            now_ms=self._clock() / 1e6 if now_ms is None else now_ms,
            random=random,
            writable=writable,
            generation=self._committer.taken_back.generation,
            after=after,
        )

    def executor_start(self, tx: Transaction) -> ExecutorStart | None:
        """How another process can run a function on the snapshot of `tx`, which has read and written nothing
        yet that the function can see. None where only this process can.
        """
        tail = self.persistence.commit_tail
        if tail is None or tx.registry is not tx.began_with or not tx.registry.is_settled(tx.component):
            return None
        registry_ts = self._committer.registry_ts_at(tx.begin_ts)
        # What an index was filled with before it was enabled is in the file, and in no commit.
        if registry_ts > tail.file_ts:
            return None
        return ExecutorStart(tail, tx.begin_ts, registry_ts, tx.next_creation_time)

    async def commit(
        self, tx: Transaction, *, source: str = "", on_validated: Callable[[int], None] | None = None
    ) -> int:
        """Commits and returns the timestamp once the commit is durable.

        Without writes it returns the begin timestamp, also once that is durable. `source` is told to those
        who lose against this commit. Raises `BadRequest` (`UniqueIndexViolation`) for documents that a unique
        index does not allow together, `ConflictError` (run the whole transaction again) or a `StorageError`;
        then nothing of it happened. `on_validated` hears the timestamp as soon as it is
        known, before anyone can see the commit. If the waiting task is cancelled the commit goes on.
        """
        if len(tx.overlay) and (rules := unique_rules(tx)):
            await check_unique_keys(tx, rules)
        return await self._committer.commit(tx, source, on_validated)

    async def transact(self, write: Callable[[Transaction], Awaitable[T]], *, source: str) -> T:
        """Runs `write` in a transaction and commits it; what it returned, once that is durable.

        `write` may be called several times, each time with a fresh transaction: losing against others is no
        failure. Those that compete take turns, and who keeps losing gets the commit lane. What `write` raises
        ends it, and then nothing has changed. `source` is told to those who lose against this commit.
        """
        result, _ = await self.transact_at(write, source=source)
        return result

    async def transact_at(
        self, write: Callable[[Transaction], Awaitable[T]], *, source: str
    ) -> tuple[T, int]:
        """Like `transact`; also the commit's timestamp."""

        async def attempt(turn: Turn) -> tuple[T, int]:
            tx = self.begin(writable=True)
            result = await write(tx)
            return result, await self.commit(
                tx, source=source, on_validated=lambda ts: turn.validated(tx, ts)
            )

        return await self.contend(attempt)

    async def contend(
        self,
        attempt: Callable[[Turn], Awaitable[T]],
        function: str | None = None,
        arguments: Callable[[], Mapping[str, Any]] | None = None,
        *,
        may_be_chained: Callable[[], bool] | None = None,
        before_competing: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """What `attempt` returns once it has lost no conflict.

        It is called until it raises no `ConflictError`, nor `TryAgain`, after which nothing of it may remain;
        with its turn, which it should end as soon as its commit is validated. Calls of a `function` that keep
        losing wait for their turns from the first attempt on, by what their `arguments` tell. Where it
        `may_be_chained`, its turn may be one that others share, with its link in a chain (`commits.chain`).
        `before_competing` is awaited before it waits for a turn at something, is chained, or is tried again:
        what it would wait for with a turn that others wait for.
        """
        turns = self.turns
        contender = turns.contender(function, arguments)
        tries = 0
        while True:
            in_lane = contender.conflicts > TURNS_BEFORE_LANE
            self.lost_races.lanes += in_lane
            if before_competing is not None and (tries or contender.places or contender.may_be_chained):
                await before_competing()
            tries += 1
            is_chained = (
                may_be_chained is not None
                and not in_lane
                and self._shared is None
                and contender.may_be_chained
                and may_be_chained()
            )
            link = Link(contender.places) if is_chained else None
            if in_lane or not contender.places:
                turn = Turn(turns, contender, in_lane=in_lane, link=link)
            else:
                turn = await turns.take(contender, link=link)
            try:
                if in_lane:
                    async with self.commit_lane():
                        result = await attempt(turn)
                else:
                    result = await attempt(turn)
                contender.has_committed(waited=turn.waited, chained=link is not None)
                return result
            except ConflictError as error:
                self.lost_races.note(function, error)
                contender.has_lost(error.table, error.document_id, chained=link is not None)
            except (BuiltOnLost, NotToBuildOn) as error:
                contender.chain_broke(by_function=isinstance(error, NotToBuildOn))
            except TryAgain:
                if self._ids is not None:
                    await self._ids.fill()
            finally:
                turn.end()

    @property
    def write_log(self) -> WriteLog:
        """The recent commits."""
        return self._committer.log

    def commit_lane(self) -> AbstractAsyncContextManager[None]:
        """Inside it only the current task commits: for a mutation that keeps losing against others."""
        lane = self._committer.lane.exclusive()
        return lane if self._shared is None else _both(lane, self._shared.lane())

    def is_current(self, tx: Transaction) -> bool:
        """Whether a transaction would read the same if it began now. Raises a `StorageError`, and
        `EarlierWriteLost` if the commit is lost that it comes after.
        """
        return self._committer.is_current(tx)

    async def confirm_reads(self, tx: Transaction) -> int:
        """Returns when what a transaction has read is durable; the timestamp at which it was so.

        Raises `ConflictError` if it has read a commit that was lost: then nothing may be told of what it saw.
        """
        return await self._committer.confirm_reads(tx)

    async def wait_durable(self, ts: int) -> None:
        """Returns when the commit at `ts` is durable; raises `ConflictError` if it was lost."""
        await self._committer.wait_durable(ts)

    # Publication

    def on_commit(self, callback: CommitListener, *, of_system: bool = False) -> Callable[[], None]:
        """Calls `callback(write_set, ts)` for each commit once it is durable, in order; with `of_system` only
        for those that change a system table. Returns the undoing.

        It is called after the subscriptions; it must not wait. Errors are logged.
        """
        listener = _Listener(callback, of_system)
        self._listeners.append(listener)

        def remove() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return remove

    def follow(self, follower: Follower) -> None:
        """Has `follower` called for each commit of another node, which waits for it: until then this node is
        behind. It must not wait for a commit, nor fail; a failure ends the node.
        """
        self._followers.append(follower)

    def _publish(self, write_set: WriteSet) -> None:
        self.subscriptions.publish(write_set.keys, write_set.ts, write_set.searched)
        is_of_system = any(change.table.is_system for change in write_set.changes)
        for callback, wants_system in tuple(self._listeners):
            if wants_system and not is_of_system:
                continue
            try:
                callback(write_set, write_set.ts)
            except Exception:
                _log.exception("a commit listener failed")

    # History

    async def log_after(self, ts: int, limit: int) -> Rows[TailEntry]:
        """The durable changes after a timestamp, by (ts, id), whole commits; about `limit` of them.

        Raises `OutOfRetention` where the log does not reach back so far.
        """
        self._check_documents_kept(ts)
        entries = await self.persistence.tail(ts, limit)
        durable = self.durable_ts
        if entries and entries[-1].ts > durable:
            return Rows((entry for entry in entries if entry.ts <= durable), exhausted=True)
        return entries

    async def documents_at(
        self, tablet_id: int, interval: Interval, ts: int, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        """The documents of a table at a timestamp, by id, also at one too old for a transaction.

        Raises `OutOfRetention` where the documents are not kept for so long.
        """
        self._check_documents_kept(ts)
        return await self.persistence.scan(tablet_id, interval, ts, "asc", limit)

    def _check_documents_kept(self, ts: int) -> None:
        if ts < self.oldest_document_ts:
            raise OutOfRetention(f"The documents at timestamp {ts} are no longer kept; begin at a newer one.")

    @contextmanager
    def keep_history(self, ts: int) -> Iterator[None]:
        """Inside, documents at a timestamp stay readable (`documents_at`), for however long that takes."""
        self._kept.append(ts)
        try:
            yield
        finally:
            self._kept.remove(ts)

    def kept_before(self, ts: int) -> int:
        """The newest timestamp up to `ts` before which nothing is kept on purpose (`keep_history`)."""
        return min(ts, *self._kept) if self._kept else ts

    async def vacuum(self) -> int:
        """Removes all history that is old enough to go; returns how many rows that were."""
        assert self._vacuum is not None
        return await self._vacuum.run_once()

    def forget_before(self, entries_ts: int, documents_ts: int) -> None:
        """From here on reads before these timestamps are refused."""
        self.oldest_ts = max(self.oldest_ts, entries_ts)
        self.oldest_document_ts = max(self.oldest_document_ts, documents_ts)
        self._committer.forget_registries_before(self.kept_before(self.oldest_ts))
        self.derived.forget_before(self.oldest_ts, self.live_indexes())

    def live_indexes(self) -> frozenset[int]:
        """Every index that a read within retention may use."""
        return self._committer.known_indexes()

    async def mark_backfilled(self, indexes: Sequence[Index]) -> None:
        """Stores that these indexes have been filled."""
        await mark_backfilled(self, indexes)

    async def wait_backfilled(self) -> None:
        """Returns when no index waits to be filled."""
        assert self._backfill is not None
        await self._backfill.wait()
        await self.derived.wait_backfilled()

    async def close(self) -> None:
        """Makes everything durable and closes the store. Further commits fail."""
        await self.members.close()
        for service in (self._backfill, self._vacuum, self._inspection, self._checkpointing):
            if service is not None:
                await service.close()
        if self._ids is not None:
            await self._ids.close()
        await self._committer.close()
        await self.derived.close()
        await self.persistence.close()


@asynccontextmanager
async def _both(
    outer: AbstractAsyncContextManager[None], inner: AbstractAsyncContextManager[None]
) -> AsyncIterator[None]:
    async with outer, inner:
        yield


def _warn_of_clock(latest_ts: int, now: int) -> None:
    ahead = (latest_ts - now) / NS_PER_SECOND
    if ahead > JUMP_SECONDS:
        _log.warning(
            "the newest commit is %s seconds ahead of the system clock: the clock is wrong now, or was wrong "
            "then. New commits follow it closely until the clock has caught up. Check the clock.",
            f"{ahead:,.0f}",
        )
