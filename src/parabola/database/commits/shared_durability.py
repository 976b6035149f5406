"""Durability in a log that several nodes share, and the commits of the others.

One task does everything that moves this node along the log: it appends what has gathered, one entry at a
time; and where another node's entry came first, it takes back what was validated meanwhile, takes that entry
in, and validates and stores again what was taken back. Who has read what does not come back runs again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from typing import Final, TypeVar

from parabola.database.commits.committer import Committer, Waiting, fail
from parabola.database.commits.foreign import indexes_to_fill, read_foreign
from parabola.database.commits.write_set import WriteSet
from parabola.database.model.errors import ConflictError, StorageError
from parabola.database.model.indexes import Index
from parabola.database.model.tables import Registry
from parabola.database.shared_log.appending import append_until_known, until_reached
from parabola.database.shared_log.contact import Contact
from parabola.database.shared_log.errors import LogUnreachable, ReplicaLost
from parabola.database.shared_log.log import LANE_SECONDS, Entry, Head, Position, SharedLog
from parabola.database.shared_log.payload import Group, SourcedCommit, decode, encode, number
from parabola.database.shared_log.replica import Replica
from parabola.database.shared_log.unconfirmed import Layer

__all__ = ["SharedDurability"]

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)

READ_BYTES: Final = 4 * 1024 * 1024
"""Of entries read at once."""
LARGE: Final = 256 * 1024
"""Bytes from which on a payload is written and read in a thread."""
SAVE_SECONDS: Final = 0.25
"""What is confirmed goes to this node's disk after so long. A node that dies reads it from the log again."""
HELD_SECONDS: Final = 0.02
"""Pause before an entry is sent again that may not come in: another node has the lane, or it is closed."""
STARVED_SECONDS: Final = 0.5
"""A node whose entry comes too late for so long takes the lane for it: one that is slow, or far from the log,
would lose to those that append all the time, for ever.
"""
CLOSE_SECONDS: Final = 5.0
"""A node that is closed waits so long for what is on its way."""
NAME_BYTES: Final = 16


class SharedDurability:
    """Appends to a shared log while anybody waits, and follows it. See `Durability`."""

    takes_back = True

    def __init__(
        self,
        committer: Committer,
        replica: Replica,
        log: SharedLog,
        fill: Callable[[Sequence[Index]], Awaitable[None]],
        follow: Callable[[WriteSet, Registry], Awaitable[Sequence[Callable[[], None]]]],
    ) -> None:
        """`fill` returns when indexes have been filled on this node, `follow` when it is ready for a
        commit of another one, with what is to be called as soon as that can be read.
        """
        self._committer = committer
        self._replica = replica
        self._shared_log = log
        self._fill = fill
        self._follow = follow
        self._woken = asyncio.Event()
        self._has_news = False
        self._moving: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._positions: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.seen_seq = replica.position.seq
        """Of the newest entry that can be read: one that is in the store already may be still on its way."""
        self._head_turn = asyncio.Lock()
        self._next_head: asyncio.Task[Head] | None = None
        self._late_since: float | None = None
        self._has_right_of_way = False
        self._is_in_lane = False
        self.contact = Contact(log.head)

    def start(self) -> None:
        """Begins to follow the log."""
        self._moving = asyncio.get_running_loop().create_task(self._move_along())
        self._shared_log.follow(self._hear)
        self.contact.start()
        self._hear(None)

    def wake(self) -> None:
        """See `Durability`."""
        self._woken.set()

    def _hear(self, seq: int | None) -> None:
        if seq is not None:
            self.contact.heard()
        if seq is None or seq > self._replica.position.seq:
            self._has_news = True
            self._woken.set()

    async def _move_along(self) -> None:
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._replica.has_unconfirmed or self._has_news:
                    if self._replica.has_unconfirmed:
                        await self._append()
                    else:
                        await self._catch_up()
                await self._yield_way()
                # Those who only wait may have come when what they wait for was durable already.
                self._committer.confirm(self._committer.durable_ts)
        except ReplicaLost as error:
            self._give_up(error)
        except StorageError as error:
            self._give_up(_lost(f"This node's disk does not take what the shared log says: {error.message}"))
        except Exception as error:
            _log.exception("following the shared log failed")
            self._give_up(_lost(f"Following the shared log failed: {error!r}"))

    def _give_up(self, fault: ReplicaLost) -> None:
        if self._committer.fault is not None:
            return
        _log.critical("%s", fault)
        self._committer.give_up(fault)
        if self._moving is not None and self._moving is not asyncio.current_task():
            self._moving.cancel()
        for _, reached in self._positions:
            if not reached.done():
                reached.set_exception(copy(fault))
                reached.exception()
        self._positions.clear()
        self.contact.lose()

    # Appending

    async def _append(self) -> None:
        """Sends the oldest group that waits, until it is in the log or another entry is in its place."""
        replica, log = self._replica, self._shared_log
        await replica.whole()
        group = self._group(replica.take_layer())
        payload = await _in_thread_if(sum(map(_size_of, group.commits)) > LARGE, lambda: encode(group))
        after, name, ts = replica.position, os.urandom(NAME_BYTES), group.commits[-1].commit.ts
        while True:
            if self._is_starved:
                self._has_right_of_way = await until_reached(log.take_lane)
            is_ours = await append_until_known(log, after, name, ts, payload)
            self.contact.heard()
            if is_ours:
                await self._confirm(group, Position(after.seq + 1, name))
                await self._yield_way()
                return
            if self._late_since is None:
                self._late_since = asyncio.get_running_loop().time()
            self._has_news = False
            entries = await self._read()
            if entries and entries[0].position.name == name:
                self._has_news = len(entries) > 1
                await self._confirm(group, entries[0].position)
                await self._yield_way()
                return
            if entries:
                await self._give_way(entries)
                return
            await asyncio.sleep(HELD_SECONDS)

    @property
    def _is_starved(self) -> bool:
        """Whether what waits has come too late for so long that others are to wait for it."""
        late = self._late_since
        return (
            late is not None
            and not self._is_in_lane
            and asyncio.get_running_loop().time() - late >= STARVED_SECONDS
        )

    async def _yield_way(self) -> None:
        """Nothing of this node is late any more: others may append again."""
        self._late_since = None
        if self._has_right_of_way:
            self._has_right_of_way = False
            await self._leave_lane()

    async def _leave_lane(self) -> None:
        """Unless the node has it for two reasons."""
        if not self._is_in_lane and not self._has_right_of_way:
            with suppress(LogUnreachable):  # if this is not heard, the lane ends by itself
                await self._shared_log.leave_lane()

    def _group(self, layer: Layer) -> Group:
        sources = {
            waiting.ts: waiting.write_set.source
            for waiting in self._committer.waiting
            if waiting.write_set is not None
        }
        commits = [SourcedCommit(commit, sources[commit.ts]) for commit in layer.commits]
        return number(commits, self._replica.next_number)

    async def _confirm(self, group: Group, position: Position) -> None:
        committer, ts = self._committer, group.commits[-1].commit.ts
        await self._replica.store(group, position, is_own=True)
        await committer.prepare(ts)
        committer.confirm(ts)
        self._moved()

    # The entries of others

    async def _read(self) -> list[Entry]:
        position = self._replica.position
        entries = await until_reached(lambda: self._shared_log.entries_after(position, READ_BYTES))
        self.contact.heard()
        return entries

    async def _catch_up(self) -> None:
        self._has_news = False
        entries = await self._read()
        if entries:
            await self._give_way(entries)

    async def _give_way(self, entries: Sequence[Entry]) -> None:
        """Takes the entries in, and what waited is validated and stored again behind them."""
        committer, replica = self._committer, self._replica
        if sum(len(entry.payload) for entry in entries) >= READ_BYTES:
            self._has_news = True  # there may be more
        await replica.close_gate()
        try:
            waiting: deque[Waiting] = deque()
            if committer.latest_ts > committer.durable_ts:
                replica.drop_unconfirmed()
                waiting.extend(committer.take_back(committer.durable_ts))
            try:
                for entry in entries:
                    await self._take_in(entry)
                while waiting:
                    await self._store_again(waiting[0])
                    waiting.popleft()
            except BaseException:
                committer.waiting.extend(waiting)  # to be told why
                if committer.fault is not None:
                    committer.give_up(committer.fault)
                raise
        finally:
            replica.open_gate()

    async def _store_again(self, waiting: Waiting) -> None:
        if waiting.work is None:
            fail(waiting, ConflictError("What was read was taken back; run the transaction again."))
            return
        try:
            await self._committer.append(waiting.work, waiting.done)
        except (ConflictError, StorageError) as error:
            fail(waiting, error)

    async def _take_in(self, entry: Entry) -> None:
        committer, replica = self._committer, self._replica
        payload = entry.payload
        group = await _in_thread_if(len(payload) > LARGE, lambda: decode(payload))
        to_fill = await indexes_to_fill(group, committer.registry, replica)
        if to_fill:
            await self._fill(to_fill)
        commits = await read_foreign(group, committer.registry, replica)
        committer.count_from_now({write.tablet_id for commit, _ in group.commits for write in commit.writes})
        await replica.store(group, entry.position, is_own=False)
        for write_set, registry in commits:
            steps = await self._follow(write_set, registry)
            # From here on it is read by transactions that begin, so no turn for others comes in between.
            committer.take_in(write_set, registry)
            for step in steps:
                step()
            await committer.prepare_one(write_set)
            committer.durable_ts = write_set.ts
            committer.publish(write_set)
        self._moved()

    # Where this node is

    def _moved(self) -> None:
        seq = self.seen_seq = self._replica.position.seq
        while self._positions and self._positions[0][0] <= seq:
            _, reached = self._positions.popleft()
            if not reached.done():
                reached.set_result(None)
        if self._saving is None:
            self._saving = asyncio.get_running_loop().create_task(self._save())

    async def _save(self) -> None:
        try:
            await asyncio.sleep(SAVE_SECONDS)
            await self._replica.flush()
        except StorageError as error:
            self._give_up(_lost(f"This node's disk does not take what the shared log says: {error.message}"))
        finally:
            self._saving = None

    async def refresh(self) -> None:
        """See `Durability`."""
        await self.catch_up()

    async def catch_up(self) -> None:
        """Returns when everything is here that was in the log at the time of the call. Raises `ReplicaLost`.

        Who calls while another one's question is on its way joins the next question, with all others who do.
        """
        if self._next_head is None:
            self._next_head = asyncio.get_running_loop().create_task(self._ask_head())
        asking = self._next_head
        try:
            head = await asyncio.shield(asking)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if asking.cancelled() and (caller is None or not caller.cancelling()):
                raise _ended() from None
            raise
        await self._wait_position(head.position.seq)

    async def _ask_head(self) -> Head:
        async with self._head_turn:
            self._next_head = None
            before = self._replica.position
            head = await until_reached(self._shared_log.head)
            self.contact.heard(head)
            if head.position.seq <= before.seq and head.position != before:
                # The log may have lost what was here before it was asked: to read it says so.
                try:
                    await until_reached(lambda: self._shared_log.entries_after(before, 1))
                except ReplicaLost as error:
                    self._give_up(error)
                    raise
            return head

    async def _wait_position(self, seq: int) -> None:
        if self._committer.fault is not None:
            raise copy(self._committer.fault)
        if self.seen_seq >= seq:
            return
        reached = asyncio.get_running_loop().create_future()
        place = next((at for at, (each, _) in enumerate(self._positions) if each > seq), len(self._positions))
        self._positions.insert(place, (seq, reached))
        self._hear(seq)
        await reached

    # The lane

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[None]:
        """Inside, no other node appends, and everything that it has appended is here.

        The caller sees to it that nobody else commits on this node.
        """
        log = self._shared_log
        while True:
            if await until_reached(log.take_lane):
                break
            await asyncio.sleep(HELD_SECONDS)
        self._is_in_lane = True
        keeping = asyncio.get_running_loop().create_task(self._keep_lane())
        try:
            await self.catch_up()
            with suppress(ConflictError):
                await self._committer.wait_durable(self._committer.latest_ts)
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            self._is_in_lane = False
            await self._leave_lane()

    async def _keep_lane(self) -> None:
        while True:
            await asyncio.sleep(LANE_SECONDS / 4)
            with suppress(LogUnreachable):
                await self._shared_log.take_lane()

    async def close(self) -> None:
        """Returns when what was on its way is in the log, or after a while, not knowing whether it is."""
        committer = self._committer
        await self.contact.close()
        with suppress(TimeoutError, ConflictError, StorageError):
            # Into a closed log nothing comes any more.
            async with asyncio.timeout(0 if self.contact.is_closed else CLOSE_SECONDS):
                await committer.wait_durable(committer.latest_ts)
        for task in (self._moving, self._saving, self._next_head):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        while committer.waiting:
            fail(committer.waiting.popleft(), _ended())
        for _, reached in self._positions:
            if not reached.done():
                reached.set_exception(_ended())
                reached.exception()
        self._positions.clear()
        with suppress(StorageError):
            await self._replica.flush()  # what is derived from it is saved as far as that
        await self._shared_log.close()


def _ended() -> StorageError:
    return StorageError("The node ends before it is known what the shared log says.")


def _lost(what: str) -> ReplicaLost:
    return ReplicaLost(
        f"{what} Nothing is read or written here any more: start the node again, and it goes on from what "
        "the log says."
    )


def _size_of(commit: SourcedCommit) -> int:
    return sum(write.new.size for write in commit.commit.writes if write.new is not None)


async def _in_thread_if(is_large: bool, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if is_large else work()
