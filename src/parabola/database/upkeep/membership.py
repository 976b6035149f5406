"""Being one of the nodes that serve a deployment: rows of `_nodes`, alike at each place in the log.

A node that starts joins, with a name for this one life of it, its incarnation. It says every second that it
is there, outside of the order of the log. Who has not been heard for three seconds is removed, by whichever
node finds it; who finds itself removed, having slept or been cut off, joins anew. Nothing that must be right
rests on who is a member: a node that does not know yet that it was removed can do no harm, as its commits say
what they have read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from parabola._version import __version__
from parabola.database.commits.write_set import WriteSet
from parabola.database.model.errors import StorageError, UnusableData
from parabola.database.shared_log.log import Beats, SharedLog
from parabola.database.upkeep.members import NODES, NodeRow, Peer, new_incarnation, node_rows, owner_of

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["Membership"]

_log: Final = logging.getLogger(__name__)

BEAT_SECONDS: Final = 1.0
GONE_SECONDS: Final = 3.0
"""A node that was not heard for so long is removed."""
NAME_SECONDS: Final = 6.0
"""So long a node that starts waits for another one of its name to end."""
LEAVE_SECONDS: Final = 2.0
"""A node that ends takes so long for saying so, at the most."""
ASK_SECONDS: Final = 0.05
"""Who waits for what others will say asks so often."""
_SOURCE: Final = "membership"


class Membership:
    """One node among the members. See `Members`; `join` makes it one."""

    def __init__(self, database: Database, log: SharedLog, name: str, home: str) -> None:
        """`home` is that of the data directory: no other process has it at the same time."""
        self.incarnation = new_incarnation()
        self.name = name
        self.peers: dict[str, Peer] = {}
        """The others, as they were heard last."""
        self._database = database
        self._shared_log = log
        self.home = home
        self._rows: dict[str, NodeRow] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._told: dict[str, Callable[[], Any]] = {}
        self._watched: dict[str, _Watched] = {}
        self._heard_at = 0
        self._beat_soon = asyncio.Event()
        self._heard = asyncio.Event()
        self._is_leaving = False
        self._changes = 0
        self._task: asyncio.Task[None] | None = None
        self._joining: asyncio.Task[None] | None = None
        self._removing: asyncio.Task[None] | None = None
        self._stop_listening = database.on_commit(self._notice, of_system=True)

    async def join(self) -> None:
        """Returns when this node is a member. Raises `UnusableData` where another one has its name."""
        await self._read()
        self._task = asyncio.get_running_loop().create_task(self._run())
        deadline = asyncio.get_running_loop().time() + NAME_SECONDS
        while not await self._try_to_join(at_start=True):
            if asyncio.get_running_loop().time() > deadline:
                raise UnusableData(
                    f'Another node is called "{self.name}" and is serving now. Give each node a name of its '
                    "own, with --node."
                )
            await self._next_beat()

    @property
    def present(self) -> frozenset[str]:
        return frozenset(self._rows)

    @property
    def homes(self) -> frozenset[str]:
        return frozenset(row.home for row in self._rows.values())

    def owns(self, id: str) -> bool:
        active = [each for each, row in self._rows.items() if row.state == "active"]
        if self.incarnation not in active:
            return False
        return owner_of(id, active) == self.incarnation

    async def depend(self, tx: Transaction) -> bool:
        row = self._rows.get(self.incarnation)
        return row is not None and await tx.get_system(row.id) is not None

    async def is_keeper(self) -> bool:
        try:
            return await self._shared_log.is_keeper()
        except StorageError:
            return False

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def tell(self, name: str, value: Callable[[], Any]) -> None:
        self._told[name] = value

    def tell_now(self) -> None:
        self._beat_soon.set()

    def statuses(self) -> list[Mapping[str, Any]]:
        return [peer.status for each, peer in self.peers.items() if each in self._rows]

    async def until_all(self, is_so: Callable[[Mapping[str, Any]], bool]) -> None:
        while not all(
            each in self.peers and is_so(self.peers[each].status)
            for each in self._rows
            if each != self.incarnation
        ):
            await self._next_beat()

    # Beats

    async def _run(self) -> None:
        while True:
            self._beat_soon.clear()
            try:
                await self._beat()
            except StorageError:
                self._heard_at = 0  # what comes next says nothing about the time until then
            except Exception:
                _log.exception("saying that this node is there failed")
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._beat_soon.wait()
            except TimeoutError:
                continue

    async def _beat(self) -> None:
        status = {"name": self.name, "version": __version__}
        status |= {name: value() for name, value in self._told.items()}
        beats = await self._shared_log.beat(self.incarnation, orjson.dumps(status).decode())
        self._listen(beats)
        heard, self._heard = self._heard, asyncio.Event()
        heard.set()
        gone = [row for each, row in self._rows.items() if self._is_gone(each)]
        if gone and self._removing is None and self.incarnation in self._rows and not self._is_leaving:
            self._removing = asyncio.get_running_loop().create_task(self._remove(gone))

    async def _next_beat(self) -> None:
        """Returns when the others have been heard again."""
        heard = self._heard
        self._beat_soon.set()
        await heard.wait()
        await asyncio.sleep(ASK_SECONDS)

    def _listen(self, beats: Beats) -> None:
        """Notes what was heard. A silence counts as far as this node itself has been heard all the time: when
        the log's server does not answer, or has lost what was said, nobody is to be removed for that.
        """
        now = beats.now_ns
        if not 0 <= now - self._heard_at <= GONE_SECONDS / 2 * 1e9:
            self._watched.clear()
        self._heard_at = now
        said = {beat.incarnation: beat for beat in beats.others}
        self.peers = {
            each: Peer(each, orjson.loads(beat.status), max(0.0, (now - beat.at_ns) / 1e9))
            for each, beat in said.items()
        }
        for each in self._rows.keys() | said.keys():
            at = said[each].at_ns if each in said else None
            before = self._watched.get(each)
            if before is None or before.at_ns != at:
                self._watched[each] = _Watched(at, now)
        for each in self._watched.keys() - self._rows.keys() - said.keys():
            del self._watched[each]

    def _is_gone(self, incarnation: str) -> bool:
        watched = self._watched.get(incarnation)
        silence = 0 if watched is None else self._heard_at - watched.since_ns
        return incarnation != self.incarnation and silence > GONE_SECONDS * 1e9

    # Rows

    async def _read(self) -> None:
        while True:
            changes = self._changes
            rows = await node_rows(self._database.begin())
            if changes == self._changes:
                break
        self._take({row.incarnation: row for row in rows})

    def _notice(self, writes: WriteSet, _ts: int) -> None:
        changes = [change for change in writes.changes if change.table.name == NODES]
        if not changes:
            return
        self._changes += 1
        rows = {row.id: row for row in self._rows.values()}
        for change in changes:
            rows.pop(change.id, None)
            if change.new is not None:
                rows[change.id] = NodeRow.of(change.new)
        self._take({row.incarnation: row for row in rows.values()})

    def _take(self, rows: Mapping[str, NodeRow]) -> None:
        was_member = self.incarnation in self._rows
        self._rows = dict(rows)
        for callback in self._callbacks:
            callback()
        if was_member and self.incarnation not in rows and not self._is_leaving:
            _log.warning("this node was not heard for a while and was taken for gone: it joins anew")
            self._join_anew()

    def _join_anew(self) -> None:
        self.incarnation = new_incarnation()
        if self._joining is None:
            self._joining = asyncio.get_running_loop().create_task(self._until_joined())

    async def _until_joined(self) -> None:
        try:
            while self.incarnation not in self._rows and not self._is_leaving:
                await self._try_to_join(at_start=False)
            if any(row.name == self.name for each, row in self._rows.items() if each != self.incarnation):
                _log.error(
                    'another node is called "%s" too: it was started while this one was not heard. Stop one '
                    "of them, or give it a name of its own, with --node.",
                    self.name,
                )
        except StorageError as error:
            _log.error("this node could not join anew: %s", error)  # it is not a node any more
        finally:
            self._joining = None

    async def _try_to_join(self, *, at_start: bool) -> bool:
        """False where another node of the same name is there; one that is not heard any more makes room."""

        async def write(tx: Transaction) -> bool:
            for row in await node_rows(tx):
                if row.incarnation == self.incarnation:
                    return True
                if not at_start:
                    continue
                # What had this directory has ended, for no two processes have it at a time.
                if row.home == self.home or (row.name == self.name and self._is_gone(row.incarnation)):
                    await tx.delete_system(row.id)
                elif row.name == self.name:
                    return False
            row = NodeRow(incarnation=self.incarnation, name=self.name, home=self.home, version=__version__)
            await tx.insert_system(NODES, row.fields())
            return True

        return await self._database.transact(write, source=_SOURCE)

    async def _remove(self, gone: list[NodeRow]) -> None:
        names = ", ".join(row.name for row in gone)
        _log.warning("taken for gone, having said nothing for %g seconds: node %s", GONE_SECONDS, names)

        async def write(tx: Transaction) -> None:
            if not await self.depend(tx):
                return  # who is not a member itself has no say in this
            for row in gone:
                if await tx.get_system(row.id) is not None:
                    await tx.delete_system(row.id)

        try:
            await self._database.transact(write, source=_SOURCE)
            for row in gone:
                await self._shared_log.stop_beating(row.incarnation)
        except StorageError as error:
            _log.warning("node %s is not yet removed: %s", names, error)
        finally:
            self._removing = None

    # The end

    async def leave(self) -> None:
        self._is_leaving = True

        async def write(tx: Transaction) -> None:
            row = self._rows.get(self.incarnation)
            if row is not None and await tx.get_system(row.id) is not None:
                await tx.patch_system(row.id, {"state": "leaving"})

        await self._database.transact(write, source=_SOURCE)

    async def close(self) -> None:
        self._is_leaving = True
        self._stop_listening()
        for task in (self._task, self._joining, self._removing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        row = self._rows.get(self.incarnation)

        async def write(tx: Transaction) -> None:
            if row is not None and await tx.get_system(row.id) is not None:
                await tx.delete_system(row.id)

        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                if row is not None and self._database.fault is None:
                    await self._database.transact(write, source=_SOURCE)
                await self._shared_log.stop_beating(self.incarnation)
        except (StorageError, TimeoutError):
            return  # the others find that it is gone


class _Watched(NamedTuple):
    """What a node said last, and since when nothing else was heard, by the clock of the log's server."""

    at_ns: int | None
    since_ns: int
